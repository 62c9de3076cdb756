"""A user's modules as the engine contract has networks: states, evaluation and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from paribus.errors import OwnCodeError, Shown, UserError
from paribus.spec.losses import FunctionLoss, LossBase
from paribus.spec.modules import UserModule
from paribus.training.engine import (
    AnyArchitecture,
    Evaluation,
    Floats,
    Forward,
    Inputs,
    Integers,
    ModuleArchitecture,
    Networks,
    State,
    Targets,
)
from paribus.training.torch.generators import seeded
from paribus.training.torch.module_training import Criterion, example_losses
from paribus.training.torch.user_code import LocalFolders, UserCodeError, error_line, place_of, user_code

_EVALUATED_VALUES: Final = 2**19
"""Evaluation takes as many examples at a time as have about this many input values, in powers of two."""
_EVALUATED_EXAMPLES: Final = 256
"""And at most this many, a divisor of the number of examples that callers ask for at a time: a convolution's bits may
depend on the batch, so that the same examples are together whoever asks."""
_KEY: Final = 0
"""Seeds the random generators in evaluation, for modules that draw from them there, too."""


def made(architecture: AnyArchitecture, key: int) -> nn.Module:
    """A module with the initial weights that it makes from random generators seeded with `key`.

    Raises UserError where the user's file has changed, or fails.
    """
    if not isinstance(architecture, ModuleArchitecture):
        if len(architecture.widths) != 2:
            raise ValueError("fully connected layers have engines of their own")
        return _Layer(*architecture.widths)
    with seeded(key):
        try:
            return user_code(architecture.module, architecture.name)(**architecture.arguments)
        except BaseException as error:
            raise_user_error(error, architecture.module)
            raise


def own_loss(architecture: AnyArchitecture, loss: LossBase) -> Criterion | None:
    """The function that a loss of the user's own names; None for every other loss."""
    if not isinstance(loss, FunctionLoss) or not isinstance(architecture, ModuleArchitecture):
        return None
    return partial(user_code(architecture.module, loss.name), **loss.arguments)


def raise_user_error(error: BaseException, module: UserModule) -> None:
    """Raises a UserError in place of an error that comes from a user's code, an OwnCodeError if that code raised it;
    returns for any other."""
    place = Path(module.path).name
    if isinstance(error, UserCodeError):
        raise UserError(error.rule, given=Shown(error.given), place=error.where or place, remedy=error.remedy) from None
    line = place_of(error, LocalFolders(Path(module.path), Path(module.folder)))
    if line:
        rule = f"must run without an error, got {error_line(error)}"
        raise OwnCodeError(rule, given=Shown(""), place=line, remedy="correct it there") from error


def loaded(architecture: AnyArchitecture, state: State) -> nn.Module:
    """A module with the parameters and buffers of a state; the optimizer's are left out."""
    module = made(architecture, _KEY)
    own = {name: torch.from_numpy(np.array(array)) for name, array in state.items() if "/" not in name}
    module.load_state_dict(own)
    return module


def state_of(module: nn.Module) -> dict[str, np.ndarray]:
    """A copy of a module's state dict."""
    return {name: tensor.detach().contiguous().numpy().copy() for name, tensor in module.state_dict().items()}


@final
class ShapedInputs:
    """Examples as a module sees them: float32 (example, *shape)."""

    def __init__(self, inputs: Inputs, architecture: AnyArchitecture) -> None:
        self._inputs = inputs
        self._shape = architecture.shape if isinstance(architecture, ModuleArchitecture) else (-1,)

    def __call__(self, rows: Integers, stream: int) -> Tensor:
        return self._shaped(self._inputs.seen(rows, stream))

    def of(self, values: npt.NDArray[Any]) -> Tensor:
        """An epoch's own inputs (example, feature), of the only stream."""
        return self._shaped(self._inputs.seen_of(values))

    def _shaped(self, values: Floats) -> Tensor:
        return torch.from_numpy(values).reshape(len(values), *self._shape)

    def parts(self, rows: Integers, stream: int) -> Iterator[tuple[slice, Tensor]]:
        """The places in `rows` of some examples at a time, with the examples."""
        features = max(1, self._inputs.values.shape[1])
        fit = max(1, _EVALUATED_VALUES // features)
        size = min(_EVALUATED_EXAMPLES, 2 ** (fit.bit_length() - 1))
        for begin in range(0, len(rows), size):
            part = slice(begin, begin + size)
            yield part, self(rows[part], stream)


@dataclass
class _Sums:
    """Sums over examples: loss times weight, weight, examples put into their class, squared errors (output,); and the
    classes that examples are put into, part by part."""

    loss: float = 0.0
    weight: float = 0.0
    correct: int = 0
    squares: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    predicted: list[Integers] = field(default_factory=list[Integers])


@final
class ModuleNetworks(Networks):
    """Modules of one architecture, evaluated one after the other."""

    def __init__(self, architecture: AnyArchitecture, modules: Sequence[nn.Module]) -> None:
        self._architecture, self._modules = architecture, modules

    @property
    def runs(self) -> int:
        return len(self._modules)

    def state(self, run: int) -> State:
        return state_of(self._modules[run])

    def evaluator(
        self,
        inputs: Inputs,
        rows: Sequence[Integers],
        targets: Sequence[Targets] | None,
        loss: LossBase,
        *,
        predictions: bool = False,
    ) -> Callable[[], Evaluation]:
        if len(rows) not in (1, self.runs):
            raise ValueError(f"{len(rows)} sets of rows for {self.runs} modules")
        shaped = ShapedInputs(inputs, self._architecture)
        losses = example_losses(loss, own_loss(self._architecture, loss))
        classes = targets is not None and targets[0].dtype.kind == "i"
        numbers = targets is not None and not classes

        def of(run: int) -> _Sums:
            """What the examples of a run add up to: outputs are not kept."""
            stream, sums = run if len(rows) > 1 else 0, _Sums()
            for part, seen in shaped.parts(rows[stream], stream):
                outputs = self._modules[run](seen)
                goals = seen if targets is None else torch.from_numpy(np.array(targets[stream][part]))
                found, shares = losses(outputs, goals)
                sums.loss += float(found.double().sum())
                sums.weight += float(shares.double().sum())
                if classes:
                    predicted = (outputs[:, 0] > 0 if outputs.shape[1] == 1 else outputs.argmax(1)).long()
                    sums.correct += int((predicted == goals).sum())
                    sums.predicted.append(predicted.numpy())
                if numbers:
                    sums.squares = sums.squares + (outputs - goals).double().square().sum(0).numpy()
            return sums

        def call() -> Evaluation:
            with self._evaluating():
                found = [of(run) for run in range(self.runs)]
            return Evaluation(
                loss=np.array([sums.loss / sums.weight for sums in found], dtype=np.float64),
                correct=np.array([sums.correct for sums in found], dtype=np.int64) if classes else None,
                squared_error=np.stack([sums.squares / len(rows[0]) for sums in found]) if numbers else None,
                predicted=np.stack([np.concatenate(sums.predicted) for sums in found]) if predictions else None,
            )

        return call

    def forward(self, inputs: Inputs, rows: Integers, *, activations: bool = False) -> Forward:  # noqa: ARG002
        """See `Networks.forward`; no activations, for what layers a module has is its own affair."""
        shaped = ShapedInputs(inputs, self._architecture)
        with self._evaluating():
            outputs = [
                np.concatenate([module(seen).flatten(1).numpy() for _, seen in shaped.parts(rows, 0)])
                for module in self._modules
            ]
        return Forward(np.stack(outputs), ())

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """In evaluation mode, without gradients, with seeded random generators. Raises UserError for an error of a
        user's code."""
        with seeded(_KEY), torch.no_grad():
            for module in self._modules:
                module.eval()
            try:
                yield
            except BaseException as error:
                if isinstance(self._architecture, ModuleArchitecture):
                    raise_user_error(error, self._architecture.module)
                raise


@final
class _Layer(nn.Module):
    """One layer, as fully connected networks have it: for outputs that are given to an engine as inputs."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc1(x)
