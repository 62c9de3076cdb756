"""The arithmetic of losses, of all runs at once: those of classes that trust labels, and those of numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final, cast, final

import torch
from torch import Tensor
from typing_extensions import override

from paribus.spec import losses as spec
from paribus.training.torch.batches import Batches
from paribus.training.torch.robust_losses import ROBUST_LOSSES
from paribus.training.torch.stacked_loss import StackedLoss
from paribus.training.torch.streams import StreamToRuns


@final
class CrossEntropy(StackedLoss):
    """`torch.nn.CrossEntropyLoss`.

    With log-probabilities l_c, class c of C, weights w_c, the example's class y and smoothing s:

        loss = -(1 - s) w_y l_y - s/C sum over c of w_c l_c
        gradient with respect to output c = exp(l_c) (sum over c of q_c) - q_c,    q_c = (1 - s) w_y [c = y] + s/C w_c

    Runs without class weights have the same bits whether or not others have some: their weights and sums are then 1.
    """

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        super().__init__(losses, outputs, batches, per_run)
        own = cast("Sequence[spec.CrossEntropy]", losses)
        smoothing = [loss.label_smoothing for loss in own]
        self._smoothing = torch.tensor(smoothing, dtype=torch.float64, device=per_run.device).unsqueeze(1)
        self._class_weights = self._stacked([loss.class_weights for loss in own])
        rest = self._smoothing / outputs * (1.0 if self._class_weights is None else self._class_weights)
        self._rest = rest.float().unsqueeze(1)
        self._of_label = (self._smoothing - 1).float().unsqueeze(2).expand(-1, batches.examples, 1)
        self._l_label, self._l_mean = self.zeros(batches.examples), self.zeros(batches.examples)
        self._correct = self.zeros(batches.examples, dtype=torch.bool)

    def _stacked(self, weights: Sequence[tuple[float, ...] | None]) -> Tensor | None:
        if all(one is None for one in weights):
            return None
        rows = [one or (1.0,) * self.outputs for one in weights]
        return torch.tensor(rows, dtype=torch.float64, device=self.per_run.device)

    @override
    def set_targets(self, arrays: Mapping[str, Tensor]) -> None:
        self._labels = self.per_run(arrays["targets"])
        self._others = self.per_run(arrays["others"]).unsqueeze(2) if "others" in arrays else None
        self._own = self.per_run(arrays["shares"]).unsqueeze(2) if "shares" in arrays else None
        self._of_examples = None
        if self._class_weights is not None:
            self._of_examples = self._class_weights.gather(1, self._labels)
            of_label = (1 - self._smoothing) * self._of_examples
            self._of_label = -of_label.float().unsqueeze(2)
            self._total = (of_label + self._smoothing * self._class_weights.mean(1, True)).float().unsqueeze(2)
            self._l_weights = self._class_weights.float().unsqueeze(1)

    @override
    def class_weights(self) -> Tensor | None:
        return self._of_examples

    @override
    def gradient(self, rows: slice, outputs: Tensor, inputs: Tensor) -> Tensor:
        log_p = self._log_probabilities(rows, outputs)
        padded = self.gradient_buffer[:, : log_p.shape[1]]
        own = torch.exp(log_p, out=padded[:, :, : self.outputs])
        if self._of_examples is not None:
            own.mul_(self._total[:, rows])
        labels, of_label = self._labels[:, rows].unsqueeze(2), self._of_label[:, rows]
        if self._others is None or self._own is None:
            own.sub_(self._rest).scatter_add_(2, labels, of_label)
        else:
            share = self._own[:, rows]
            own.sub_(self._rest).scatter_add_(2, labels, of_label * share)
            own.scatter_add_(2, self._others[:, rows], of_label * (1 - share))
        own.mul_(self.scale(rows))
        return padded

    @override
    def losses_of(self, rows: slice, outputs: Tensor) -> Tensor:
        log_p = torch.log_softmax(outputs[:, :, : self.outputs], 2)
        of_label = log_p.gather(2, self._labels[:, rows].unsqueeze(2)).squeeze(2).double()
        return (self._smoothing - 1) * of_label - self._smoothing * log_p.double().mean(2)

    @override
    def record(self, rows: slice, outputs: Tensor, inputs: Tensor) -> None:
        likeliest = self._log_probabilities(rows, outputs).argmax(2)
        torch.eq(likeliest, self._labels[:, rows], out=self._correct[:, rows])

    def _log_probabilities(self, rows: slice, outputs: Tensor) -> Tensor:
        log_p = torch.log_softmax(outputs[:, :, : self.outputs], 2)
        torch.gather(log_p, 2, self._labels[:, rows].unsqueeze(2), out=self._l_label[:, rows].unsqueeze(2))
        if self._others is not None and self._own is not None:
            share, of_other = self._own[:, rows], log_p.gather(2, self._others[:, rows])
            mixed = share * self._l_label[:, rows].unsqueeze(2) + (1 - share) * of_other
            self._l_label[:, rows] = mixed.squeeze(2)
        weighted = log_p if self._of_examples is None else log_p * self._l_weights
        torch.mean(weighted, 2, out=self._l_mean[:, rows])
        return log_p

    @override
    def by_example(self) -> Tensor:
        of_label = self._smoothing - 1 if self._of_examples is None else (self._smoothing - 1) * self._of_examples
        # without smoothing a probability of 0 must not matter: 0 times its infinite logarithm is not a number
        smooth = (self._smoothing * self._l_mean).masked_fill(self._smoothing == 0, 0.0)
        return of_label * self._l_label - smooth

    @override
    def correct(self) -> Tensor | None:
        return self._correct.sum(1)


@final
class BinaryCrossEntropy(StackedLoss):
    """`torch.nn.BCEWithLogitsLoss` of one output z and classes y of 0 and 1.

    loss = max(z, 0) + log(1 + exp(-|z|)) - y z, gradient = sigmoid(z) - y; an example is put into class 1 if z > 0.
    """

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        super().__init__(losses, outputs, batches, per_run)
        self._z = self.zeros(batches.examples)

    @override
    def set_targets(self, arrays: Mapping[str, Tensor]) -> None:
        self._labels = self.per_run(arrays["targets"].float())

    @override
    def gradient(self, rows: slice, outputs: Tensor, inputs: Tensor) -> Tensor:
        self.record(rows, outputs, inputs)
        padded = self.gradient_buffer[:, : outputs.shape[1]]
        own = torch.sigmoid(outputs[:, :, :1], out=padded[:, :, :1])
        own.sub_(self._labels[:, rows].unsqueeze(2)).mul_(self.scale(rows))
        return padded

    @override
    def record(self, rows: slice, outputs: Tensor, inputs: Tensor) -> None:
        self._z[:, rows].copy_(outputs[:, :, 0])

    @override
    def by_example(self) -> Tensor:
        z = self._z.double()
        return z.clamp_min(0.0) + z.abs().neg_().exp_().log1p_() - z * self._labels

    @override
    def correct(self) -> Tensor | None:
        return ((self._z > 0) == (self._labels > 0)).sum(1)


class _NumberLoss(StackedLoss):
    """A loss of the errors e = output - target: the mean over an example's outputs."""

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        super().__init__(losses, outputs, batches, per_run)
        self.recorded = self.zeros(batches.examples, dtype=torch.float64)
        self._squares = self.zeros(outputs, dtype=torch.float64)

    @abstractmethod
    def derivative(self, rows: slice, errors: Tensor) -> Tensor:
        """Record the loss, and give its derivative with respect to each output, divided by `factor`. It is 0
        where the error is 0, as in padding.

        `errors` may be overwritten.
        """

    @property
    @override
    def factor(self) -> float:
        return 1.0 / self.outputs

    @override
    def set_targets(self, arrays: Mapping[str, Tensor]) -> None:
        self._targets = arrays.get("targets")

    @override
    def gradient(self, rows: slice, outputs: Tensor, inputs: Tensor) -> Tensor:
        return self.derivative(rows, self._errors(rows, outputs, inputs)).mul_(self.scale(rows))

    @override
    def record(self, rows: slice, outputs: Tensor, inputs: Tensor) -> None:
        errors = self._errors(rows, outputs, inputs)
        if self._targets is not None:
            squares = errors[:, :, : self.outputs].double().square_().sum(1)
            self._squares.copy_(squares if rows.start == 0 else self._squares + squares)
        self.derivative(rows, errors)

    @override
    def squared_errors(self) -> Tensor | None:
        return None if self._targets is None else self._squares

    def _errors(self, rows: slice, outputs: Tensor, inputs: Tensor) -> Tensor:
        return outputs.sub_(inputs if self._targets is None else self.per_run(self._targets[:, rows]))

    @override
    def by_example(self) -> Tensor:
        return self.recorded / self.outputs


@final
class MeanSquaredError(_NumberLoss):
    """`torch.nn.MSELoss`: e^2, with derivative 2 e. The length of each example's errors is recorded."""

    @property
    @override
    def factor(self) -> float:
        return 2.0 / self.outputs

    @override
    def derivative(self, rows: slice, errors: Tensor) -> Tensor:
        torch.linalg.vector_norm(errors, dim=2, dtype=torch.float64, out=self.recorded[:, rows])
        return errors

    @override
    def by_example(self) -> Tensor:
        return self.recorded.square() / self.outputs


@final
class MeanAbsoluteError(_NumberLoss):
    """`torch.nn.L1Loss`: |e|, with derivative sign(e)."""

    @override
    def derivative(self, rows: slice, errors: Tensor) -> Tensor:
        torch.linalg.vector_norm(errors, ord=1, dim=2, dtype=torch.float64, out=self.recorded[:, rows])
        return errors.sign_()


@final
class Huber(_NumberLoss):
    """`torch.nn.HuberLoss`: c (e - c / 2) with derivative c, where c is e clamped to -delta and delta.

    Within delta that is e^2 / 2; beyond, delta (|e| - delta / 2).
    """

    def __init__(self, losses: Sequence[spec.LossBase], outputs: int, batches: Batches, per_run: StreamToRuns) -> None:
        super().__init__(losses, outputs, batches, per_run)
        deltas = [loss.delta for loss in cast("Sequence[spec.Huber]", losses)]
        self._delta = torch.tensor(deltas, device=per_run.device).view(-1, 1, 1)

    @override
    def derivative(self, rows: slice, errors: Tensor) -> Tensor:
        clamped = errors.clamp(-self._delta, self._delta)
        loss = errors.sub_(clamped, alpha=0.5).mul_(clamped)
        torch.sum(loss, 2, dtype=torch.float64, out=self.recorded[:, rows])
        return clamped


LOSSES: Final[dict[str, type[StackedLoss]]] = {
    "cross-entropy": CrossEntropy,
    "binary-cross-entropy": BinaryCrossEntropy,
    **ROBUST_LOSSES,
    "mse": MeanSquaredError,
    "l1": MeanAbsoluteError,
    "huber": Huber,
}
"""The arithmetic of each kind of loss."""
