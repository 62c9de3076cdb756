"""What was measured of a run: numbers, and named arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from paribus.store.records import Measurement

Arrays = Mapping[str, npt.NDArray[Any]]
MAX_SHOWN: Final = 16
"""Examples of a run that are kept as images."""


@final
@dataclass
class Measurements:
    """Numbers, and named arrays as (rule, name, arrays), in the order in which they were measured."""

    numbers: list[Measurement] = field(default_factory=list[Measurement])
    artifacts: list[tuple[str, str, Arrays]] = field(default_factory=list[tuple[str, str, Arrays]])

    def number(self, rule: str, **values: float) -> None:
        self.numbers += [Measurement(rule, name, float(value)) for name, value in values.items()]

    def arrays(self, rule: str, name: str, **arrays: npt.NDArray[Any]) -> None:
        self.artifacts.append((rule, name, arrays))


def all_of(parts: Iterable[Measurements]) -> Measurements:
    """Several measurements as one, in their order; arrays of equal rule and name once."""
    found = Measurements()
    seen: set[tuple[str, str]] = set()
    for part in parts:
        found.numbers += part.numbers
        for rule, name, arrays in part.artifacts:
            if (rule, name) not in seen:
                seen.add((rule, name))
                found.artifacts.append((rule, name, arrays))
    return found


def shown_positions(examples: int, at_most: int = MAX_SHOWN) -> npt.NDArray[np.int64]:
    """The positions of the examples that are kept as images: `at_most` of them, spread evenly over `examples`."""
    count = min(at_most, examples)
    return (np.arange(count) * examples // count).astype(np.int64)
