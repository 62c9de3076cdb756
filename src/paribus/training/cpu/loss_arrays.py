"""The losses of a session's runs as compiled code takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from paribus.spec.losses import (
    CrossEntropy,
    EarlyLearningRegularisation,
    ForwardCorrection,
    GeneralisedCrossEntropy,
    HardBootstrapping,
    Huber,
    LossBase,
    SoftBootstrapping,
    SymmetricCrossEntropy,
)
from paribus.training.cpu.passes import LOSS_CODES, LossArrays
from paribus.training.engine import Floats

MAX_CLASSES: Final = 1000


def loss_arrays(losses: Sequence[LossBase], *, weighted: bool) -> LossArrays:
    """The losses of all runs, weighted where a run has class weights or examples are `weighted`."""
    kind = losses[0].kind
    if any(loss.kind != kind for loss in losses):
        raise ValueError("the runs of a session have losses of one kind")
    entropies = [loss for loss in losses if isinstance(loss, CrossEntropy)]
    weights = [loss.class_weights for loss in entropies]
    classes = max((len(one) for one in weights if one is not None), default=MAX_CLASSES)
    return LossArrays(
        LOSS_CODES[kind],
        np.array([loss.label_smoothing for loss in entropies] or [0.0]),
        np.array([(1.0,) * classes if one is None else one for one in weights] or [(1.0,)], dtype=np.float32),
        weighted or any(one is not None for one in weights),
        np.array([loss.delta for loss in losses if isinstance(loss, Huber)] or [1.0], dtype=np.float32),
        np.array([_coefficients(loss) for loss in losses]),
        np.stack([_chances(loss) for loss in losses]),
    )


def _coefficients(loss: LossBase) -> tuple[float, float]:
    """What a robust loss is given besides labels, in the order of `cpu/robust_losses.py`."""
    match loss:
        case GeneralisedCrossEntropy():
            return loss.q, 0.0
        case SymmetricCrossEntropy():
            return loss.alpha, -loss.beta * loss.log_zero
        case EarlyLearningRegularisation():
            return loss.strength, loss.momentum
        case SoftBootstrapping() | HardBootstrapping():
            return loss.beta, 0.0
        case CrossEntropy() | ForwardCorrection() | Huber():  # their numbers have arrays of their own
            return 0.0, 0.0
        case _ if set(type(loss).model_fields) == {"kind"}:
            return 0.0, 0.0
        case _:
            raise ValueError(f"the compiled engine has no coefficients for the loss {loss.kind}")


def _chances(loss: LossBase) -> Floats:
    """The logarithms (given class, true class) of a forward correction's matrix; empty of any other loss."""
    if not isinstance(loss, ForwardCorrection) or loss.matrix is None:
        return np.zeros((0, 0), np.float32)
    with np.errstate(divide="ignore"):
        return np.ascontiguousarray(np.log(np.array(loss.matrix)).T.astype(np.float32))
