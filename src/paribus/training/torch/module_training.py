"""The loss and the optimizer of a module: PyTorch's own, so that a run is the loop that a user would write."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from paribus.spec import losses, optimizers
from paribus.spec.losses import LossBase
from paribus.spec.optimizers import OptimizerBase
from paribus.spec.recipe import Clip
from paribus.training.torch.robust_criteria import robust_losses

Criterion = Callable[[Tensor, Tensor], Tensor]
"""A loss of outputs (example, ...) and targets: classes (example,) int64, or numbers of the outputs' shape. It gives
the mean of a batch, and a user's own function the loss (example,) of each example."""


def criterion_of(loss: LossBase, own: Criterion | None = None) -> Criterion:
    """The mean loss over a batch, as `torch.nn` has it, or as the mean of what the user's `own` loss gives."""
    if loss.remembers:  # what it adds to cross-entropy needs the memory of each example
        loss = loss.evaluated
    of_each = own or robust_losses(loss)
    if of_each is not None:
        return lambda outputs, targets: of_each(outputs, targets).mean()
    match loss:
        case losses.CrossEntropy():
            weights = None if loss.class_weights is None else torch.tensor(loss.class_weights)
            return nn.CrossEntropyLoss(weight=weights, label_smoothing=loss.label_smoothing)
        case losses.BinaryCrossEntropy():
            mean = nn.BCEWithLogitsLoss()
            return lambda outputs, classes: mean(outputs, classes.unsqueeze(1).to(outputs.dtype))
        case losses.MeanSquaredError():
            return nn.MSELoss()
        case losses.MeanAbsoluteError():
            return nn.L1Loss()
        case losses.Huber():
            return nn.HuberLoss(delta=loss.delta)
        case _:
            raise ValueError(f"no loss {loss.kind}")


def example_losses(loss: LossBase, own: Criterion | None = None) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The loss (example,) of each example, times the weight of its class, and that weight; without label smoothing.

    Their sums, one divided by the other, are the mean loss as evaluation has it. Numbers of an example count equally.
    A loss of the user's `own` gives the loss of each example itself.
    """
    of_each = own or robust_losses(loss.evaluated)
    if of_each is not None:
        return lambda outputs, targets: (of_each(outputs, targets), torch.ones(len(outputs)))

    def of_classes(outputs: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        given = loss.class_weights if isinstance(loss, losses.CrossEntropy) else None
        weights = None if given is None else torch.tensor(given)
        shares = torch.ones(len(outputs)) if weights is None else weights[classes]
        return functional.cross_entropy(outputs, classes, weight=weights, reduction="none"), shares

    def of_two_classes(outputs: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        found = functional.binary_cross_entropy_with_logits(outputs[:, 0], classes.to(outputs.dtype), reduction="none")
        return found, torch.ones(len(outputs))

    def of_numbers(outputs: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        match loss:
            case losses.MeanSquaredError():
                found = functional.mse_loss(outputs, numbers, reduction="none")
            case losses.Huber():
                found = functional.huber_loss(outputs, numbers, reduction="none", delta=loss.delta)
            case losses.MeanAbsoluteError():
                found = functional.l1_loss(outputs, numbers, reduction="none")
            case _:
                raise ValueError(f"no loss {loss.kind}")
        return found.flatten(1).double().mean(1), torch.ones(len(outputs))

    if isinstance(loss, losses.BinaryCrossEntropy):
        return of_two_classes
    if not loss.has_classes:
        return of_numbers
    if not isinstance(loss.evaluated, losses.CrossEntropy):
        raise ValueError(f"no loss {loss.kind}")
    return of_classes


def optimizer_of(spec: OptimizerBase, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """PyTorch's optimizer with its defaults."""
    own = list(parameters)
    match spec:
        case optimizers.Sgd():
            return torch.optim.SGD(
                own, lr=spec.lr, momentum=spec.momentum, weight_decay=spec.weight_decay, nesterov=spec.nesterov
            )
        case optimizers.Adam():
            return torch.optim.Adam(own, lr=spec.lr, betas=spec.betas, eps=spec.eps, weight_decay=spec.weight_decay)
        case optimizers.AdamW():
            return torch.optim.AdamW(own, lr=spec.lr, betas=spec.betas, eps=spec.eps, weight_decay=spec.weight_decay)
        case optimizers.RmsProp():
            return torch.optim.RMSprop(
                own,
                lr=spec.lr,
                alpha=spec.alpha,
                eps=spec.eps,
                weight_decay=spec.weight_decay,
                momentum=spec.momentum,
                centered=spec.centered,
            )
        case _:
            raise ValueError(f"no optimizer {spec.kind}")


def clip_gradients(clip: Clip | None, parameters: Iterable[nn.Parameter]) -> None:
    """As `torch.nn.utils` clips, in place."""
    if clip is None:
        return
    if clip.norm is not None:
        nn.utils.clip_grad_norm_(parameters, clip.norm)
    elif clip.value is not None:
        nn.utils.clip_grad_value_(parameters, clip.value)
