"""What every loss of stacked runs gives: the gradient of a batch's mean loss, and the losses of an epoch.

A loss gives the gradient of a batch's mean loss at once. The loss itself is only recorded, example by example, and its
means are computed for all batches at the epoch's end: an accelerator's launches cost more than this arithmetic.

The mean over a batch is the sum of weight times loss over its examples, divided by the sum of the weights. An example
weighs 1 or what the epoch says; with class weights, it weighs that times the weight of its class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor

from paribus.spec import losses as spec
from paribus.training.torch.batches import Batches
from paribus.training.torch.parameters import padded_width
from paribus.training.torch.streams import StreamToRuns


class StackedLoss(ABC):
    """One kind of loss, with each run's own parameters, on a set of examples in `batches`.

    `rows` are places in the set. `outputs` (run, example, output) are padded, and may be overwritten; gradients are
    padded with zeros. `inputs` (run, example, feature) are the targets where there are no others.
    """

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        self.losses, self.outputs, self.batches, self.per_run = losses, outputs, batches, per_run
        counts = torch.tensor(batches.counts(), device=per_run.device)
        # a tensor, as sums of weights are: by a number, an accelerator would multiply by its inverse
        self._counts = counts.double().unsqueeze(1)
        self._one = torch.ones((), dtype=torch.float64, device=per_run.device)
        self._batch_of = torch.arange(len(batches), device=per_run.device).repeat_interleave(
            counts, output_size=batches.examples
        )

    @property
    def factor(self) -> float:
        """What `gradient` multiplies by besides an example's share in the mean."""
        return 1.0

    def begin(self, arrays: Mapping[str, Tensor]) -> None:
        """Store an epoch's arrays by name: `targets` (stream, example) or (stream, example, output), and those that
        there are of `weights` (stream, example), and of what `set_targets` looks for."""
        self.set_targets(arrays)
        by_class, weights = self.class_weights(), arrays.get("weights")
        self._weights = self._one if weights is None else self.per_run(weights).double()
        self._sums, self._shares = self._counts, None
        if weights is not None or by_class is not None:
            self._sums = self.batches.sums(self._weights if by_class is None else self._weights * by_class)
            shares = self.factor * self._weights / self._sums.index_select(0, self._batch_of).t()
            self._shares = shares.float().unsqueeze(2)

    def scale(self, rows: slice) -> Tensor | float:
        """`factor` times the share of each example in its batch's mean: (run, example, 1), or one number."""
        return self.factor / (rows.stop - rows.start) if self._shares is None else self._shares[:, rows]

    def choose(self, batch: int, rows: slice, outputs: Tensor, kept_share: Tensor) -> None:
        """Weigh the examples of a batch: 1 for those that the other run of a pair chooses, 0 for the rest.

        A run chooses the share `kept_share` (run,) of the examples whose losses are smallest by its `outputs`.
        """
        losses = self.losses_of(rows, outputs)
        count = (kept_share * losses.shape[1]).floor().clamp_min(1.0)
        ranks = losses.argsort(dim=1, stable=True).argsort(dim=1)
        own = (ranks < count.unsqueeze(1)).double()
        chosen = own.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
        if batch == 0:
            self._weights = self.zeros(self.batches.examples, dtype=torch.float64)
            self._sums = self.zeros(len(self.batches), dtype=torch.float64).t()
            self._shares = self.zeros(self.batches.examples, 1)
        self._weights[:, rows] = chosen
        self._sums[batch] = chosen.sum(1)
        assert self._shares is not None
        self._shares[:, rows] = (self.factor * chosen / chosen.sum(1, keepdim=True)).float().unsqueeze(2)

    def losses_of(self, rows: slice, outputs: Tensor) -> Tensor:  # noqa: ARG002 - for losses that can
        """The loss (run, example) of each example of a batch. Raises ValueError where runs cannot choose by it."""
        raise ValueError(f"runs do not choose examples by {self.losses[0].kind}")

    def means(self) -> Tensor:
        """The mean loss (batch, run) of each batch, float64."""
        return self.batches.sums(self.by_example() * self._weights) / self._sums

    @abstractmethod
    def gradient(self, rows: slice, outputs: Tensor, inputs: Tensor) -> Tensor:
        """Record a batch; the gradient of its mean loss with respect to `outputs`."""

    @abstractmethod
    def record(self, rows: slice, outputs: Tensor, inputs: Tensor) -> None:
        """Record examples."""

    @abstractmethod
    def by_example(self) -> Tensor:
        """The loss (run, example) of the recorded examples, float64, times their class weights."""

    @abstractmethod
    def set_targets(self, arrays: Mapping[str, Tensor]) -> None:
        """Store the arrays that this loss needs: targets, and of some losses `others`, `shares` or `memory`."""

    def class_weights(self) -> Tensor | None:
        """The weight of each example's class (run, example), float64; None where there are no class weights."""
        return None

    def correct(self) -> Tensor | None:
        """How many of the recorded examples are put into their class (run,); None without classes."""
        return None

    def squared_errors(self) -> Tensor | None:
        """The sum (run, output) of the squared errors of the recorded examples, float64; None without such targets."""
        return None

    def zeros(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """A buffer (run, *shape)."""
        return torch.zeros(self.per_run.runs, *shape, dtype=dtype, device=self.per_run.device)

    @cached_property
    def gradient_buffer(self) -> Tensor:
        """(run, example, output), whose padding nobody writes to."""
        return self.zeros(self.batches.size, padded_width(self.outputs))
