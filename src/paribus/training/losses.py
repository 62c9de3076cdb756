"""Losses of a cohort: the value for each run, and the gradient with respect to the output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from paribus.spec.recipe import Recipe
from paribus.training.networks import Pass


class StackedLoss(ABC):
    """A loss over the runs of a cohort; each run's is the mean over its batch, as PyTorch's `reduction="mean"`."""

    columns_last: bool

    @abstractmethod
    def value(self, at: Pass) -> Tensor:
        """Loss of each run (run,). Leaves in `at.scratch` what `gradient` needs."""

    @abstractmethod
    def gradient(self, at: Pass) -> None:
        """Fill `at.output_gradient`; `value` must have been called on the same batch."""


class CrossEntropy(StackedLoss):
    """`torch.nn.functional.cross_entropy` with label smoothing per run, of the pass's labels."""

    columns_last = False

    def __init__(self, smoothing: Sequence[float], device: torch.device) -> None:
        self._any = any(smoothing)
        self._smoothing = torch.tensor(smoothing, device=device).view(-1, 1, 1)
        self._minus_rest = self._smoothing - 1

    def value(self, at: Pass) -> Tensor:
        log_p = torch.log_softmax(at.output, 1, out=at.scratch)
        loss = -log_p.gather(1, at.labels).mean(2).view(-1)
        if self._any:
            share = self._smoothing.view(-1)
            loss = (1 - share) * loss - share * log_p.mean((1, 2))
        return loss

    def gradient(self, at: Pass) -> None:
        classes, rows = at.output.shape[1:]
        p = torch.exp(at.scratch, out=at.output_gradient)
        if self._any:
            p.sub_(self._smoothing / classes)
        p.scatter_add_(1, at.labels, self._minus_rest.expand(at.labels.shape))
        p.mul_(1 / rows)


class SquaredError(StackedLoss):
    """`torch.nn.functional.mse_loss` of an output against its own input: the mean over images and pixels."""

    columns_last = True

    def value(self, at: Pass) -> Tensor:
        rows, pixels = at.inputs.shape[1:]
        for s, runs in enumerate(at.streams):
            torch.sub(at.output[runs, :, :pixels], at.inputs[s], out=at.scratch[runs, :, :pixels])
        # in two stages, so that a sum of many thousand squares keeps its digits
        return torch.linalg.vecdot(at.scratch, at.scratch).sum(1) / (rows * pixels)

    def gradient(self, at: Pass) -> None:
        rows, pixels = at.inputs.shape[1:]
        torch.mul(at.scratch, 2 / (rows * pixels), out=at.output_gradient)


def training_loss(recipes: Sequence[Recipe], device: torch.device) -> StackedLoss:
    """The loss that these runs minimise."""
    if recipes[0].loss.kind == "mse":
        return SquaredError()
    return CrossEntropy([recipe.loss.label_smoothing for recipe in recipes], device)


def plain_loss(recipes: Sequence[Recipe], device: torch.device) -> StackedLoss:
    """The loss that is measured on validation and test data: the training loss without smoothing."""
    return SquaredError() if recipes[0].loss.kind == "mse" else CrossEntropy([0.0] * len(recipes), device)
