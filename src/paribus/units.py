"""Units of measure: conversions, and quantities as people read them."""

from __future__ import annotations

import math

JOULES_PER_KWH = 3.6e6
GIB = 1024**3


def kwh(energy_j: float) -> float:
    """Joules to kilowatt-hours."""
    return energy_j / JOULES_PER_KWH


def joules(energy_j: float) -> str:
    """An energy as a person reads it: `0.512 J`, `9.88 kJ`, `1.2 MJ`."""
    return f"{count(energy_j)}J" if abs(energy_j) >= 1000 else f"{energy_j:.3g} J"


def duration(seconds: float) -> str:
    """Seconds as a person reads them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count(number: float) -> str:
    """A large number with a metric prefix: `25.4 k`, `1.2 G`; below a thousand, as it is."""
    for power, prefix in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if abs(number) >= 10**power:
            return f"{number / 10**power:.3g} {prefix}"
    return f"{number:.3g}"


def with_spread(mean: float, sd: float) -> tuple[str, str]:
    """A mean and its standard deviation in any unit, with two significant digits of the latter.

    `41,250` and `830`, `0.0123` and `0.0021`; an exponent where either is far from 1. `sd` is above 0.
    """
    decimals = decimals_for(sd)
    if decimals > 8 or max(abs(mean), sd) >= 1e12:
        return f"{mean:.4g}", f"{sd:.2g}"
    shown = [f"{round(value, decimals) + 0.0:,.{max(0, decimals)}f}" for value in (mean, sd)]
    return shown[0], shown[1]


def decimals_for(spread: float) -> int:
    """Decimals that show two significant digits of a spread above 0; negative where they lie left of the point."""
    return 1 - math.floor(math.log10(spread))


def size(n_bytes: float) -> str:
    """Bytes with a binary prefix: `3.1 MiB`."""
    for power, prefix in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if n_bytes >= 1024**power:
            return f"{n_bytes / 1024**power:.3g} {prefix}"
    return f"{n_bytes:.0f} B"
