"""Stacked multi-layer perceptrons: the parameters of many runs in one piece of memory.

Every width is padded with zeros to whole tiles, so that a run's part lies in memory alike in any company, and its
products give the same bits. Padding is inert: its weights start at zero, and their gradients are zero. What trains and
measures such a network is an engine; see `engine`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

TILE = 16
"""Floats in a cache line and in a vector register."""


def tiled(size: int) -> int:
    """`size` rounded up to whole tiles."""
    return -(-size // TILE) * TILE


def initial_state(layers: Sequence[int], generator: torch.Generator) -> dict[str, Tensor]:
    """A fresh state dict (`fc1.weight` (out, in), `fc1.bias` (out,), ...) as `torch.nn.Linear` starts one.

    Uniform between plus and minus 1 / sqrt(in), drawn from the generator as PyTorch draws.
    """
    state: dict[str, Tensor] = {}
    for i, (width_in, width_out) in enumerate(pairwise(layers), start=1):
        state[f"fc{i}.weight"] = _uniform((width_out, width_in), width_in**-0.5, generator)
        state[f"fc{i}.bias"] = _uniform((width_out,), width_in**-0.5, generator)
    return state


def _uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> Tensor:
    """Between minus and plus `bound`, rounded once.

    `torch.nn.init.uniform_` rounds once or twice, as the processor does it.
    """
    numbers, limit = torch.rand(shape, generator=generator).double(), torch.tensor(bound).double()
    return (numbers * (2 * limit) - limit).float()


def parameter_count(layers: Sequence[int], *, biases: bool = True) -> int:
    """Parameters of one network of these widths."""
    return sum(a * b + (b if biases else 0) for a, b in pairwise(layers))


def operations_per_image(layers: Sequence[int]) -> int:
    """Floating-point operations of one training step for one image: forward, weight gradients, input gradients.

    The first layer's input needs no gradient, so its products count twice and the others' three times.
    """
    return sum((4 if i == 0 else 6) * a * b for i, (a, b) in enumerate(pairwise(layers)))


class Layout:
    """How the parameters of a network of these widths lie in a row: one tensor after another, with their tiles filled.

    A weight is held with its longer side first, (in, out) or (out, in): most of its products then read both factors
    along their rows, and some of its rows can be worked on by themselves.
    """

    def __init__(self, layers: Sequence[int]) -> None:
        self.layers = tuple(layers)
        self.widths = tuple(map(tiled, layers))
        self.names = tuple(f"fc{i}.{part}" for i in range(1, len(layers)) for part in ("weight", "bias"))
        self.sizes = [size for a, b in pairwise(self.widths) for size in (a * b, b)]
        self._shapes = [shape for a, b in pairwise(self.widths) for shape in ((max(a, b), min(a, b)), (b,))]

    def views(self, held: Tensor) -> list[Tensor]:
        """The parts of (run, parameter) in the order of `names`: (run, longer side, shorter side) and (run, out)."""
        parts = held.split(self.sizes, dim=1)
        return [part.unflatten(1, shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def live(self, held: Tensor) -> dict[str, Tensor]:
        """The parts of (run, parameter) as PyTorch shapes them, (run, out, in) or (run, out): padding is left out."""
        views = dict(zip(self.names, self.views(held), strict=True))
        for i, (a, b) in enumerate(pairwise(self.layers), start=1):
            weight = views[f"fc{i}.weight"]
            outputs_first = weight.transpose(1, 2) if tiled(a) >= tiled(b) else weight
            views[f"fc{i}.weight"] = outputs_first[:, :b, :a]
            views[f"fc{i}.bias"] = views[f"fc{i}.bias"][:, :b]
        return views


class StackedNetwork:
    """Parameters of a cohort in one tensor (run, parameter), each run's own as `layout` says.

    `blocks` (tensor, 2) says where in a row each tensor begins and how many numbers it holds.
    """

    def __init__(self, layers: Sequence[int], states: Sequence[Mapping[str, Tensor]], device: torch.device) -> None:
        self.layout = Layout(layers)
        self.layers, self.widths = self.layout.layers, self.layout.widths
        self.runs = len(states)
        self.device = device
        sizes = self.layout.sizes
        begins = [sum(sizes[:i]) for i in range(len(sizes))]
        self.blocks = torch.tensor(list(zip(begins, sizes, strict=True)), device=device)
        self.parameters = self.stacked(states)

    def stacked(self, states: Sequence[Mapping[str, Tensor]], prefix: str = "") -> Tensor:
        """One state dict a run as (run, parameter) with whole tiles; the entries' names begin with `prefix`."""
        held = torch.zeros(len(states), sum(self.layout.sizes))
        for name, live in self.layout.live(held).items():
            for own, state in zip(live, states, strict=True):
                own.copy_(state[prefix + name])
        return held.to(self.device)

    def unstacked(self, held: Tensor, run: int) -> StateCopy:
        """A copy on the CPU of one run's row of (run, parameter)."""
        return StateCopy(held[run].to("cpu", copy=True), self.layout)

    def state(self, run: int) -> StateCopy:
        """A copy of one run's parameters on the CPU."""
        return self.unstacked(self.parameters, run)


class StateCopy(Mapping[str, Tensor]):
    """A row of parameters as a state dict, whose tensors are cut out when they are asked for: most copies never are."""

    def __init__(self, row: Tensor, layout: Layout) -> None:
        self._row, self._layout = row, layout

    def __getitem__(self, name: str) -> Tensor:
        return self._layout.live(self._row.unsqueeze(0))[name].squeeze(0).contiguous()

    def __iter__(self) -> Iterator[str]:
        return iter(self._layout.names)

    def __len__(self) -> int:
        return len(self._layout.names)
