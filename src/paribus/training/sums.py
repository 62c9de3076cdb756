"""Sums that are rounded once."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def exact_sums(parts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sums over the first axis of (part, run), each rounded once, so that no order of adding can show."""
    return np.array([math.fsum(column) for column in parts.T.tolist()])
