"""What a study file says about data: the source, the task, the splits, scaling and label noise."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from paribus.spec.fields import Count, Fraction, Frozen, SourceName
from paribus.spec.losses import Task

Scale = Literal["none", "unit", "centre", "standardise"]
"""How features are scaled, with figures of the training examples only.

none: as they are. unit: bytes are divided by 255, everything else is as it is. centre: as unit, less the mean of each
feature. standardise: as centre, divided by the standard deviation of each feature.
"""


def _by_name(value: Any) -> Any:
    return {"by": value} if isinstance(value, str) else value


def _symmetric(value: Any) -> Any:
    return {"share": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class Split(Frozen):
    """How examples are split. A name is short for a table with that `by` and nothing else.

    `by` is "all" (everything is for training), "given" (the file has its splits), or the name of a split that the
    source declares. `validation` holds out a share of the training examples, with labels as training has them, where
    the split has no validation examples of its own.
    """

    by: str
    validation: Fraction = 0.0


class Limit(Frozen):
    """At most so many examples of each split: a random sample of it."""

    train: Count | None = None
    validation: Count | None = None
    test: Count | None = None


class LabelNoise(Frozen):
    """Wrong labels, made on purpose for training. A number is short for `{ share = ... }`.

    symmetric: a `share` of the training labels is replaced by uniformly drawn classes, their own among them.
    """

    kind: Literal["symmetric"] = "symmetric"
    share: Fraction


class Data(Frozen):
    """Where examples come from, and what is done with them before training.

    `source` is the name of a built-in source or the path of a file, looked for beside the study file. `task` is by
    default what the network is for: reconstruction for an autoencoder, else classification.
    """

    source: SourceName
    split: Annotated[Split, BeforeValidator(_by_name)]
    task: Task | None = None
    scale: Scale = "unit"
    label_noise: Annotated[LabelNoise, BeforeValidator(_symmetric)] | None = None
    limit: Limit = Limit()
