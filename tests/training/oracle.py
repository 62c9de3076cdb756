"""The oracle of every engine: the loop that everybody writes, with `torch.nn`, its losses, autograd and `torch.optim`.

It trains one run at a time and knows no engine. Inputs are as the network sees them, scaled already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from paribus.spec import activations, losses, optimizers
from paribus.spec.recipe import Clip
from paribus.training.engine import Architecture, RunSettings

Array = npt.NDArray[Any]
State = Mapping[str, Array]
Masks = Callable[[int, int, int, int], Array]
"""The factors (row, unit) of hidden layer `layer` in batch `batch` of epoch `epoch`, called as
(epoch, batch, layer, rows): 0 for units that are dropped, 1 / (1 - share) for the others."""


@dataclass(frozen=True)
class PlainRun:
    """A trained network: its parameters and optimizer buffers by name, and by epoch the loss (batch,) of each step."""

    state: dict[str, Array]
    losses: list[Array]


@torch.enable_grad()
def plain_loop(
    architecture: Architecture,
    settings: RunSettings,
    inputs: Array,
    targets: Array | None,
    orders: Sequence[Array],
    learning_rates: Array,
    state: State,
    batch_size: int,
    *,
    weights: Array | None = None,
    momenta: Array | None = None,
    masks: Masks | None = None,
    corrupted: Sequence[Array] | None = None,
    dtype: torch.dtype = torch.float32,
) -> PlainRun:
    """Train one run for as many epochs as there are `orders`.

    `inputs` (example, feature), `targets` (example,) or (example, output) and `weights` (example,) are by row, and
    `orders` (epoch, example) choose rows; without targets, the target is the input. `learning_rates` and `momenta` are
    (epoch, batch). `state` has the initial parameters. `corrupted` has what the network sees in each epoch in place of
    the inputs, (example, feature) in the epoch's order.
    """
    net = Network(architecture, state, dtype)
    optimizer = _optimizer(settings.optimizer, net.parameters())
    features, examples = torch.tensor(inputs).to(dtype), None if weights is None else torch.tensor(weights).to(dtype)
    goals = None if targets is None else torch.tensor(targets)
    found: list[list[float]] = []
    for epoch, order in enumerate(orders):
        found.append([])
        for batch, rows in enumerate(torch.tensor(order).split(batch_size)):
            seen = features[rows]
            if corrupted is not None:
                seen = torch.tensor(corrupted[epoch][batch * batch_size :][: len(rows)]).to(dtype)
            momentum = None if momenta is None else float(momenta[epoch, batch])
            _set_rates(optimizer, float(learning_rates[epoch, batch]), momentum)
            factors = None
            if masks is not None:
                factors = [torch.tensor(masks(epoch, batch, i, len(rows))).to(dtype) for i in range(net.hidden)]
            outputs = net(seen, factors)
            goal = features[rows] if goals is None else goals[rows]
            loss = mean_loss(settings.loss, outputs, goal, None if examples is None else examples[rows])
            optimizer.zero_grad()
            loss.backward()
            _clip(settings.clip, net)
            optimizer.step()
            found[-1].append(loss.item())
    state = {**_parameters(net), **_buffers(net, optimizer), **net.statistics()}
    return PlainRun(state, [np.array(own) for own in found])


def plain_outputs(
    architecture: Architecture, state: State, inputs: Array, dtype: torch.dtype = torch.float32
) -> tuple[Array, list[Array]]:
    """Outputs (example, output), and the activations (example, unit) of each hidden layer, without dropout."""
    with torch.no_grad():
        net = Network(architecture, state, dtype).eval()
        outputs = net(torch.tensor(inputs).to(dtype))
    return outputs.numpy(), [values.numpy() for values in net.activations]


def plain_evaluation(
    architecture: Architecture, state: State, inputs: Array, targets: Array | None, loss: losses.LossBase
) -> tuple[float, int | None]:
    """The mean loss, without label smoothing, and how many examples are put into their class."""
    if isinstance(loss, losses.CrossEntropy):
        loss = loss.model_copy(update={"label_smoothing": 0.0})
    if isinstance(loss, losses.SoftBootstrapping | losses.HardBootstrapping | losses.EarlyLearningRegularisation):
        loss = losses.CrossEntropy()
    outputs = torch.tensor(plain_outputs(architecture, state, inputs, torch.float64)[0])
    goals = torch.tensor(inputs if targets is None else targets)
    mean = mean_loss(loss, outputs, goals, None).item()
    if not loss.has_classes:
        return mean, None
    classes = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(1)
    return mean, int((classes == goals).sum())


class Network(nn.Module):
    """`nn.Linear` layers with the activations of `torch.nn` between them, and `nn.BatchNorm1d` before these."""

    def __init__(self, architecture: Architecture, state: State, dtype: torch.dtype) -> None:
        super().__init__()
        widths = architecture.widths
        self.hidden = len(widths) - 2
        self.layers = nn.ModuleList()
        self.functions = nn.ModuleList(_activation(of) for of in architecture.activations)
        self.activations: list[Tensor] = []
        for i in range(1, len(widths)):
            tied = architecture.tied and i > len(widths) // 2
            linear = Transposed(self.layers[len(widths) - 1 - i]) if tied else None
            linear = linear or nn.Linear(widths[i - 1], widths[i], dtype=dtype)
            linear.load_state_dict({
                name: torch.tensor(state[f"fc{i}.{name}"]).to(dtype) for name in linear.state_dict()
            })  # fmt: skip
            self.layers.append(linear)
        self.norms = nn.ModuleList()
        for i, width in enumerate(widths[1:-1] if architecture.batch_norm else (), start=1):
            self.norms.append(nn.BatchNorm1d(width, dtype=dtype))
            self.norms[-1].load_state_dict({
                name: torch.tensor(state[f"bn{i}.{name}"]) for name in self.norms[-1].state_dict()
            })  # fmt: skip

    def forward(self, values: Tensor, factors: Sequence[Tensor] | None = None) -> Tensor:
        self.activations = []
        for i, function in enumerate(self.functions):
            values = self.layers[i](values)
            values = function(self.norms[i](values) if self.norms else values)
            self.activations.append(values)
            if factors is not None:
                values = values * factors[i]
        return self.layers[-1](values)

    def named(self) -> dict[str, nn.Parameter]:
        """The parameters as paribus names them."""
        return {
            f"{kind}{i}.{name}": parameter
            for kind, layers in (("fc", self.layers), ("bn", self.norms))
            for i, layer in enumerate(layers, start=1)
            for name, parameter in layer.named_parameters()
        }

    def statistics(self) -> dict[str, Array]:
        """The running statistics of batch normalisation."""
        return {
            f"bn{i}.{name}": b.numpy() for i, norm in enumerate(self.norms, start=1) for name, b in norm.named_buffers()
        }


class Transposed(nn.Module):
    """A layer with the transposed weight of another, which trains in both, and a bias of its own."""

    def __init__(self, of: nn.Linear) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(of.in_features, dtype=of.weight.dtype))
        self._of = [of]  # in a list, so that its parameters do not count as this layer's

    def forward(self, values: Tensor) -> Tensor:
        return functional.linear(values, self._of[0].weight.t(), self.bias)


def _activation(of: activations.ActivationBase) -> nn.Module:
    match of:
        case activations.Relu():
            return nn.ReLU()
        case activations.LeakyRelu():
            return nn.LeakyReLU(of.slope)
        case activations.Elu():
            return nn.ELU(of.alpha)
        case activations.Tanh():
            return nn.Tanh()
        case activations.Sigmoid():
            return nn.Sigmoid()
        case activations.Gelu():
            return nn.GELU()
        case activations.Silu():
            return nn.SiLU()
        case activations.Identity():
            return nn.Identity()
    raise AssertionError(of)


def mean_loss(of: losses.LossBase, outputs: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """PyTorch's loss; with `weights` (example,), the weighted mean over the examples."""
    reduction = "mean" if weights is None else "none"
    divisor = weights
    match of:
        case losses.CrossEntropy():
            classes = None if of.class_weights is None else torch.tensor(of.class_weights, dtype=outputs.dtype)
            loss = functional.cross_entropy(
                outputs, targets, classes, label_smoothing=of.label_smoothing, reduction=reduction
            )
            if weights is not None and classes is not None:
                divisor = weights * classes[targets]
        case losses.BinaryCrossEntropy():
            loss = functional.binary_cross_entropy_with_logits(
                outputs[:, 0], targets.to(outputs.dtype), reduction=reduction
            )
        case (
            losses.GeneralisedCrossEntropy()
            | losses.SymmetricCrossEntropy()
            | losses.SoftBootstrapping()
            | losses.HardBootstrapping()
            | losses.ForwardCorrection()
        ):
            loss = _robust_losses(of, outputs, targets)
            loss = loss if weights is not None else loss.mean()
        case losses.MeanSquaredError():
            loss = functional.mse_loss(outputs, targets.to(outputs.dtype), reduction=reduction)
        case losses.MeanAbsoluteError():
            loss = functional.l1_loss(outputs, targets.to(outputs.dtype), reduction=reduction)
        case losses.Huber():
            loss = functional.huber_loss(outputs, targets.to(outputs.dtype), delta=of.delta, reduction=reduction)
        case _:
            raise AssertionError(of)
    if weights is None or divisor is None:
        return loss
    by_example = loss if loss.ndim == 1 else loss.mean(1)
    return (weights * by_example).sum() / divisor.sum()


def _robust_losses(of: losses.LossBase, outputs: Tensor, targets: Tensor) -> Tensor:
    """The loss (example,) of each example, as the papers write it: sums over classes of labels as vectors."""
    p, classes = functional.softmax(outputs, 1), outputs.shape[1]
    log_p, label = functional.log_softmax(outputs, 1), functional.one_hot(targets, classes).to(outputs.dtype)
    match of:
        case losses.GeneralisedCrossEntropy():
            return (1 - (p * label).sum(1) ** of.q) / of.q
        case losses.SymmetricCrossEntropy():
            log_label = torch.where(label > 0, 0.0, of.log_zero)
            return -of.alpha * (label * log_p).sum(1) - of.beta * (p * log_label).sum(1)
        case losses.SoftBootstrapping():
            return -((of.beta * label + (1 - of.beta) * p) * log_p).sum(1)
        case losses.HardBootstrapping():
            predicted = functional.one_hot(p.argmax(1), classes)
            return -((of.beta * label + (1 - of.beta) * predicted) * log_p).sum(1)
        case losses.ForwardCorrection():
            return -((p @ torch.tensor(of.matrix, dtype=outputs.dtype)) * label).sum(1).log()
    raise AssertionError(of)


def _optimizer(of: optimizers.OptimizerBase, parameters: Any) -> torch.optim.Optimizer:
    common = {"lr": of.lr, "weight_decay": of.weight_decay}
    match of:
        case optimizers.Sgd():
            return torch.optim.SGD(parameters, momentum=of.momentum, nesterov=of.nesterov, **common)
        case optimizers.Adam():
            return torch.optim.Adam(parameters, betas=of.betas, eps=of.eps, **common)
        case optimizers.AdamW():
            return torch.optim.AdamW(parameters, betas=of.betas, eps=of.eps, **common)
        case optimizers.RmsProp():
            return torch.optim.RMSprop(
                parameters, alpha=of.alpha, eps=of.eps, momentum=of.momentum, centered=of.centered, **common
            )
    raise AssertionError(of)


def _set_rates(optimizer: torch.optim.Optimizer, rate: float, momentum: float | None) -> None:
    """As PyTorch's schedulers do: `OneCycleLR` cycles `momentum`, or the first of `betas`."""
    for group in optimizer.param_groups:
        group["lr"] = rate
        if momentum is not None and "betas" in group:
            group["betas"] = (momentum, group["betas"][1])
        elif momentum is not None:
            group["momentum"] = momentum


def _clip(of: Clip | None, net: nn.Module) -> None:
    if of is None:
        return
    if of.norm is not None:
        nn.utils.clip_grad_norm_(net.parameters(), of.norm)
    elif of.value is not None:
        nn.utils.clip_grad_value_(net.parameters(), of.value)


def _parameters(net: Network) -> dict[str, Array]:
    return {name: parameter.detach().numpy() for name, parameter in net.named().items()}


def _buffers(net: Network, optimizer: torch.optim.Optimizer) -> dict[str, Array]:
    """The optimizer's buffers as `buffer/parameter`: those that PyTorch keeps, which are fewer without momentum."""
    return {
        f"{buffer}/{name}": value.numpy()
        for name, parameter in net.named().items()
        for buffer, value in optimizer.state[parameter].items()
        if isinstance(value, Tensor) and value.shape == parameter.shape
    }


_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def splitmix64(state: int) -> tuple[int, int]:
    """The next state and the next output of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
    generators, OOPSLA 2014), in integers of any size."""
    state = (state + _GOLDEN) % 2**64
    z = state
    z = ((z ^ (z >> 30)) * _FIRST) % 2**64
    z = ((z ^ (z >> 27)) * _SECOND) % 2**64
    return state, z ^ (z >> 31)


def dropout_numbers(key: int, place: int, count: int) -> Array:
    """`uniform(key, place, 0 .. count - 1)` of the engine contract: float32 in [0, 1).

    Output number `place` (from 0) of the generator that starts at `key` is the place's own start; number `i` is made of
    the upper 24 bits of the output at that start plus `i` times the golden ratio.
    """
    _, start = splitmix64((key + place * _GOLDEN) % 2**64)
    outputs = (splitmix64((start + (i - 1) * _GOLDEN) % 2**64)[1] for i in range(count))
    return np.array([(output >> 40) * 2.0**-24 for output in outputs], dtype=np.float32)


def dropout_masks(keys: Sequence[int], widths: Sequence[int], share: float) -> Masks:
    """What dropout multiplies hidden layers by, from one key for each epoch."""
    layers = len(widths) - 1

    def factors(epoch: int, batch: int, layer: int, rows: int) -> Array:
        padded = -(-widths[layer + 1] // 16) * 16
        numbers = dropout_numbers(keys[epoch], batch * layers + layer, rows * padded).reshape(rows, padded)
        return np.where(numbers[:, : widths[layer + 1]] < np.float32(share), 0.0, 1.0 / (1.0 - share))

    return factors
