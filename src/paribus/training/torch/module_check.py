"""What is checked of a module before training: all that can go wrong in a step, told in one line with its place."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from torch import Tensor, nn

from paribus.errors import nearest
from paribus.spec.network import Module
from paribus.spec.recipe import Recipe
from paribus.training.torch.generators import seeded
from paribus.training.torch.loss_check import own_loss, refuse_unsuitable_losses
from paribus.training.torch.module_training import clip_gradients, criterion_of, optimizer_of
from paribus.training.torch.user_code import LocalFolders, UserCodeError, telling

SLOW_S: Final = 1.0
"""If one training step takes this many seconds, it is timed once only."""
_BATCH_OF_ONE: Final = "Expected more than 1 value per channel"
"""How PyTorch begins to say that batch normalisation has no variance to divide by."""


@final
class ModuleCheck:
    """Tries the class of a recipe's network on a batch.

    `request` has the keys `init` and `step` for the random generators, the `outputs` that an example must have (shape)
    and `last`, the number of examples in an epoch's last batch. `batch` has `inputs` (example, ...) in the shape that a
    module sees, and `targets`, absent where those are the inputs.
    """

    def __init__(
        self,
        recipe: Recipe,
        found: Any,
        file: Path,
        folder: Path,
        request: Mapping[str, Any],
        batch: Mapping[str, np.ndarray],
    ) -> None:
        assert isinstance(recipe.network, Module)
        self._network, self._recipe, self._found, self._file = recipe.network, recipe, found, file
        self._local = LocalFolders(file, folder)
        self._init, self._step = int(request["init"]), int(request["step"])
        self._wanted, self._last = tuple(request["outputs"]), int(request["last"])
        self.inputs = torch.from_numpy(batch["inputs"])
        self._targets = torch.from_numpy(batch["targets"]) if "targets" in batch else self.inputs
        self._own_loss = own_loss(recipe.loss, found, self._file, self._local)
        self._criterion = criterion_of(recipe.loss, self._own_loss)
        self._limit = len(self.inputs)

    def run(self) -> None:
        """Raises UserCodeError for the first thing that is wrong."""
        first, second = self.made(), self.made()
        self._refuse_unsuitable(first)
        if not _equal(first.state_dict(), second.state_dict()):
            raise UserCodeError(
                "must make the same initial weights when its random generators are seeded alike",
                f"other values in {_unequal(first.state_dict(), second.state_dict())}",
                "draw from torch, numpy.random or random without a seed of your own",
            )
        before = dict(_kept_elsewhere(first))
        found = self._stepped(first, self._step)
        if not _equal(found, self._stepped(second, self._step)):
            raise UserCodeError(
                "must give the same step twice from the same weights, examples and seeds",
                "two different steps",
                "take out what depends on the time, on global variables or on generators with a seed of their own",
            )
        changed = [name for name, value in _kept_elsewhere(first) if before.get(name, value) != value]
        self._refuse_hidden_state(first, changed)
        self._refuse_other_batches()

    def timed(self) -> tuple[float, float]:
        """Seconds of a training step with a whole batch, and of the evaluation of one example.

        The second step counts, or the first one where it is slow already. Examples are there several times.
        """
        module, size = self.made(), self._recipe.training.batch_size
        repeats = -(-size // len(self.inputs))
        inputs, targets = (torch.cat([part] * repeats)[:size] for part in (self.inputs, self._targets))
        optimizer = optimizer_of(self._recipe.optimizer, [p for p in module.parameters() if p.requires_grad])
        step_s = 0.0
        for _ in range(2):
            if step_s < SLOW_S:
                started = time.perf_counter()
                optimizer.zero_grad()
                self._criterion(module(inputs), targets).backward()
                optimizer.step()
                step_s = time.perf_counter() - started
        module.eval()
        started = time.perf_counter()
        with torch.no_grad():
            module(inputs)
        return step_s, (time.perf_counter() - started) / len(inputs)

    def made(self) -> nn.Module:
        """A module with its initial weights, in training mode."""
        with seeded(self._init):
            module = self._constructed()
        if not isinstance(module, nn.Module):
            rule = f"{self._network.name} must be a torch.nn.Module"
            raise UserCodeError(rule, type(module).__name__, "derive it from nn.Module")
        return module.train()

    def loss(self, outputs: Tensor) -> Tensor:
        """The mean loss of the batch."""
        return self._criterion(outputs, self._targets)

    def _constructed(self) -> Any:
        name, arguments = self._network.name, self._network.arguments
        if not hasattr(self._found, name):
            known = [key for key, value in vars(self._found).items() if _is_own(value, self._found.__name__)]
            raise UserCodeError(f"{self._file.name} must have what the study names", name, nearest(name, known))
        made_by = getattr(self._found, name)
        if not callable(made_by):
            raise UserCodeError(f"{name} must be a class", type(made_by).__name__, "name a class of nn.Module")
        try:
            signature = inspect.signature(made_by)
        except ValueError:
            signature = None  # a class of a compiled library has none
        if signature is not None:
            try:
                signature.bind(**arguments)
            except TypeError as error:
                takes = f"it takes {', '.join(signature.parameters)}" if signature.parameters else "it takes none"
                raise UserCodeError(f"network.arguments must be those of {name}", str(error), takes) from None
        with telling(self._local, f"{name} must be made from its arguments without an error"):
            return made_by(**arguments)

    def _refuse_unsuitable(self, module: nn.Module) -> None:
        if any(nn.parameter.is_lazy(tensor) for tensor in [*module.parameters(), *module.buffers()]):
            raise UserCodeError("must know its sizes when it is made", "a lazy layer", "give the layer its size")
        if not any(parameter.requires_grad for parameter in module.parameters()):
            raise UserCodeError("must have parameters to be trained", "none", "assign layers to self in __init__")
        for name, tensor in module.state_dict().items():
            if "/" in name:
                raise UserCodeError("must have no / in the names of its tensors", name, "name it otherwise")
            if not isinstance(tensor, Tensor) or tensor.is_complex() or tensor.dtype == torch.bfloat16:
                kind = str(tensor.dtype) if isinstance(tensor, Tensor) else type(tensor).__name__
                rule = "must have tensors of real or whole numbers, and no bfloat16, in its state dict"
                raise UserCodeError(rule, f"{name} of {kind}", "use float32")

    def _stepped(self, module: nn.Module, key: int, examples: int | None = None) -> dict[str, Tensor]:
        """Take a training step; outputs, gradients, parameters and buffers after it."""
        inputs, targets = self.inputs[:examples], self._targets[:examples]
        parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        with seeded(key):
            outputs = self._outputs(module, inputs)
            if self._own_loss is not None:
                refuse_unsuitable_losses(self._own_loss, outputs, targets)
            loss = self._criterion(outputs, targets)
            self._refuse_not_finite(outputs, loss)
            if not loss.requires_grad:
                remedy = "take out detach(), torch.no_grad() and the like"
                raise UserCodeError("must give outputs that depend on its parameters", "a constant", remedy)
            with telling(self._local, "must have a backward pass without an error"):
                loss.backward()
        self._refuse_missing_gradients(module)
        gradients = {
            f"gradient of {name}": _copy(p.grad) for name, p in module.named_parameters() if p.grad is not None
        }
        clip_gradients(self._recipe.training.clip, parameters)
        optimizer_of(self._recipe.optimizer, parameters).step()
        state = {name: _copy(tensor) for name, tensor in module.state_dict().items()}
        return {"outputs": _copy(outputs), **gradients, **state}

    def _outputs(self, module: nn.Module, inputs: Tensor) -> Tensor:
        """What a module gives for inputs, which must be one float32 tensor of the right shape."""
        shape = _shape(inputs.shape)
        try:
            with telling(self._local, f"must take inputs of shape {shape} (examples first)"):
                outputs = module(inputs)
        except UserCodeError as error:
            if len(inputs) == 1 and _BATCH_OF_ONE in error.given:
                rule = "has batch normalisation, which cannot train on a single example, and the last batch has one"
                raise UserCodeError(rule, "", "choose another training.batch_size", error.where) from None
            raise
        wanted = (len(inputs), *self._wanted)
        if not isinstance(outputs, Tensor):
            kind = f"a {type(outputs).__name__}"
            raise UserCodeError("must give one tensor", kind, "return the outputs alone", self._forward_line())
        if tuple(outputs.shape) != wanted:
            rule = f"must give outputs of shape {_shape(wanted)} for inputs of shape {shape}"
            raise UserCodeError(rule, _shape(outputs.shape), self._about_width(), self._forward_line())
        if outputs.dtype != torch.float32:
            kind = str(outputs.dtype).removeprefix("torch.")
            raise UserCodeError("must give float32 outputs", kind, "return them as float32", self._forward_line())
        return outputs

    def _about_width(self) -> str:
        match self._recipe.task:
            case "classification":
                return f"give {'one logit' if self._wanted == (1,) else 'one logit for each class'} for each example"
            case "regression":
                return "give one number for each target"
            case "reconstruction":
                return "give as many values as the input has, in its shape"

    def _forward_line(self) -> str:
        """Where `forward` begins."""
        made_by = getattr(self._found, self._network.name)
        forward = getattr(made_by, "forward", made_by)
        try:
            file, (_, line) = inspect.getsourcefile(forward), inspect.getsourcelines(forward)
        except (OSError, TypeError):
            return ""
        return f"{Path(file).name}:{line}" if file and self._local.has(Path(file)) else ""

    def _refuse_not_finite(self, outputs: Tensor, loss: Tensor) -> None:
        if not (torch.isfinite(outputs).all() and torch.isfinite(loss)):
            given = "outputs that are not" if not torch.isfinite(outputs).all() else "a loss that is not"
            remedy = "look for divisions by 0, logarithms and roots, or scale the inputs (data.scale)"
            raise UserCodeError("must give finite numbers in its first step", given, remedy, self._forward_line())

    def _refuse_missing_gradients(self, module: nn.Module) -> None:
        without = [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None]
        if without:
            named = ", ".join(without[:4]) + (f" and {len(without) - 4} more" if len(without) > 4 else "")
            remedy = "use them in forward, or set requires_grad to False"
            raise UserCodeError("must use all of its parameters", f"no gradient for {named}", remedy)
        for name, parameter in module.named_parameters():
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                remedy = "look for roots and norms at 0, whose derivative is infinite"
                raise UserCodeError("must have finite gradients in its first step", f"those of {name}", remedy)

    def _refuse_hidden_state(self, after_one: nn.Module, changed: list[str]) -> None:
        loaded = self.made()
        with telling(self._local, "must load its own state dict without an error"):
            loaded.load_state_dict(after_one.state_dict())
        for module in (after_one, loaded):
            for parameter in module.parameters():
                parameter.grad = None
        again, resumed = self._stepped(after_one, self._step + 1), self._stepped(loaded, self._step + 1)
        if changed or not _equal(again, resumed):
            given = f"{', '.join(changed[:4])} changes in a step" if changed else "another step after loading it"
            remedy = "keep it by register_buffer, else no run could be resumed"
            raise UserCodeError("must keep all that a step changes in its state dict", given, remedy)

    def _refuse_other_batches(self) -> None:
        """The last batch of an epoch, and a single example in evaluation."""
        if self._last < self._limit:
            self._stepped(self.made(), self._step, self._last)
        module = self.made().eval()
        with seeded(self._step), torch.no_grad():
            self._outputs(module, self.inputs[:1])


def _is_own(value: object, module: str) -> bool:
    return isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == module


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone()


def _equal(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and not _unequal(a, b)


def _unequal(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> str:
    """The first tensors that differ in a bit."""
    names = [name for name in a if name not in b or _bytes(a[name]) != _bytes(b[name])]
    return ", ".join(names[:4])


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "()"


def _kept_elsewhere(module: nn.Module) -> Iterator[tuple[str, bytes]]:
    """Numbers and tensors that modules keep in plain attributes, or in buffers that are not persistent."""
    known = set(vars(nn.Module()))
    for prefix, part in module.named_modules():
        values: dict[str, Any] = {name: value for name, value in vars(part).items() if name not in known}
        values |= {name: part._buffers[name] for name in part._non_persistent_buffers_set}
        for name, value in values.items():
            full = f"{prefix}.{name}" if prefix else name
            if isinstance(value, Tensor):
                yield full, _bytes(value)
            elif isinstance(value, np.ndarray):
                yield full, value.tobytes()
            elif isinstance(value, int | float):
                yield full, repr(value).encode()
