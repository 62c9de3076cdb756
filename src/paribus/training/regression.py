"""Regression in the units of the targets: predictions, and the errors that they leave.

Networks learn scaled targets, (target - centre) * factor, and the loss is one of scaled targets. Everything here is in
original units. With predictions p and targets t of n examples, and for each output by itself:

    RMSE = sqrt(mean of (p - t)**2)     MAE = mean of |p - t|
    R2 = 1 - (sum of (p - t)**2) / (sum of (t - mean of t)**2), undefined (NaN) where all targets are equal

Of several outputs, the mean over outputs is taken, as scikit-learn does by default; each output has its own figures
beside it. All sums are float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Numbers, Scaling
from paribus.training.engine import Doubles, Floats

_METRICS: Final = ("rmse", "mae", "r2")


def rmse_in_units(squared_error: Doubles, scalings: Sequence[Scaling]) -> Doubles:
    """The RMSE (run, output) in original units, from mean squared errors (run, output) of targets scaled as `scalings`
    (run,)."""
    rmse = np.sqrt(squared_error)
    for run, scaling in enumerate(scalings):
        if scaling.factor is not None:
            rmse[run] /= scaling.factor.astype(np.float64)
    return rmse


def predictions(outputs: Floats, scaling: Scaling) -> Numbers:
    """A network's outputs (example, output) in original units: computed in float64 and rounded once, to float32."""
    found = outputs.astype(np.float64)
    if scaling.factor is not None:
        found /= scaling.factor.astype(np.float64)
    if scaling.centre is not None:
        found += scaling.centre.astype(np.float64)
    with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, and its errors with it
        return found.astype(np.float32)


def regression_names(targets: Sequence[str]) -> tuple[str, ...]:
    """The metrics that `regression_scores` gives of these targets."""
    of_each = targets if len(targets) > 1 else ()
    return tuple(name for metric in _METRICS for name in (metric, *(f"{metric}:{own}" for own in of_each)))


def regression_scores(predicted: npt.NDArray[np.floating], numbers: Numbers, names: Sequence[str]) -> dict[str, float]:
    """`rmse`, `mae` and `r2` of predictions (example, output); of several outputs also those of each, as `rmse:name`.

    `names` are those of the outputs.
    """
    found: dict[str, float] = {}
    with np.errstate(over="ignore", invalid="ignore"):  # a network's outputs may be infinite
        for name, of_output in _by_output(predicted.astype(np.float64), numbers.astype(np.float64)).items():
            found[name] = float(of_output.mean())
            if len(names) > 1:
                found |= {f"{name}:{own}": float(value) for own, value in zip(names, of_output, strict=True)}
    return found


def _by_output(predicted: Doubles, numbers: Doubles) -> dict[str, Doubles]:
    """Each figure (output,)."""
    errors = predicted - numbers
    squares, spread = np.square(errors), np.square(numbers - numbers.mean(axis=0)).sum(axis=0)
    spread[np.ptp(numbers, axis=0) == 0] = np.nan
    values = np.sqrt(squares.mean(axis=0)), np.abs(errors).mean(axis=0), 1 - squares.sum(axis=0) / spread
    return dict(zip(_METRICS, values, strict=True))
