"""Stacked multi-layer perceptrons: the parameters of many runs along one leading axis, and a pass through them.

The forward and backward passes are written out by hand. What makes them fast is in this file: runs that share their
batches (one *stream*) share one wide matrix product in the first layer, and every buffer and view that a step needs is
made once. What makes them fair is here too: every width and every batch is padded with zeros to whole tiles, because a
product of whole tiles gives each run the bits that it has alone, and one of odd sizes does not. Padding is inert: its
weights start at zero and their gradients are zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

import torch
from torch import Tensor, nn

TILE = 16
"""Floats in a cache line and in a vector register. Slices of whole tiles are aligned alike in any company."""


def tiled(size: int) -> int:
    """`size` rounded up to whole tiles."""
    return -(-size // TILE) * TILE


def initial_state(layers: Sequence[int], generator: torch.Generator) -> dict[str, Tensor]:
    """A fresh state dict (`fc1.weight` (out, in), `fc1.bias` (out,), ...) as `torch.nn.Linear` starts one."""
    state: dict[str, Tensor] = {}
    for i, (width_in, width_out) in enumerate(pairwise(layers), start=1):
        weight, bias = torch.empty(width_out, width_in), torch.empty(width_out)
        nn.init.kaiming_uniform_(weight, a=5**0.5, generator=generator)
        bound = width_in**-0.5
        nn.init.uniform_(bias, -bound, bound, generator=generator)
        state[f"fc{i}.weight"], state[f"fc{i}.bias"] = weight, bias
    return state


def parameter_count(layers: Sequence[int], *, biases: bool = True) -> int:
    """Parameters of one network of these widths."""
    return sum(a * b + (b if biases else 0) for a, b in pairwise(layers))


def operations_per_image(layers: Sequence[int]) -> int:
    """Floating-point operations of one training step for one image: forward, weight gradients, input gradients.

    The first layer's input needs no gradient, so its products count twice and the others' three times.
    """
    return sum((4 if i == 0 else 6) * a * b for i, (a, b) in enumerate(pairwise(layers)))


class StackedNetwork:
    """Parameters and gradients of a cohort: `weights[i]` is (run, out, in), `biases[i]` is (run, out), tiles filled up.

    `columns_last` tells how the output is laid out: (run, row, column), or, for losses over classes,
    (run, column, row), where the classes are not padded; softmax over a short last axis would cost more than the layer.
    """

    def __init__(
        self,
        layers: Sequence[int],
        states: Sequence[Mapping[str, Tensor]],
        device: torch.device,
        *,
        columns_last: bool,
    ) -> None:
        self.layers = tuple(layers)
        self.columns_last = columns_last
        self.widths = (*map(tiled, layers[:-1]), tiled(layers[-1]) if columns_last else layers[-1])
        self.runs = len(states)
        self.device = device
        self.names = tuple(f"fc{i}.{part}" for i in range(1, len(layers)) for part in ("weight", "bias"))
        self.parameters = [self.stacked([state[name] for state in states], name) for name in self.names]
        self.gradients = [torch.zeros_like(p) for p in self.parameters]
        self.weights, self.biases = self.parameters[0::2], self.parameters[1::2]
        self.weight_gradients, self.bias_gradients = self.gradients[0::2], self.gradients[1::2]

    def stacked(self, tensors: Sequence[Tensor], name: str) -> Tensor:
        """One tensor a run, shaped like parameter `name`, as (run, ...) with whole tiles."""
        layer = int(name[2 : name.index(".")])
        shape = (self.widths[layer], self.widths[layer - 1]) if name.endswith("weight") else (self.widths[layer],)
        whole = torch.zeros(len(tensors), *shape)
        for run, tensor in enumerate(tensors):
            whole[(run, *map(slice, tensor.shape))] = tensor
        return whole.to(self.device)

    def trimmed(self, whole: Tensor, name: str, run: int) -> Tensor:
        """A copy on the CPU of one run's part of `stacked`, padding left out."""
        layer = int(name[2 : name.index(".")])
        sizes = (self.layers[layer], self.layers[layer - 1]) if name.endswith("weight") else (self.layers[layer],)
        return whole[(run, *map(slice, sizes))].to("cpu", copy=True).contiguous()

    def state(self, run: int) -> dict[str, Tensor]:
        """A copy of one run's parameters as a state dict on the CPU."""
        return {name: self.trimmed(p, name, run) for name, p in zip(self.names, self.parameters, strict=True)}


class Pass:
    """One batch size's way through a stacked network: its buffers, and views made once.

    Parameters
    ----------
    streams : for each stream, the slice of the run axis that shares its batches.
    rows : images in a batch.
    backward : whether gradients will be asked for.
    dropout : whether masks multiply the hidden layers.

    Attributes
    ----------
    inputs : (stream, row, pixel), to be filled before `forward`; a view of the live rows and columns.
    labels : (run, 1, row) where the loss needs them, to be set before it is asked.
    output, output_gradient : the last layer's live rows, laid out as the network's `columns_last` says.
    scratch : a buffer of the shape of `output`, for the loss.
    masks : per hidden layer (run, row, unit), to be filled before `forward` where `dropout` is set.
    """

    def __init__(
        self, network: StackedNetwork, streams: Sequence[slice], rows: int, *, backward: bool, dropout: bool = False
    ) -> None:
        runs, widths, device = network.runs, network.widths, network.device
        self.rows, self.streams = rows, tuple(streams)
        self.labels = torch.empty(runs, 1, 0, dtype=torch.int64, device=device)
        self._columns_last = network.columns_last
        padded = tiled(rows)
        inputs = torch.zeros(len(streams), padded, widths[0], device=device)
        self.inputs = inputs[:, :rows, : network.layers[0]]
        self.hidden = [torch.zeros(runs, padded, width, device=device) for width in widths[1:-1]]
        shape = (runs, padded, widths[-1]) if network.columns_last else (runs, widths[-1], padded)
        self._output = torch.zeros(shape, device=device)
        self.output, self.scratch = self._live(self._output), self._live(torch.zeros_like(self._output))
        self.masks = [torch.zeros_like(h) for h in self.hidden] if dropout else []
        self._first = [
            _FirstLayer(
                network, inputs[part], self.hidden[0], slice(streams[part.start].start, streams[part.stop - 1].stop)
            )
            for part in _alike(streams)
        ]
        self._transposed = [w.transpose(1, 2) for w in network.weights]
        self._weights = network.weights
        self._row_biases = [b.unsqueeze(1) for b in network.biases]
        self._output_bias = network.biases[-1].unsqueeze(1 if network.columns_last else 2)
        self._hidden_transposed = [h.transpose(1, 2) for h in self.hidden]
        if backward:
            self._prepare_backward(network)

    def correct(self) -> Tensor:
        """Images that each run puts into their class (run,), from `output` as `forward` left it."""
        return (self.output.max(1).indices == self.labels[:, 0]).sum(1)

    def _live(self, output: Tensor) -> Tensor:
        return output[:, : self.rows] if self._columns_last else output[:, :, : self.rows]

    def _prepare_backward(self, network: StackedNetwork) -> None:
        whole = torch.zeros_like(self._output)
        self.output_gradient = self._live(whole)
        by_row = whole if network.columns_last else whole.transpose(1, 2)
        gradients = [torch.empty_like(h) for h in self.hidden]
        self._gradients = [*gradients, by_row]
        self._gradients_transposed = [g.transpose(1, 2) for g in self._gradients]
        self._weight_gradients, self._bias_gradients = network.weight_gradients, network.bias_gradients
        for first in self._first:
            first.prepare_backward(network, gradients[0])

    def forward(self) -> None:
        """From `inputs` to `output`. ReLU (and the masks, where there are any) after every layer but the last."""
        for first in self._first:
            first.forward()
        for i in range(len(self.hidden)):
            if i:
                torch.bmm(self.hidden[i - 1], self._transposed[i], out=self.hidden[i])
                self.hidden[i].add_(self._row_biases[i])
            self.hidden[i].clamp_min_(0.0)
            if self.masks:
                self.hidden[i].mul_(self.masks[i])
        if self._columns_last:
            torch.bmm(self.hidden[-1], self._transposed[-1], out=self._output)
        else:
            torch.bmm(self._weights[-1], self._hidden_transposed[-1], out=self._output)
        self._output.add_(self._output_bias)

    def backward(self) -> None:
        """From `output_gradient` to every parameter's gradient. A unit at or below zero passes nothing on."""
        for i in range(len(self._weights) - 1, 0, -1):
            below = self.hidden[i - 1]
            torch.bmm(self._gradients_transposed[i], below, out=self._weight_gradients[i])
            torch.sum(self._gradients[i], 1, out=self._bias_gradients[i])
            torch.bmm(self._gradients[i], self._weights[i], out=self._gradients[i - 1])
            if self.masks:
                self._gradients[i - 1].mul_(self.masks[i - 1])
            if i > 1:
                _through_relu(self._gradients[i - 1], below, out=self._gradients[i - 1])
        for first in self._first:
            first.backward()


class _FirstLayer:
    """The first layer of streams with equally many runs: one wide product a stream, all streams in one call."""

    def __init__(self, network: StackedNetwork, inputs: Tensor, hidden: Tensor, runs: slice) -> None:
        streams, rows, _ = inputs.shape
        width, count = network.widths[1], (runs.stop - runs.start) // streams
        self._runs, self._by_stream = runs, (streams, count, rows, width)
        self._inputs = inputs
        self._hidden = hidden[runs].view(self._by_stream)
        self._bias = network.biases[0][runs].view(streams, count, 1, width)
        self._wide = torch.empty(streams, rows, count * width, device=inputs.device)
        self._by_run = self._wide.view(streams, rows, count, width).transpose(1, 2)
        self._weights_transposed = network.weights[0][runs].view(streams, count * width, -1).transpose(1, 2)

    def prepare_backward(self, network: StackedNetwork, hidden_gradient: Tensor) -> None:
        streams, rows, columns = self._wide.shape
        self._gradient = hidden_gradient[self._runs].view(self._by_stream)
        self._weight_gradient = network.weight_gradients[0][self._runs].view(streams, columns, -1)
        self._bias_gradient = network.bias_gradients[0][self._runs].view(streams, 1, columns)
        self._wide_transposed = self._wide.transpose(1, 2)
        self._ones = torch.ones(streams, 1, rows, device=self._wide.device)

    def forward(self) -> None:
        torch.bmm(self._inputs, self._weights_transposed, out=self._wide)
        torch.add(self._by_run, self._bias, out=self._hidden)

    def backward(self) -> None:
        # the forward product is used up, so its buffer takes the gradient in wide layout
        _through_relu(self._gradient, self._hidden, out=self._by_run)
        torch.bmm(self._wide_transposed, self._inputs, out=self._weight_gradient)
        # a product, because a sum over rows takes its bits from the width of the whole company
        torch.bmm(self._ones, self._wide, out=self._bias_gradient)


def _alike(streams: Sequence[slice]) -> list[slice]:
    """Stretches of neighbouring streams with equally many runs."""
    stretches: list[slice] = []
    for _, same in groupby(range(len(streams)), key=lambda s: streams[s].stop - streams[s].start):
        start = stretches[-1].stop if stretches else 0
        stretches.append(slice(start, start + len(list(same))))
    return stretches


def _through_relu(gradient: Tensor, activation: Tensor, *, out: Tensor) -> None:
    torch.ops.aten.threshold_backward.grad_input(gradient, activation, 0.0, grad_input=out)
