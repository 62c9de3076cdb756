"""What the authors of an own module, loss or activation check it with, in tests of their own (`paribus.testing`).

Each check raises AssertionError, in one line that says what is wrong and what to do.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from paribus.spec.losses import Task
from paribus.spec.modules import ModuleSize
from paribus.spec.study import parse
from paribus.training.torch.loss_check import refuse_unsuitable_losses
from paribus.training.torch.module_check import ModuleCheck
from paribus.training.torch.module_size import module_size
from paribus.training.torch.user_code import UserCodeError

_SEED: Final = 2021
_LARGE: Final = 1e4
"""Activations must be finite up to here."""
_LOGIT: Final = 50.0
"""And losses for logits up to here, beyond which float32 has no other probabilities than 0 and 1."""


def check_module(
    cls: type[nn.Module],
    *,
    shape: tuple[int, ...],
    outputs: int,
    task: Task = "classification",
    arguments: Mapping[str, Any] | None = None,
    batch_size: int = 16,
) -> ModuleSize:
    """See `paribus.testing.check_module`."""
    source = inspect.getsourcefile(cls)
    if source is None:
        raise AssertionError(f"{cls.__name__} must be written in a file; save it as one")
    file = Path(source)
    loss = {"classification": "cross-entropy", "regression": "mse", "reconstruction": "mse"}[task]
    text = _STUDY.format(loss=loss, batch=batch_size, task=task)
    recipe = parse(text, place="check_module").arms[0].recipe
    network = recipe.network.model_copy(
        update={"module": f"{file.name}:{cls.__name__}", "arguments": dict(arguments or {})}
    )
    recipe = recipe.model_copy(update={"network": network})
    random = np.random.Generator(np.random.PCG64(_SEED))
    batch: dict[str, Any] = {"inputs": random.standard_normal((batch_size, *shape)).astype(np.float32)}
    wanted: tuple[int, ...] = (outputs,)
    if task == "classification":
        batch["targets"] = np.arange(batch_size, dtype=np.int64) % outputs
    elif task == "regression":
        batch["targets"] = random.standard_normal((batch_size, outputs)).astype(np.float32)
    else:
        wanted = shape
    request = {"init": _SEED, "step": _SEED + 1, "outputs": wanted, "last": max(1, batch_size // 2)}
    check = ModuleCheck(recipe, sys.modules[cls.__module__], file, file.parent, request, batch)
    try:
        check.run()
    except UserCodeError as error:
        raise AssertionError(_line(error)) from None
    return module_size(check.made(), check.inputs, check.loss)


def check_loss(
    loss: Callable[..., Tensor],
    *,
    outputs: int,
    task: Task = "classification",
    arguments: Mapping[str, Any] | None = None,
    examples: int = 12,
) -> None:
    """See `paribus.testing.check_loss`."""
    given = dict(arguments or {})
    generator = torch.Generator().manual_seed(_SEED)
    made = torch.randn(examples, outputs, generator=generator)
    classes = task == "classification"
    targets = torch.arange(examples) % outputs if classes else torch.randn(examples, outputs, generator=generator)

    def own(seen: Tensor, goals: Tensor) -> Tensor:
        return loss(seen, goals, **given)

    try:
        refuse_unsuitable_losses(own, made.requires_grad_(), targets)
    except UserCodeError as error:
        raise AssertionError(_line(error)) from None
    exact = made.detach().double().requires_grad_()
    goals = targets if classes else targets.double()
    _refuse_wrong_gradient(lambda seen: own(seen, goals), exact, "the loss")
    for scale in (0.0, _LOGIT):
        found = own((made.detach() * scale).requires_grad_(), targets)
        if not torch.isfinite(found).all():
            raise AssertionError(f"the loss must be finite for outputs of up to {scale:g}, got {found.tolist()[:4]}")


def check_activation(activation: Callable[[Tensor], Tensor], *, units: int = 64) -> None:
    """See `paribus.testing.check_activation`."""
    generator = torch.Generator().manual_seed(_SEED)
    values = 3 * torch.randn(8, units, generator=generator)
    found: Any = activation(values.clone())
    if not isinstance(found, Tensor) or found.shape != values.shape or found.dtype != values.dtype:
        given = f"{tuple(found.shape)} of {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
        raise AssertionError(f"an activation must keep shape and type, {tuple(values.shape)} of float32, got {given}")
    if not torch.equal(found, activation(values.clone())):
        raise AssertionError("an activation must give the same values twice; dropout is a layer of its own")
    other = values.clone()
    other[:, 0] += 1.0
    if not torch.allclose(activation(other)[:, 1:], found[:, 1:], rtol=1e-5, atol=1e-6):
        raise AssertionError("an activation must treat each unit alone; write a module for what looks at several")
    kept = values.clone()
    activation(kept)
    if not torch.equal(kept, values):
        raise AssertionError("an activation must not change its inputs in place; write it without operators like mul_")
    for value in (-_LARGE, 0.0, _LARGE):
        at = torch.full((1, 1), value, requires_grad=True)
        result = activation(at)
        (slope,) = torch.autograd.grad(result.sum(), at)
        if not (torch.isfinite(result).all() and torch.isfinite(slope).all()):
            raise AssertionError(f"an activation and its derivative must be finite at {value:g}, got {result.item():g}")
    _refuse_wrong_gradient(activation, values[:2].double().requires_grad_(), "the activation")


def _refuse_wrong_gradient(function: Callable[[Tensor], Tensor], at: Tensor, what: str) -> None:
    """Raises AssertionError where autograd's gradient is not that of finite differences."""
    try:
        torch.autograd.gradcheck(function, (at,), eps=1e-6, atol=1e-5, rtol=1e-3)
    except RuntimeError as error:
        line = " ".join(str(error).split())[:160]
        raise AssertionError(f"the gradient of {what} must be that of finite differences: {line}") from None


def _line(error: UserCodeError) -> str:
    given = f", got {error.given}" if error.given else ""
    where = f"{error.where}: " if error.where else ""
    return f"{where}{error.rule}{given}; {error.remedy}"


_STUDY: Final = """
name = "check"
question = "Can it be trained?"
loss = "{loss}"
network = {{ kind = "module", module = "nets.py:Net" }}
optimizer = {{ kind = "sgd", lr = 0.01 }}
training = {{ epochs = 1, batch_size = {batch} }}
data = {{ source = "sklearn:digits", task = "{task}", split = {{ by = "all", validation = 0.25 }} }}
arms = [{{ name = "check" }}]
"""
