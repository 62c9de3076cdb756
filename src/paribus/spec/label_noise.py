"""Wrong labels that are made on purpose for training."""

# Tables are frozen, which pyright cannot see: so each kind may narrow the type of its base's `kind`.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, cast

from annotated_types import Len
from pydantic import AfterValidator, BeforeValidator, Field

from paribus.spec.fields import ClosedFraction, Flag, Fraction, Frozen

DEFAULT_KIND: Final = "symmetric"
_SUM_TOLERANCE: Final = 1e-6


def _square(rows: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    for i, row in enumerate(rows):
        if len(row) != len(rows):
            raise ValueError(f"must be square: it has {len(rows)} rows, and row {i + 1} has {len(row)} numbers")
        if abs(math.fsum(row) - 1) > _SUM_TOLERANCE:
            raise ValueError(f"must have rows that add up to 1, and row {i + 1} adds up to {math.fsum(row):.6g}")
    return rows


Transitions = Annotated[
    tuple[Annotated[tuple[ClosedFraction, ...], Len(2, 1000)], ...], Len(2, 1000), AfterValidator(_square)
]
"""Probabilities by true class (row) and given class (column), in the order of the classes. Rows add up to 1."""


class LabelNoiseBase(Frozen, ABC):
    """A way to make training labels wrong.

    With `validation`, the labels of validation examples are made wrong in the same way, as in data that nobody has
    cleaned. Those that are held out of the noisy training examples of a source are so in any case.
    """

    kind: str
    validation: Flag = False

    @property
    @abstractmethod
    def changes_labels(self) -> bool:
        """Whether it makes any label wrong."""

    @abstractmethod
    def transitions(self, classes: int) -> tuple[tuple[float, ...], ...] | None:
        """The probability of each given class (column) for each true one (row); None where it depends on the example.

        Raises ValueError where it is for another number of classes.
        """


class _ByShare(LabelNoiseBase):
    """Noise of one strength for all examples."""

    share: Fraction

    @property
    def changes_labels(self) -> bool:
        return self.share > 0


class SymmetricNoise(_ByShare):
    """A `share` of the labels is replaced by uniformly drawn classes, their own among them."""

    kind: Literal["symmetric"] = DEFAULT_KIND

    def transitions(self, classes: int) -> tuple[tuple[float, ...], ...]:
        return _mixed(self.share, [[1 / classes] * classes] * classes)


class PairNoise(_ByShare):
    """A `share` of the labels is replaced by the class that follows, the last class by the first.

    Han et al.: "Co-teaching" (2018), figure 1.
    """

    kind: Literal["pair"]

    def transitions(self, classes: int) -> tuple[tuple[float, ...], ...]:
        return _mixed(self.share, [[float(j == (i + 1) % classes) for j in range(classes)] for i in range(classes)])


class MatrixNoise(LabelNoiseBase):
    """An example of class i (row) is labelled as class j (column) with a probability of the `matrix`.

    Patrini et al.: "Making deep neural networks robust to label noise" (2017).
    """

    kind: Literal["matrix"]
    matrix: Transitions

    @property
    def changes_labels(self) -> bool:
        return any(row[i] < 1 for i, row in enumerate(self.matrix))

    def transitions(self, classes: int) -> tuple[tuple[float, ...], ...]:
        if len(self.matrix) != classes:
            raise ValueError(f"must have a row for each of the {classes} classes")
        return self.matrix


class InstanceNoise(_ByShare):
    """Each label is wrong with a probability of its own, and as what depends on the example's features.

    The probabilities are normal around `share` with standard deviation 0.1, within 0 and 1. A wrong class is drawn with
    probabilities that are the softmax of random linear functions of the features, others for each true class. Xia et
    al.: "Part-dependent label noise" (2020), algorithm 2. Features are scaled to [0, 1] by their least and greatest
    value.
    """

    kind: Literal["instance"]

    def transitions(self, classes: int) -> None:  # noqa: ARG002
        return None


def _mixed(share: float, replaced: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """A `share` of the labels is replaced as those rows say, and the rest is kept."""
    return tuple(
        tuple(share * to + (1 - share) * (i == j) for j, to in enumerate(row)) for i, row in enumerate(replaced)
    )


def _written_out(value: Any) -> Any:
    """A number is a share, and a table without `kind` is of the default kind."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = {"share": value}
    return {"kind": DEFAULT_KIND, **cast("dict[str, Any]", value)} if isinstance(value, dict) else value


def _with_wrong_labels(noise: LabelNoiseBase | None) -> LabelNoiseBase | None:
    """Noise that changes no label is the same recipe as no label noise at all."""
    return noise if noise is not None and noise.changes_labels else None


LabelNoise = Annotated[
    Annotated[
        SymmetricNoise | PairNoise | MatrixNoise | InstanceNoise,
        Field(discriminator="kind"),
        BeforeValidator(_written_out),
    ]
    | None,
    AfterValidator(_with_wrong_labels),
]
"""Label noise of one kind, or none. A number is short for `{ share = ... }`, which is symmetric."""
