"""Classification losses that do not trust every label, of all runs at once; see `losses.py`.

p = softmax(outputs), l = log p, y is an example's label, and [c = y] is 1 for its class and 0 for the others.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final, cast, final

import torch
from torch import Tensor
from typing_extensions import override

from paribus.spec import losses as spec
from paribus.training.torch.batches import Batches
from paribus.training.torch.stacked_loss import StackedLoss
from paribus.training.torch.streams import StreamToRuns

LEAST_SHARE: Final = 1e-4
"""Early-learning regularisation keeps probabilities so far from 0 and 1."""


class _RobustLoss(StackedLoss):
    """Records the loss of each example."""

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        super().__init__(losses, outputs, batches, per_run)
        self._recorded = self.zeros(batches.examples, dtype=torch.float64)
        self._correct = self.zeros(batches.examples, dtype=torch.bool)

    @abstractmethod
    def derivative(self, rows: slice, log_p: Tensor) -> tuple[Tensor, Tensor]:
        """The loss (run, example) of a batch's examples, float64, and its derivative with respect to each output."""

    @override
    def set_targets(self, arrays: Mapping[str, Tensor]) -> None:
        self._labels = self.per_run(arrays["targets"])

    @override
    def gradient(self, rows: slice, outputs: Tensor, inputs: Tensor) -> Tensor:
        loss, derivative = self.derivative(rows, torch.log_softmax(outputs[:, :, : self.outputs], 2))
        self._recorded[:, rows].copy_(loss)
        padded = self.gradient_buffer[:, : outputs.shape[1]]
        padded[:, :, : self.outputs].copy_(derivative.mul_(self.scale(rows)))
        return padded

    @override
    def record(self, rows: slice, outputs: Tensor, inputs: Tensor) -> None:
        log_p = torch.log_softmax(outputs[:, :, : self.outputs], 2)
        self._recorded[:, rows].copy_(self.derivative(rows, log_p)[0])
        torch.eq(log_p.argmax(2), self._labels[:, rows], out=self._correct[:, rows])

    @override
    def by_example(self) -> Tensor:
        return self._recorded

    @override
    def correct(self) -> Tensor | None:
        return self._correct.sum(1)

    def column(self, values: Sequence[float]) -> Tensor:
        """One number for each run (run, 1), float64."""
        return torch.tensor(values, dtype=torch.float64, device=self.per_run.device).unsqueeze(1)

    def of_label(self, rows: slice, values: Tensor) -> Tensor:
        """Those of `values` (run, example, output) that belong to the labels (run, example, 1)."""
        return values.gather(2, self._labels[:, rows].unsqueeze(2))

    def less_label(self, rows: slice, p: Tensor, share: Tensor) -> Tensor:
        """p - `share` [c = y] in place, with the share of each run (run, 1)."""
        labels = self._labels[:, rows].unsqueeze(2)
        return p.scatter_add_(2, labels, -share.float().unsqueeze(2).expand(-1, labels.shape[1], 1))


@final
class GeneralisedCrossEntropy(_RobustLoss):
    """(1 - p[y]**q) / q, with the gradient p[y]**q (p - [c = y])."""

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        super().__init__(losses, outputs, batches, per_run)
        self._q = self.column([loss.q for loss in cast("Sequence[spec.GeneralisedCrossEntropy]", losses)])
        self._whole = torch.ones_like(self._q)

    @override
    def derivative(self, rows: slice, log_p: Tensor) -> tuple[Tensor, Tensor]:
        exponent = self._q * self.of_label(rows, log_p).squeeze(2).double()
        power = exponent.exp().float().unsqueeze(2)
        return -exponent.expm1() / self._q, self.less_label(rows, log_p.exp(), self._whole).mul_(power)


@final
class SymmetricCrossEntropy(_RobustLoss):
    """-alpha l[y] + a (1 - p[y]) with a = -beta log_zero, and the gradient (alpha + a p[y]) (p - [c = y])."""

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        super().__init__(losses, outputs, batches, per_run)
        own = cast("Sequence[spec.SymmetricCrossEntropy]", losses)
        self._alpha = self.column([loss.alpha for loss in own])
        self._reverse = self.column([-loss.beta * loss.log_zero for loss in own])
        self._whole = torch.ones_like(self._alpha)

    @override
    def derivative(self, rows: slice, log_p: Tensor) -> tuple[Tensor, Tensor]:
        of_label = self.of_label(rows, log_p).squeeze(2).double()
        weight = (self._alpha + self._reverse * of_label.exp()).float().unsqueeze(2)
        loss = -self._alpha * of_label - self._reverse * of_label.expm1()
        return loss, self.less_label(rows, log_p.exp(), self._whole).mul_(weight)


@final
class SoftBootstrapping(_RobustLoss):
    """-beta l[y] + (1 - beta) H with the entropy H = -sum of p l, and the gradient
    beta (p - [c = y]) - (1 - beta) p (l + H)."""

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        super().__init__(losses, outputs, batches, per_run)
        self._beta = self.column([loss.beta for loss in cast("Sequence[spec.SoftBootstrapping]", losses)])

    @override
    def derivative(self, rows: slice, log_p: Tensor) -> tuple[Tensor, Tensor]:
        p = log_p.exp()
        entropy = -(p * log_p).sum(2, keepdim=True)
        loss = -self._beta * self.of_label(rows, log_p).squeeze(2) + (1 - self._beta) * entropy.squeeze(2)
        of_entropy = (1 - self._beta).float().unsqueeze(2) * p * (log_p + entropy)
        return loss, self.less_label(rows, p * self._beta.float().unsqueeze(2), self._beta).sub_(of_entropy)


@final
class HardBootstrapping(_RobustLoss):
    """-beta l[y] - (1 - beta) l[m] with the most probable class m, and the gradient
    p - beta [c = y] - (1 - beta) [c = m]."""

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        super().__init__(losses, outputs, batches, per_run)
        self._beta = self.column([loss.beta for loss in cast("Sequence[spec.HardBootstrapping]", losses)])

    @override
    def derivative(self, rows: slice, log_p: Tensor) -> tuple[Tensor, Tensor]:
        largest, best = log_p.max(2, keepdim=True)
        loss = -self._beta * self.of_label(rows, log_p).squeeze(2) - (1 - self._beta) * largest.squeeze(2)
        rest = (self._beta - 1).float().unsqueeze(2).expand(-1, log_p.shape[1], 1)
        return loss, self.less_label(rows, log_p.exp(), self._beta).scatter_add_(2, best, rest)


@final
class EarlyLearningRegularisation(_RobustLoss):
    """-l[y] + strength log(1 - d) with d = sum of t k, where k is p between 0.0001 and 0.9999 and t its moving average.

    With a = t p where k is p, and 0 elsewhere, the gradient is p - [c = y] - strength (a - p sum of a) / (1 - d).
    """

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        super().__init__(losses, outputs, batches, per_run)
        own = cast("Sequence[spec.EarlyLearningRegularisation]", losses)
        self._strength = self.column([loss.strength for loss in own])
        self._momentum = self.column([loss.momentum for loss in own]).float().unsqueeze(2)
        self._whole = torch.ones_like(self._strength)

    @override
    def set_targets(self, arrays: Mapping[str, Tensor]) -> None:
        super().set_targets(arrays)
        self._memory = arrays["memory"]

    @override
    def derivative(self, rows: slice, log_p: Tensor) -> tuple[Tensor, Tensor]:
        p = log_p.exp()
        k = p.clamp(LEAST_SHARE, 1 - LEAST_SHARE)
        t = self._memory[:, rows]
        t.mul_(self._momentum).add_((1 - self._momentum) * k / k.sum(2, keepdim=True))
        rest = 1 - (t * k).sum(2, dtype=torch.float64)
        loss = self._strength * rest.log() - self.of_label(rows, log_p).squeeze(2)
        a = t * p * (k == p)
        pull = (a - p * a.sum(2, keepdim=True)) * (self._strength / rest).float().unsqueeze(2)
        return loss, self.less_label(rows, p, self._whole).sub_(pull)


@final
class ForwardCorrection(_RobustLoss):
    """-log(sum of p t[y]), with the probability t[y] that examples of a class are labelled as y.

    With r = softmax(outputs + log t[y]) the gradient is p - r.
    """

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        super().__init__(losses, outputs, batches, per_run)
        matrices = [loss.matrix for loss in cast("Sequence[spec.ForwardCorrection]", losses)]
        chances = torch.tensor(matrices, dtype=torch.float64, device=per_run.device).log().float()
        self._chances = chances.transpose(1, 2).contiguous()
        self._runs = torch.arange(len(losses), device=per_run.device).unsqueeze(1)

    @override
    def derivative(self, rows: slice, log_p: Tensor) -> tuple[Tensor, Tensor]:
        joint = log_p + self._chances[self._runs, self._labels[:, rows]]
        of_label = joint.logsumexp(2, keepdim=True)
        return -of_label.squeeze(2).double(), log_p.exp().sub_((joint - of_label).exp())


ROBUST_LOSSES: Final[dict[str, type[StackedLoss]]] = {
    "generalised-cross-entropy": GeneralisedCrossEntropy,
    "symmetric-cross-entropy": SymmetricCrossEntropy,
    "soft-bootstrapping": SoftBootstrapping,
    "hard-bootstrapping": HardBootstrapping,
    "early-learning-regularisation": EarlyLearningRegularisation,
    "forward-correction": ForwardCorrection,
}
"""The arithmetic of each kind."""
