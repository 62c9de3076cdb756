"""Which meters measure a study: the best of the machine, or those that a person names. None gives way silently."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, final

from paribus.energy.combined import AboveIdle, IdlePower, SideBySide, SumMeter
from paribus.energy.gpu import gpu_meter
from paribus.energy.meters import Load, Meter, ModelledMeter, UnknownMeter, watts_per_core
from paribus.energy.outside import TOOLS, outside_meter
from paribus.energy.rapl import POWERCAP, RaplMeter, rapl_counters
from paribus.errors import UserError, nearest

NAMES: Final = ("rapl", "model", "codecarbon", "carbontracker")


@final
class Meters:
    """Makes the meters of a study, for one load after another; idle power is measured once.

    Parameters
    ----------
    names : of `NAMES`. The first one's figure counts, the others stand beside it. Without names: the processor's
        counters, with the model beside them, or the model alone, which then says why.
    gpu : UUID of the GPU that trains, whose own counter is added to the host's figure.
    powercap : where Linux shows the processor's counters.
    """

    def __init__(self, names: Sequence[str] = (), *, gpu: str | None = None, powercap: Path = POWERCAP) -> None:
        for name in names:
            if name not in NAMES:
                raise UserError("must be a meter", given=name, place="--meter", remedy=nearest(name, NAMES))
        if len(set(names)) < len(names):
            raise UserError("must be named once", given=", ".join(names), place="--meter", remedy="drop one of the two")
        self._counters = rapl_counters(powercap)
        if "rapl" in names and not self._counters.found:
            rule = f"needs the processor's counters: {self._counters.missing}"
            raise UserError(rule, given="rapl", place="--meter", remedy="leave it out, or give yourself the right")
        self._names = tuple(names) or (("rapl", "model") if self._counters.found else ("model",))
        self._chosen = bool(names)
        self._watts = watts_per_core()
        self._gpu = gpu
        self._idle = {"rapl": IdlePower(), "gpu": IdlePower()}
        for name in self._names:  # a package that is missing is told before anything is trained
            self._of(name, Load())

    def of(self, load: Load, *, elsewhere: bool = False) -> Meter:
        """The meters for the work that takes `load`; the model where it may be done `elsewhere`, on other machines.

        Raises UserError where a meter of this machine was named for work that is done elsewhere.
        """
        if elsewhere:
            other = next((name for name in self._names if name != "model"), None) if self._chosen else None
            if other is not None:
                rule, remedy = "must be model where workers may be on other machines", "leave it out"
                raise UserError(rule, given=other, place="--meter", remedy=remedy)
            why = "" if self._chosen else "workers may be on other machines"
            return ModelledMeter(self._watts, load=load, why=why)
        host, *others = [self._of(name, load) for name in self._names]
        first = host if self._gpu is None else SumMeter(AboveIdle(gpu_meter(self._gpu), self._idle["gpu"]), host)
        return SideBySide(first, *others) if others else first

    def quick(self, load: Load) -> Meter:
        """The meters for work of a second or so: without other programs' meters, which need longer to start."""
        name = next((name for name in self._names if name not in TOOLS), None)
        host = (
            UnknownMeter("other programs' meters do not measure timing runs") if name is None else self._of(name, load)
        )
        return host if self._gpu is None else SumMeter(AboveIdle(gpu_meter(self._gpu), self._idle["gpu"]), host)

    def _of(self, name: str, load: Load) -> Meter:
        if name == "rapl":
            return AboveIdle(RaplMeter(self._counters.found), self._idle["rapl"])
        if name == "model":
            return ModelledMeter(self._watts, load=load, why="" if self._chosen else self._counters.missing)
        if name in TOOLS:
            return outside_meter(name)
        raise ValueError(f"no meter {name}")
