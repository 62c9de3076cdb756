"""What a training step is made of besides matrix products, of all runs at once: what `cpu` does of one run on a CPU.

To an accelerator a small operation costs its launch, whatever it does. So there are few of them: parameters step as one
matrix (run, parameter), and what is told of a batch is worked out for a whole epoch at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from paribus.training.cpu.dropout import GOLDEN_GAMMA, MIX_FIRST, MIX_SECOND, UNIFORM_STEP
from paribus.training.engine import DropoutNumbers, Goal, OptimizerNumbers, Pictures
from paribus.training.networks import StackedNetwork


@dataclass(frozen=True)
class Span:
    """The images `rows` of a set: `parts` parts of it from number `part` on, all of one size."""

    part: int
    parts: int
    rows: slice

    def __len__(self) -> int:
        return self.rows.stop - self.rows.start


def spans(images: int, size: int, at_once: int = 1) -> Iterator[Span]:
    """A set of images in parts of `size`, some `at_once`; the last part may be smaller, and comes by itself."""
    whole = images // size
    for part in range(0, whole, at_once):
        parts = min(at_once, whole - part)
        yield Span(part, parts, slice(part * size, (part + parts) * size))
    if images % size:
        yield Span(whole, 1, slice(whole * size, images))


class Picking:
    """Reads images, and fills them up to `width`."""

    def __init__(self, pictures: Pictures, width: int) -> None:
        self._pool, self._centers = pictures.pool, pictures.centers.unsqueeze(1)
        # on the device: by a number there, an accelerator would multiply by the inverse, which is another quotient
        self._divisor = torch.tensor(pictures.divisor, device=self._pool.device)
        self._missing = width - self._pool.shape[1]

    def __call__(self, order: Tensor) -> Tensor:
        """(stream, row, pixel) of `order` (stream, row)."""
        picked = torch.div(self._pool[order], self._divisor).sub_(self._centers)
        return functional.pad(picked, (0, self._missing)) if self._missing else picked


class CrossEntropy:
    """Log-probabilities of the right class, and of all classes on average, image by image until they are told of."""

    def __init__(self, network: StackedNetwork, goal: Goal, images: int, size: int) -> None:
        self._network, self._size = network, size
        self._classes = network.layers[-1]
        self._smooth = goal.smoothing.view(-1, 1)
        self._rest = (self._smooth / self._classes).float().unsqueeze(2)
        self._most = (self._smooth - 1).float().unsqueeze(2)
        self._right, self._mean = (torch.zeros(network.runs, images, device=network.device) for _ in range(2))
        self._hits = torch.zeros(network.runs, images, dtype=torch.bool, device=network.device)

    @cached_property
    def _gradient(self) -> Tensor:
        """Its padding stays zero."""
        return torch.zeros(self._network.runs, self._size, self._network.widths[-1], device=self._network.device)

    def gradient(self, output: Tensor, _inputs: Tensor, labels: Tensor, span: Span) -> Tensor:
        """Judge a batch (run, row, unit) by its `labels` (run, row); the gradient of its mean loss, in whole tiles."""
        whole = self._gradient[:, : len(span)]
        own = torch.exp(self._judged(output, labels, span), out=whole[:, :, : self._classes])
        index = labels.unsqueeze(2)
        own.sub_(self._rest).scatter_add_(2, index, self._most.expand(index.shape)).mul_(1 / len(span))
        return whole

    def measure(self, output: Tensor, _inputs: Tensor, labels: Tensor, span: Span) -> None:
        """Judge images, and see which are put into their class."""
        likeliest = self._judged(output, labels, span).argmax(2)
        torch.eq(likeliest, labels, out=self._hits[:, span.rows])

    def _judged(self, output: Tensor, labels: Tensor, span: Span) -> Tensor:
        log_p = torch.log_softmax(output[:, :, : self._classes], 2)
        torch.gather(log_p, 2, labels.unsqueeze(2), out=self._right[:, span.rows].unsqueeze(2))
        torch.mean(log_p, 2, out=self._mean[:, span.rows])
        return log_p

    def tell(self, losses: Tensor, correct: Tensor | None = None) -> None:
        """Each part's mean loss into `losses` (part, run), and its hits into `correct`."""
        loss = (self._smooth - 1) * self._right - self._smooth * self._mean
        for span in spans(self._right.shape[1], self._size, len(losses)):
            parts = slice(span.part, span.part + span.parts)
            losses[parts] = loss[:, span.rows].unflatten(1, (span.parts, -1)).mean(2).t()
            if correct is not None:
                correct[parts] = self._hits[:, span.rows].unflatten(1, (span.parts, -1)).sum(2).t()


class SquaredError:
    """The length of each part's error, taken as one vector, until they are told of."""

    def __init__(self, network: StackedNetwork, _goal: Goal, images: int, size: int) -> None:
        self._pixels = network.layers[-1]
        counts = [len(span) * self._pixels for span in spans(images, size)]
        self._counts = torch.tensor(counts, dtype=torch.float64, device=network.device).unsqueeze(1)
        self._lengths = self._counts.new_zeros(len(counts), network.runs)

    def gradient(self, output: Tensor, inputs: Tensor, _labels: Tensor, span: Span) -> Tensor:
        """Judge a batch (run, row, pixel) by its images; the gradient of its mean loss, in whole tiles."""
        return self._judged(output, inputs, span).mul_(2 / (len(span) * self._pixels))

    def measure(self, output: Tensor, inputs: Tensor, _labels: Tensor, span: Span) -> None:
        """Judge images."""
        self._judged(output, inputs, span)

    def _judged(self, output: Tensor, inputs: Tensor, span: Span) -> Tensor:
        error = output.sub_(inputs)  # where an image ends, both are zero
        by_part = error.unflatten(1, (span.parts, -1))
        length = torch.linalg.vector_norm(by_part, dim=(2, 3), dtype=torch.float64)
        self._lengths[span.part : span.part + span.parts] = length.t()
        return error

    def tell(self, losses: Tensor, _correct: Tensor | None = None) -> None:
        """Each part's mean squared error into `losses` (part, run)."""
        torch.div(self._lengths.square(), self._counts, out=losses)


class Sgd:
    """`torch.optim.SGD` of (run, parameter)."""

    def __init__(self, network: StackedNetwork, of: OptimizerNumbers, gradients: Tensor, steps: int) -> None:
        self._parameters, self._buffer, self._gradients = network.parameters, of.slots[0], gradients
        self._of, self._steps = of, steps

    def begin(self) -> None:
        """Take an epoch's numbers up."""
        rate, momentum, nesterov, decay = self._of.numbers.float().unsqueeze(2)
        self._momentum, self._decay = momentum, decay
        self._ahead = -rate * momentum**nesterov
        self._here = -rate * nesterov
        self._of.taken.add_(self._steps)

    def step(self, _batch: int) -> None:
        """A step of every run."""
        slope = self._gradients.addcmul_(self._parameters, self._decay)
        torch.addcmul(slope, self._buffer, self._momentum, out=self._buffer)
        self._parameters.addcmul_(self._buffer, self._ahead).addcmul_(slope, self._here)


class Adam:
    """`torch.optim.Adam` or `AdamW` of (run, parameter)."""

    def __init__(self, network: StackedNetwork, of: OptimizerNumbers, gradients: Tensor, steps: int) -> None:
        self._parameters, self._gradients = network.parameters, gradients
        self._mean, self._square = of.slots
        self._of = of
        self._ahead = torch.arange(1, steps + 1, device=network.device).view(-1, 1, 1)

    def begin(self) -> None:
        """Take an epoch's numbers up: those of each step are (step, run, 1)."""
        rate, beta1, beta2, eps, decay = self._of.numbers.unsqueeze(2)
        taken = self._of.taken + self._ahead
        self._down = (-rate / (1 - beta1**taken)).float()
        self._widen = (1 - beta2**taken).rsqrt().float()
        self._keep1, self._new1, self._eps = beta1.float(), (1 - beta1).float(), eps.float()
        self._keep2, self._new2 = beta2.float(), (1 - beta2).float()
        self._shrink, self._decay = (1 - rate * decay).float(), decay.float()
        self._of.taken.add_(len(self._ahead))

    def step(self, batch: int) -> None:
        """A step of every run."""
        slope = self._gradients
        if self._of.kind == "adamw":
            self._parameters.mul_(self._shrink)
        else:
            slope.addcmul_(self._parameters, self._decay)
        self._mean.mul_(self._keep1).addcmul_(slope, self._new1)
        self._square.mul_(self._keep2).addcmul_(slope.square_(), self._new2)
        root = self._square.sqrt()
        torch.addcmul(self._eps, root, self._widen[batch], out=root)
        self._parameters.addcdiv_(self._mean * self._down[batch], root)


class Dropping:
    """What multiplies hidden layers, from the numbers that `cpu.dropout.uniform` gives.

    Each stream draws once, and each of its runs drops its own share. SplitMix64 counts in whole numbers of 64 bits, of
    which PyTorch has those with a sign: they multiply and add to the same bits, and `_shifted` takes the sign away.
    """

    def __init__(self, numbers: DropoutNumbers, network: StackedNetwork, rows: int, steps: int) -> None:
        self._seeds, self._rates = numbers.seeds, numbers.rates.view(-1, 1, 1)
        self.scale = 1 / (1 - self._rates)
        self._widths = network.widths[1:-1]
        layers, device = len(self._widths), network.device
        places = np.arange(steps)[:, None] * (layers + 1) + np.arange(layers) + 1
        offsets = [np.arange(rows * width).reshape(rows, width) for width in self._widths]
        self._places = _counted(places).unsqueeze(1).to(device)
        self._offsets = _counted(np.concatenate(offsets, axis=1)).to(device)
        self._layer_of = torch.tensor(np.repeat(np.arange(layers), self._widths), device=device)

    def begin(self) -> None:
        """Take an epoch's seeds up: where the numbers of each layer begin, (step, stream, layer)."""
        self._begins = _mixed(self._places + self._seeds.unsqueeze(1))

    def kept(self, batch: int, rows: int, of_runs: Callable[[Tensor], Tensor]) -> Sequence[Tensor]:
        """By hidden layer (run, row, unit): 0 or, of what is kept, the scale."""
        begins = self._begins[batch].index_select(1, self._layer_of).unsqueeze(1)
        numbers = _shifted(_mixed(begins + self._offsets[:rows]), 40).to(torch.float32).mul_(float(UNIFORM_STEP))
        return ((of_runs(numbers) >= self._rates) * self.scale).split(self._widths, 2)


def _counted(places: np.ndarray) -> Tensor:
    """Places times the golden ratio, modulo 2^64."""
    return torch.from_numpy((places.astype(np.uint64) * GOLDEN_GAMMA).view(np.int64))


def _mixed(z: Tensor) -> Tensor:
    """The output function of SplitMix64, as `cpu.dropout` has it."""
    for shift, factor in ((30, MIX_FIRST), (27, MIX_SECOND)):
        z = (z ^ _shifted(z, shift)) * int(factor.view(np.int64))
    return z ^ _shifted(z, 31)


def _shifted(z: Tensor, by: int) -> Tensor:
    """Bits shifted to the right, and zeros in their place."""
    return (z >> by) & (2 ** (64 - by) - 1)
