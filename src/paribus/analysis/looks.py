"""Declared looks: at which level a study is judged at each of the numbers of replicates that it names beforehand.

Looking again after every further replicate, until a claim is decided, supports false claims far more often than once
in forty. Declared looks share that error out: by look k, at a share t of the last look's replicates, at most

    spent(t) = alpha ln(1 + (e - 1) t)

of it is spent (Lan and DeMets 1983; this function resembles Pocock's boundaries, so that every look can decide). The
level of look k solves P(no earlier look rejects, look k does) = spent(t_k) - spent(t_{k-1}) for a random walk of normal
increments, whose values at t_j and t_k have the correlation sqrt(t_j / t_k).
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from paribus.analysis.estimates import LEVEL

ALPHA: Final = (1 - LEVEL) / 2
"""The level of a one-sided test of superiority with a single look."""
_STEPS: Final = 2001
_WIDTH: Final = 9.0
_STANDARD: Final = NormalDist()


def spent(share: float, alpha: float = ALPHA) -> float:
    """The error that may be spent when `share` of the replicates are there, 0 to 1."""
    return alpha * math.log1p((math.e - 1) * share)


@lru_cache(maxsize=64)
def look_levels(looks: tuple[int, ...], alpha: float = ALPHA) -> tuple[float, ...]:
    """The one-sided level at each of `looks`, ascending numbers of replicates; with a single look it is `alpha`.

    The density of the walk among those that no look has rejected is carried from look to look by numerical integration
    (Armitage, McPherson and Rowe 1969).
    """
    if len(looks) == 1:
        return (alpha,)
    last = looks[-1]
    walk = np.linspace(-_WIDTH, _WIDTH, _STEPS) * math.sqrt(last)
    step = float(walk[1] - walk[0])
    density = _normal(walk, math.sqrt(looks[0]))
    levels: list[float] = []
    before, at = 0.0, 0
    for look in looks:
        if at:
            density = _moved(walk, step, density, look - at)
        error = spent(look / last, alpha) - before
        tail = np.cumsum(density[::-1])[::-1] * step
        # The boundary lies where the tail above it is the error of this look, between two points of the grid.
        place = int(np.searchsorted(-tail, -error))
        above, below = float(tail[place]), float(tail[place - 1])
        boundary = float(walk[place]) - step / 2 - step * (error - above) / (below - above)
        levels.append(1 - _STANDARD.cdf(boundary / math.sqrt(look)))
        density = np.where(walk < boundary, density, 0.0)
        before, at = spent(look / last, alpha), look
    return tuple(levels)


def _normal(x: npt.NDArray[np.float64], sd: float) -> npt.NDArray[np.float64]:
    return np.exp(-0.5 * np.square(x / sd)) / (sd * math.sqrt(2 * math.pi))


def _moved(
    walk: npt.NDArray[np.float64], step: float, density: npt.NDArray[np.float64], increments: int
) -> npt.NDArray[np.float64]:
    """The density after this many further normal increments of variance 1: its convolution with theirs."""
    kernel = _normal(walk, math.sqrt(increments)) * step
    return np.convolve(density, kernel, mode="same")
