"""Losses. Each is declared here once; its arithmetic is in `losses.py` of each engine."""

# Tables are frozen, which pyright cannot see: so each kind may narrow the type of its base's `kind`.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Len
from pydantic import BeforeValidator, Field

from paribus.spec.fields import Arguments, FileAndName, Fraction, Frozen, Positive, named

Task = Literal["classification", "regression", "reconstruction"]


class LossBase(Frozen):
    """What is known of a loss besides its arithmetic.

    `label` is its name for people. `tasks` are those that it can serve: a loss of classes compares outputs with the
    class of each example, any other with numbers. `outputs_for` gives the width of the last layer.
    """

    kind: str
    label: ClassVar[str]
    tasks: ClassVar[tuple[Task, ...]]

    @property
    def has_classes(self) -> bool:
        """Whether it is of classes alone: targets are classes, and outputs can be right or wrong."""
        return self.tasks == ("classification",)

    def outputs_for(self, targets: int) -> int:
        """Outputs for so many classes, or so many numbers to be predicted."""
        return targets


class CrossEntropy(LossBase):
    """`torch.nn.CrossEntropyLoss`. `class_weights` has one weight for each class, in the order of the classes."""

    kind: Literal["cross-entropy"] = "cross-entropy"
    label_smoothing: Fraction = 0.0
    class_weights: Annotated[tuple[Positive, ...], Len(2, 1000)] | None = None
    label: ClassVar[str] = "cross-entropy"
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)


class BinaryCrossEntropy(LossBase):
    """`torch.nn.BCEWithLogitsLoss` with one output for two classes."""

    kind: Literal["binary-cross-entropy"]
    label: ClassVar[str] = "binary cross-entropy"
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)

    def outputs_for(self, targets: int) -> int:
        if targets != 2:
            raise ValueError(f"binary-cross-entropy needs 2 classes, and the data have {targets}")
        return 1


class MeanSquaredError(LossBase):
    """`torch.nn.MSELoss`."""

    kind: Literal["mse"]
    label: ClassVar[str] = "mean squared error"
    tasks: ClassVar[tuple[Task, ...]] = ("regression", "reconstruction")


class MeanAbsoluteError(LossBase):
    """`torch.nn.L1Loss`."""

    kind: Literal["l1"]
    label: ClassVar[str] = "mean absolute error"
    tasks: ClassVar[tuple[Task, ...]] = ("regression", "reconstruction")


class Huber(LossBase):
    """`torch.nn.HuberLoss`."""

    kind: Literal["huber"]
    delta: Positive = 1.0
    label: ClassVar[str] = "Huber loss"
    tasks: ClassVar[tuple[Task, ...]] = ("regression", "reconstruction")


class FunctionLoss(LossBase):
    """A function of the user's own, in the file of the network's module. The text FILE.py:NAME is short for it.

    It is called with a batch's outputs and targets, and with `arguments` by name, and gives the loss of each example:
    the mean over the batch is trained on. Outputs are logits (example, class) and targets classes (example,), int64; or
    both are numbers of one shape (example, ...). The loss of an example depends on no other example.
    """

    kind: Literal["function"]
    function: FileAndName
    arguments: Arguments = Field(default_factory=dict[str, Any])
    label: ClassVar[str] = "a loss of the study's own"
    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression", "reconstruction")

    @property
    def file(self) -> str:
        """The path of the file that has the function."""
        return self.function.rpartition(":")[0]

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.rpartition(":")[2]


def _function_written_out(value: Any) -> Any:
    return {"kind": "function", "function": value} if isinstance(value, str) and ".py:" in value else value


Loss = Annotated[
    CrossEntropy | BinaryCrossEntropy | MeanSquaredError | MeanAbsoluteError | Huber | FunctionLoss,
    Field(discriminator="kind"),
    named("cross-entropy"),
    BeforeValidator(_function_written_out),
]
