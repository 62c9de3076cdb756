"""What the author of an own module, loss or activation checks it with, in a test of her own.

    from paribus.testing import check_activation, check_loss, check_module

    def test_my_network():
        size = check_module(LeNet, shape=(1, 28, 28), outputs=10)
        assert size.parameters < 100_000

Each raises AssertionError, in one line, for the first thing that is wrong. They need PyTorch: `paribus[torch]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor, nn

    from paribus.spec.modules import ModuleSize

__all__ = ["check_activation", "check_loss", "check_module"]

Task = Literal["classification", "regression", "reconstruction"]


def check_module(
    cls: type[nn.Module],
    *,
    shape: tuple[int, ...],
    outputs: int,
    task: Task = "classification",
    arguments: Mapping[str, Any] | None = None,
    batch_size: int = 16,
) -> ModuleSize:
    """Check everything that a study checks of a module before it trains, on random examples.

    Parameters
    ----------
    cls : a class of `torch.nn.Module`, in a file.
    shape : that of one example, channels first: (1, 28, 28), (13,).
    outputs : classes, or numbers to be predicted; ignored for reconstructions, whose outputs have `shape`.
    task : what the module is for.
    arguments : those that the class is made with.
    batch_size : examples of a training step.

    A module must have equal initial weights and steps for equal seeds, use all of its parameters, give finite float32
    outputs of the right shape, keep what a step changes in its state dict, and take batches of other sizes. Returns its
    parameters, operations and memory, layer by layer.
    """
    from paribus.training.torch import user_checks

    return user_checks.check_module(
        cls, shape=shape, outputs=outputs, task=task, arguments=arguments, batch_size=batch_size
    )


def check_loss(
    loss: Callable[..., Tensor],
    *,
    outputs: int,
    task: Task = "classification",
    arguments: Mapping[str, Any] | None = None,
    examples: int = 12,
) -> None:
    """Check a loss `loss(outputs, targets, **arguments)`.

    It must give one float32 loss for each example, by that example alone; its gradient must be that of finite
    differences; and it must be finite for large outputs. For classification, outputs are logits (example, class) and
    targets classes (example,), int64; else both are numbers (example, output).
    """
    from paribus.training.torch import user_checks

    user_checks.check_loss(loss, outputs=outputs, task=task, arguments=arguments, examples=examples)


def check_activation(activation: Callable[[Tensor], Tensor], *, units: int = 64) -> None:
    """Check an activation, a function of tensors (example, unit) or a module without parameters.

    It must keep shape and type, treat each unit alone and the same twice, change nothing in place, be finite with a
    finite derivative from -10,000 to 10,000, and have the gradient of finite differences.
    """
    from paribus.training.torch import user_checks

    user_checks.check_activation(activation, units=units)
