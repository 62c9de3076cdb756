"""What is checked of a user's own loss before training: it gives each example's loss, and by that example alone."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor

from paribus.errors import nearest
from paribus.spec.losses import FunctionLoss, LossBase
from paribus.training.torch.module_training import Criterion
from paribus.training.torch.user_code import LocalFolders, UserCodeError, telling

_CLOSE: Final = 1e-4
"""By so much, relative to the largest loss, may an example's loss differ with the examples beside it: by rounding."""


def own_loss(loss: LossBase, found: Any, file: Path, local: LocalFolders) -> Criterion | None:
    """The function that `loss` names in the Python module `found` of `file`, with its arguments; None for other losses.

    Raises UserCodeError where there is no such function, or where its arguments are others.
    """
    if not isinstance(loss, FunctionLoss):
        return None
    name = loss.name
    if not hasattr(found, name):
        known = [key for key, value in vars(found).items() if inspect.isfunction(value)]
        raise UserCodeError(f"{file.name} must have the loss that the study names", name, nearest(name, known))
    function: Any = getattr(found, name)
    if not callable(function) or isinstance(function, type):
        given = "a class" if isinstance(function, type) else type(function).__name__
        raise UserCodeError(f"the loss {name} must be a function", given, f"write def {name}(outputs, targets)")
    try:
        inspect.signature(function).bind(None, None, **loss.arguments)
    except (TypeError, ValueError) as error:
        rule = f"the loss {name} must take outputs, targets and loss.arguments by name"
        raise UserCodeError(rule, str(error), "change its parameters, or loss.arguments") from None

    def called(outputs: Tensor, targets: Tensor) -> Tensor:
        with telling(local, f"the loss {name} must be computed without an error"):
            return cast("Tensor", function(outputs, targets, **loss.arguments))

    return called


def refuse_unsuitable_losses(own: Criterion, outputs: Tensor, targets: Tensor) -> None:
    """Raises UserCodeError where an own loss gives anything but one finite float32 loss for each example, each of which
    depends on its example alone."""
    found: Any = own(outputs, targets)
    wanted = f"one loss for each example, a tensor of shape ({len(outputs)},)"
    if not isinstance(found, Tensor) or tuple(found.shape) != (len(outputs),):
        given = f"one of shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
        remedy = "take no mean or sum over the batch (reduction='none'): paribus takes the mean"
        raise UserCodeError(f"the own loss must give {wanted}", given, remedy)
    if found.dtype != torch.float32:
        kind = str(found.dtype).removeprefix("torch.")
        raise UserCodeError("the own loss must be of float32", kind, "compute it from the outputs as they are")
    if not found.requires_grad:
        remedy = "take out detach(), argmax and the like"
        raise UserCodeError("the own loss must have a gradient", "a constant", remedy)
    part = max(1, len(outputs) // 2)
    alone = own(outputs[:part], targets[:part])
    if part < len(outputs) and not torch.allclose(alone, found[:part], rtol=_CLOSE, atol=_CLOSE * _largest(found)):
        rule = "the own loss of an example must not depend on the other examples of its batch"
        remedy = "compute it example by example: a loss of whole batches has no value on a split"
        raise UserCodeError(rule, "another loss among fewer examples", remedy)


def _largest(found: Tensor) -> float:
    return float(found.detach().abs().max().nan_to_num(0.0, 0.0, 0.0))
