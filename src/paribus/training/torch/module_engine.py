"""The engine of a user's own modules: the plain PyTorch loop, one run and one thread at a time.

A run has the bits of the loop that its user would write: the module made after seeding, `torch.nn`'s loss,
`torch.optim`'s optimizer, the same batches and learning rates. At the beginning of each epoch the random generators are
seeded anew, which is what lets a run resume without their states, and be the same alone or among others.

Modules of several runs are not stacked: on one core, LeNet takes 400 ms an epoch run by run, and 640 to 800 ms a run as
`torch.func.vmap` of 4 to 16 runs, which also has other bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from paribus.spec.identity import EngineFamily
from paribus.spec.losses import CrossEntropy, EarlyLearningRegularisation
from paribus.training.engine import (
    AnyArchitecture,
    Doubles,
    Engine,
    Epoch,
    Floats,
    Inputs,
    MixedTargets,
    ModuleArchitecture,
    Networks,
    RunSettings,
    Session,
    State,
)
from paribus.training.torch.generators import seeded
from paribus.training.torch.margins import class_margins
from paribus.training.torch.module_networks import (
    ModuleNetworks,
    ShapedInputs,
    loaded,
    made,
    own_loss,
    raise_user_error,
    state_of,
)
from paribus.training.torch.module_training import clip_gradients, criterion_of, optimizer_of
from paribus.training.torch.robust_criteria import early_learning


def initial_state(architecture: ModuleArchitecture, key: int) -> State:
    """The state dict of a module that is made from random generators seeded with `key`."""
    return state_of(made(architecture, key))


@final
class ModuleEngine(Engine[AnyArchitecture]):
    """Trains one module in a session. It sets PyTorch's number of threads to one in this process."""

    family: ClassVar[EngineFamily] = "module"

    def __init__(self) -> None:
        torch.set_num_threads(1)

    def networks(self, architecture: AnyArchitecture, states: Sequence[State]) -> Networks:
        """See `Engine.networks`. Besides modules it has single layers, which give back outputs to be evaluated."""
        return ModuleNetworks(architecture, [loaded(architecture, state) for state in states])

    def session(
        self,
        architecture: AnyArchitecture,
        inputs: Inputs,
        runs: Sequence[RunSettings],
        streams: Sequence[int],
        states: Sequence[State],
        *,
        batch_size: int,
        steps: int,
        keeps_margins: bool = False,
    ) -> Session:
        """See `Engine.session`. Raises ValueError where there is more than one run."""
        if not isinstance(architecture, ModuleArchitecture) or len(runs) != 1 or list(streams) != [0]:
            raise ValueError("modules train one at a time")
        return ModuleSession(
            architecture,
            inputs,
            runs[0],
            states[0],
            batch_size=batch_size,
            steps=steps,
            keeps_margins=keeps_margins,
        )


@final
class ModuleSession(Session):
    """A module in training."""

    def __init__(
        self,
        architecture: ModuleArchitecture,
        inputs: Inputs,
        run: RunSettings,
        state: State,
        *,
        batch_size: int,
        steps: int,
        keeps_margins: bool,
    ) -> None:
        self._architecture, self._run, self._batch_size = architecture, run, batch_size
        self._keeps_margins, self._margins = keeps_margins, np.zeros((1, 0), np.float32)
        self._module = loaded(architecture, state)
        self._trained = [parameter for parameter in self._module.parameters() if parameter.requires_grad]
        self._optimizer = optimizer_of(run.optimizer, self._trained)
        self._criterion = criterion_of(run.loss, own_loss(architecture, run.loss))
        self._inputs = ShapedInputs(inputs, architecture)
        self._networks = ModuleNetworks(architecture, [self._module])
        if steps:
            self._restore(state)

    @property
    def networks(self) -> Networks:
        return self._networks

    def margins(self) -> Floats:
        if not self._margins.size:
            raise ValueError("no margins have been kept")
        return self._margins

    def state(self, run: int) -> State:
        found = dict(self._networks.state(run))
        for name, parameter in self._module.named_parameters():
            for buffer, value in self._optimizer.state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    found[f"{buffer}/{name}"] = value.detach().contiguous().numpy().copy()
        return found

    def _restore(self, state: State) -> None:
        """Take up the optimizer's buffers, the number of each parameter's steps among them."""
        named = dict(self._module.named_parameters())
        for name, array in state.items():
            buffer, slash, parameter = name.partition("/")
            if slash:
                self._optimizer.state[named[parameter]][buffer] = torch.from_numpy(np.array(array))

    def train_epoch(self, epoch: Epoch) -> Doubles:
        assert epoch.generator_keys is not None
        try:
            with seeded(int(epoch.generator_keys[0])):
                return self._trained_epoch(epoch)
        except BaseException as error:
            raise_user_error(error, self._architecture.module)
            raise

    def _trained_epoch(self, epoch: Epoch) -> Doubles:
        order = epoch.order[0]
        losses = np.empty((-(-len(order) // self._batch_size), 1))
        (group,) = self._optimizer.param_groups
        if self._keeps_margins:
            self._margins = np.zeros((1, len(order)), np.float32)
        self._module.train()
        for batch in range(len(losses)):
            part = slice(batch * self._batch_size, (batch + 1) * self._batch_size)
            group["lr"] = float(epoch.learning_rates[batch, 0])
            if epoch.momenta is not None:
                _set_momentum(group, float(epoch.momenta[batch, 0]))
            inputs = self._inputs(order[part], 0) if epoch.inputs is None else self._inputs.of(epoch.inputs[0, part])
            targets = self._targets(epoch, part, inputs)
            weights = None if epoch.weights is None else torch.from_numpy(np.array(epoch.weights[0, part]))
            self._optimizer.zero_grad()
            outputs = self._module(inputs)
            if self._keeps_margins:
                self._margins[0, part] = class_margins(outputs.detach(), targets).float().numpy()
            if epoch.mixed is not None:
                loss = self._mixed_loss(outputs, targets, epoch.mixed, part)
            elif epoch.memory is not None and isinstance(self._run.loss, EarlyLearningRegularisation):
                loss = early_learning(self._run.loss, outputs, targets, torch.from_numpy(epoch.memory[0, part]))
            else:
                loss = self._loss(outputs, targets, weights)
            loss.backward()
            clip_gradients(self._run.clip, self._trained)
            self._optimizer.step()
            losses[batch] = loss.item()
        return losses

    def _targets(self, epoch: Epoch, part: slice, inputs: Tensor) -> Tensor:
        """What a module learns to give for some examples of the epoch's order; the examples themselves are clean."""
        if epoch.targets is not None:
            return torch.from_numpy(np.array(epoch.targets[0, part]))
        return inputs if epoch.inputs is None else self._inputs(epoch.order[0, part], 0)

    def _mixed_loss(self, outputs: Tensor, targets: Tensor, mixed: MixedTargets, part: slice) -> Tensor:
        """The mean loss of a batch of mixed examples."""
        smoothing = self._run.loss.label_smoothing if isinstance(self._run.loss, CrossEntropy) else 0.0
        others, shares = (torch.from_numpy(np.array(own[0, part])) for own in (mixed.targets, mixed.shares))
        own, other = (
            functional.cross_entropy(outputs, classes, reduction="none", label_smoothing=smoothing)
            for classes in (targets, others)
        )
        return (shares * own + (1 - shares) * other).mean()

    def _loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        """The mean loss of a batch, weighted by example where there are `weights`."""
        if weights is None:
            return self._criterion(outputs, targets)
        loss = self._run.loss
        if not isinstance(loss, CrossEntropy):
            raise ValueError("examples are weighted with cross-entropy only")
        by_class = None if loss.class_weights is None else torch.tensor(loss.class_weights)
        each = functional.cross_entropy(
            outputs, targets, weight=by_class, reduction="none", label_smoothing=loss.label_smoothing
        )
        shares = weights if by_class is None else weights * by_class[targets]
        return (weights * each).sum() / shares.sum()


def _set_momentum(group: dict[str, object], momentum: float) -> None:
    """As `OneCycleLR` cycles it: Adam's first beta, or the momentum."""
    betas = group.get("betas")
    if isinstance(betas, tuple):
        group["betas"] = (momentum, *betas[1:])
    else:
        group["momentum"] = momentum
