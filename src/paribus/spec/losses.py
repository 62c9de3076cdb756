"""Losses. Each is declared here once.

Their arithmetic is in `classification_losses.py`, `robust_losses.py` and `regression_losses.py` of `training/cpu/`, and
in `losses.py` and `robust_losses.py` of `training/torch/`; that of modules in its `module_training.py` and
`robust_criteria.py`.
"""

# Tables are frozen, which pyright cannot see: so each kind may narrow the type of its base's `kind`.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, Len
from pydantic import BeforeValidator, Field, Strict

from paribus.spec.fields import Arguments, FileAndName, Fraction, Frozen, Negative, Positive, named
from paribus.spec.label_noise import Transitions

Task = Literal["classification", "regression", "reconstruction"]


class LossBase(Frozen):
    """What is known of a loss besides its arithmetic.

    `label` is its name for people. `tasks` are those that it can serve: a loss of classes compares outputs with the
    class of each example, any other with numbers. `outputs_for` gives the width of the last layer.
    One that `remembers` has targets of its own for each training example, which it makes of earlier predictions.
    """

    kind: str
    label: ClassVar[str]
    tasks: ClassVar[tuple[Task, ...]]
    remembers: ClassVar[bool] = False

    @property
    def has_classes(self) -> bool:
        """Whether it is of classes alone: targets are classes, and outputs can be right or wrong."""
        return self.tasks == ("classification",)

    def outputs_for(self, targets: int) -> int:
        """The number of outputs for this many classes, or numbers to be predicted."""
        return targets

    @property
    def evaluated(self) -> LossBase:
        """The loss that is evaluated where this one is minimised: itself, but for what softens labels in training."""
        return self


class CrossEntropy(LossBase):
    """`torch.nn.CrossEntropyLoss`. `class_weights` has one weight for each class, in the order of the classes."""

    kind: Literal["cross-entropy"] = "cross-entropy"
    label_smoothing: Fraction = 0.0
    class_weights: Annotated[tuple[Positive, ...], Len(2, 1000)] | None = None
    label: ClassVar[str] = "cross-entropy"
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)

    @property
    def evaluated(self) -> LossBase:
        return self.model_copy(update={"label_smoothing": 0.0})


class BinaryCrossEntropy(LossBase):
    """`torch.nn.BCEWithLogitsLoss` with one output for two classes."""

    kind: Literal["binary-cross-entropy"]
    label: ClassVar[str] = "binary cross-entropy"
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)

    def outputs_for(self, targets: int) -> int:
        if targets != 2:
            raise ValueError(f"binary-cross-entropy needs 2 classes, and the data have {targets}")
        return 1


class GeneralisedCrossEntropy(LossBase):
    """(1 - p**q) / q of the probability p of the example's class: cross-entropy as q nears 0, and 1 - p at q = 1.

    An example's gradient is that of cross-entropy times p**q, so that improbable labels count for less. Zhang,
    Sabuncu: "Generalized cross entropy loss for training deep neural networks with noisy labels" (2018), equation 6;
    the default is theirs.
    """

    kind: Literal["generalised-cross-entropy"]
    q: Annotated[float, Strict(), Ge(0.01), Le(1)] = 0.7
    label: ClassVar[str] = "generalised cross-entropy"
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)


class SymmetricCrossEntropy(LossBase):
    """`alpha` times cross-entropy plus `beta` times reverse cross-entropy, in which the label is the prediction.

    With the probability p of the example's class, the second is -`log_zero` (1 - p): the logarithm of the label's
    zeros is taken to be `log_zero`. Wang et al.: "Symmetric cross entropy for robust learning with noisy labels"
    (2019), equations 5 to 8; the defaults are theirs for CIFAR-10.
    """

    kind: Literal["symmetric-cross-entropy"]
    alpha: Positive = 0.1
    beta: Positive = 1.0
    log_zero: Negative = -4.0
    label: ClassVar[str] = "symmetric cross-entropy"
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)


class _Bootstrapping(LossBase):
    """Cross-entropy with targets of which the share `beta` is the label, and the rest what the network predicts.

    Reed et al.: "Training deep neural networks on noisy labels with bootstrapping" (2015), equations 6 and 7; the
    defaults of `beta` are theirs. What is evaluated is cross-entropy.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("classification",)

    @property
    def evaluated(self) -> LossBase:
        return CrossEntropy()


class SoftBootstrapping(_Bootstrapping):
    """Bootstrapping by the predicted probabilities, which have a gradient of their own: this adds 1 - `beta` times
    their entropy to `beta` times cross-entropy."""

    kind: Literal["soft-bootstrapping"]
    beta: Fraction = 0.95
    label: ClassVar[str] = "soft bootstrapping"


class HardBootstrapping(_Bootstrapping):
    """Bootstrapping by the most probable class."""

    kind: Literal["hard-bootstrapping"]
    beta: Fraction = 0.8
    label: ClassVar[str] = "hard bootstrapping"


class EarlyLearningRegularisation(LossBase):
    """Cross-entropy plus `strength` times log(1 - t p): it keeps probabilities p near to what the network predicted.

    The targets t of each example begin at 0. Before each use they become `momentum` times themselves plus the rest
    times p; p lies between 0.0001 and 0.9999 there, and adds up to 1 in t. Liu et al.: "Early-learning regularization
    prevents memorization of noisy labels" (2020), equations 6 and 9; the defaults are theirs for CIFAR-10 with
    symmetric noise. What is evaluated is cross-entropy.
    """

    kind: Literal["early-learning-regularisation"]
    strength: Positive = 3.0
    momentum: Fraction = 0.7
    label: ClassVar[str] = "early-learning regularisation"
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    remembers: ClassVar[bool] = True

    @property
    def evaluated(self) -> LossBase:
        return CrossEntropy()


class ForwardCorrection(LossBase):
    """Cross-entropy of the probabilities of given labels: predicted probabilities of true classes, times `matrix`.

    `matrix` has, for each true class (row) and each given one (column), the probability that examples of the first are
    labelled as the second; without one, it is that of `data.label_noise`. Patrini et al.: "Making deep neural networks
    robust to label noise: a loss correction approach" (2017), theorem 2.
    """

    kind: Literal["forward-correction"]
    matrix: Transitions | None = None
    label: ClassVar[str] = "forward correction"
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)


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
    CrossEntropy
    | BinaryCrossEntropy
    | GeneralisedCrossEntropy
    | SymmetricCrossEntropy
    | SoftBootstrapping
    | HardBootstrapping
    | EarlyLearningRegularisation
    | ForwardCorrection
    | MeanSquaredError
    | MeanAbsoluteError
    | Huber
    | FunctionLoss,
    Field(discriminator="kind"),
    named("cross-entropy"),
    BeforeValidator(_function_written_out),
]
