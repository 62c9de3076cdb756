"""Losses that do not trust every label, as one would write them in PyTorch: for modules of a user's own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from paribus.spec import losses
from paribus.spec.losses import LossBase
from paribus.training.torch.robust_losses import LEAST_SHARE


def robust_losses(loss: LossBase) -> Callable[[Tensor, Tensor], Tensor] | None:
    """The loss (example,) of each example, of logits (example, class) and labels (example,); None for other losses."""
    match loss:
        case losses.GeneralisedCrossEntropy():
            q = loss.q
            return lambda outputs, labels: -(q * _log_p(outputs, labels)).expm1() / q
        case losses.SymmetricCrossEntropy():
            alpha, reverse = loss.alpha, -loss.beta * loss.log_zero

            def symmetric(outputs: Tensor, labels: Tensor) -> Tensor:
                log_p = _log_p(outputs, labels)
                return -alpha * log_p - reverse * log_p.expm1()

            return symmetric
        case losses.SoftBootstrapping():
            beta = loss.beta

            def soft(outputs: Tensor, labels: Tensor) -> Tensor:
                log_p = functional.log_softmax(outputs, 1)
                entropy = -(log_p.exp() * log_p).sum(1)
                return -beta * _log_p(outputs, labels) + (1 - beta) * entropy

            return soft
        case losses.HardBootstrapping():
            beta = loss.beta
            return lambda outputs, labels: (
                -beta * _log_p(outputs, labels) - (1 - beta) * _log_p(outputs, outputs.argmax(1))
            )
        case losses.ForwardCorrection():
            chances = torch.tensor(loss.matrix, dtype=torch.float64).log().float().t()
            return lambda outputs, labels: -(functional.log_softmax(outputs, 1) + chances[labels]).logsumexp(1)
        case _:
            return None


def early_learning(loss: losses.EarlyLearningRegularisation, outputs: Tensor, labels: Tensor, memory: Tensor) -> Tensor:
    """The mean loss of a batch, whose `memory` (example, class) is updated in place before it is used."""
    p = functional.softmax(outputs, 1).clamp(LEAST_SHARE, 1 - LEAST_SHARE)
    fresh = p.detach()
    memory.mul_(loss.momentum).add_((1 - loss.momentum) * fresh / fresh.sum(1, keepdim=True))
    regulariser = (1 - (memory * p).sum(1)).log().mean()
    return functional.cross_entropy(outputs, labels) + loss.strength * regulariser


def _log_p(outputs: Tensor, classes: Tensor) -> Tensor:
    """The logarithm (example,) of the probability of one class of each example."""
    return -functional.cross_entropy(outputs, classes, reduction="none")
