"""Stacked multi-layer perceptrons: the parameters of many runs in one piece of memory.

Every width is padded with zeros to whole tiles, so that a run's part lies in memory alike in any company, and its
products give the same bits. Padding is inert: its weights start at zero, and their gradients are zero. What trains and
measures such a network is an engine; see `engine`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

TILE = 16
"""Floats in a cache line and in a vector register."""


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
    """Parameters of a cohort in one flat tensor, tensor by tensor, each (run, ...) with its tiles filled up.

    A weight is held with its longer side first, (run, in, out) or (run, out, in): most of its products then read both
    factors along their rows, and some of its rows can be worked on by themselves. `blocks` (tensor, 2) says where each
    tensor begins and how many numbers of each run it holds, which `sizes` says, too.
    """

    def __init__(self, layers: Sequence[int], states: Sequence[Mapping[str, Tensor]], device: torch.device) -> None:
        self.layers = tuple(layers)
        self.widths = tuple(map(tiled, layers))
        self.runs = len(states)
        self.device = device
        self.names = tuple(f"fc{i}.{part}" for i in range(1, len(layers)) for part in ("weight", "bias"))
        self.sizes = [size for a, b in pairwise(self.widths) for size in (a * b, b)]
        begins = [self.runs * sum(self.sizes[:i]) for i in range(len(self.sizes))]
        self.blocks = torch.tensor(list(zip(begins, self.sizes, strict=True)), device=device)
        self._live = partial(_live, self.layers)
        self.parameters = self.stacked(states)

    def stacked(self, states: Sequence[Mapping[str, Tensor]], prefix: str = "") -> Tensor:
        """One state dict a run as one flat tensor with whole tiles; the entries' names begin with `prefix`."""
        flat = torch.zeros(self.runs * sum(self.sizes))
        for name, whole in zip(self.names, self.views(flat), strict=True):
            for run, state in enumerate(states):
                self._live(whole[run], name).copy_(state[prefix + name])
        return flat.to(self.device)

    def unstacked(self, flat: Tensor, run: int) -> StateCopy:
        """A copy on the CPU of one run's part of a flat tensor."""
        own = {n: whole[run].to("cpu", copy=True) for n, whole in zip(self.names, self.views(flat), strict=True)}
        return StateCopy(own, self._live)

    def state(self, run: int) -> StateCopy:
        """A copy of one run's parameters on the CPU."""
        return self.unstacked(self.parameters, run)

    def views(self, flat: Tensor) -> list[Tensor]:
        """A flat tensor's parts in the order of `names`: (run, longer side, shorter side) and (run, out)."""
        shapes = [shape for a, b in pairwise(self.widths) for shape in ((max(a, b), min(a, b)), (b,))]
        parts = flat.split([self.runs * size for size in self.sizes])
        return [part.view(self.runs, *shape) for part, shape in zip(parts, shapes, strict=True)]


def _live(layers: Sequence[int], own: Tensor, name: str) -> Tensor:
    """One run's parameter as PyTorch shapes it, (out, in) or (out,): a view that leaves padding out."""
    layer = int(name[2 : name.index(".")]) - 1
    width_in, width_out = layers[layer : layer + 2]
    if name.endswith("bias"):
        return own[:width_out]
    outputs_first = own.t() if tiled(width_in) >= tiled(width_out) else own
    return outputs_first[:width_out, :width_in]


class StateCopy(Mapping[str, Tensor]):
    """A state dict whose tensors take PyTorch's shapes when they are asked for: most copies never are."""

    def __init__(self, held: Mapping[str, Tensor], live: Callable[[Tensor, str], Tensor]) -> None:
        self._held, self._live = held, live

    def __getitem__(self, name: str) -> Tensor:
        return self._live(self._held[name], name).contiguous()

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)
