"""A set of examples in batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import torch
from torch import Tensor


@final
class Batches:
    """`examples` in batches of `size`; the last one may be smaller. Iterates over the examples of each, as slices."""

    def __init__(self, examples: int, size: int) -> None:
        self.examples, self.size = examples, size

    def __len__(self) -> int:
        return (self.examples + self.size - 1) // self.size

    def __iter__(self) -> Iterator[slice]:
        for begin in range(0, self.examples, self.size):
            yield slice(begin, min(begin + self.size, self.examples))

    def counts(self) -> list[int]:
        """How many examples each batch has."""
        return [rows.stop - rows.start for rows in self]

    def sums(self, values: Tensor) -> Tensor:
        """The sums (batch, run) over each batch of `values` (run, example)."""
        whole = self.examples // self.size
        full, rest = values.tensor_split([whole * self.size], 1)
        parts = [full.unflatten(1, (whole, self.size)).sum(2)] if whole else []
        if rest.shape[1]:
            parts.append(rest.sum(1, keepdim=True))
        return torch.cat(parts, 1).t()
