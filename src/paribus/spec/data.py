"""What a study file says about data: the source, the task, the splits, scaling and label noise."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, cast

from annotated_types import Len
from pydantic import AfterValidator, BeforeValidator, Strict, StringConstraints, model_validator

from paribus.spec.fields import Count, Fraction, Frozen, Seed, SourceName
from paribus.spec.label_noise import LabelNoise
from paribus.spec.losses import Task
from paribus.spec.split import Split

Scale = Literal["none", "unit", "centre", "standardise"]
"""How features are scaled, with figures of the training examples only.

none: as they are. unit: bytes are divided by 255, everything else is as it is. centre: as unit, less the mean of each
feature. standardise: as centre, divided by the standard deviation of each feature.
"""

TargetScale = Literal["standardise", "none"]
"""How the numbers of a regression are scaled for training, with figures of the training examples only.

standardise: less their mean, divided by their standard deviation, so that one learning rate serves targets of every
size. none: as they are. Metrics are in original units either way.
"""

Missing = Literal["refuse", "median", "mean", "most-frequent"]
"""What takes the place of missing values of features: nothing, or a figure of each feature's training examples.

refuse: data with missing values are refused. A missing category is always replaced by the most frequent one.
"""


def _by_name(value: Any) -> Any:
    return {"by": value} if isinstance(value, str) else value


def _as_keys(value: Any) -> Any:
    """A list of keys from one key. A number is a position in an archive whose arrays have no names: `arr_1`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return [f"arr_{value}"]
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple):
        return cast("list[object] | tuple[object, ...]", value)
    raise ValueError("must be a name, or a list of names")


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"must name each once, and names {name!r} {names.count(name)} times")
    return names


Key = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=200)]
"""A column of a table, or the key of an array in an archive."""
Keys = Annotated[
    tuple[Key, ...],
    BeforeValidator(_as_keys, json_schema_input_type=int | str | list[Key]),
    AfterValidator(_each_once),
    Len(0, 65_536),
]


def _inputs_written_out(value: Any) -> Any:
    if isinstance(value, int | str) and not isinstance(value, bool):
        return {"key": value}
    if isinstance(value, list | tuple):
        return {"keep": cast("list[object] | tuple[object, ...]", value)}
    return value


def _as_key(value: Any) -> Any:
    return f"arr_{value}" if isinstance(value, int) and not isinstance(value, bool) else value


def _as_size(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


Layout = Literal["rows", "columns", "channels-last", "channels-first"]
"""Which axis of an array is which.

rows: examples come first. columns: examples come last. channels-last: (example, row, column, channel). channels-first:
(example, channel, row, column).
"""


class Inputs(Frozen):
    """What of a source a network sees. A name is short for `{ key = ... }`, and a list for `{ keep = [...] }`.

    Of an archive of arrays: `key` names the array, `layout` its axes, where they are not plain; `shape` is that of one
    image whose pixels lie in a row: (height, width), or (channel, height, width).

    Of a table: `keep` names the columns, in the order of the features, or `drop` those that are not features; else all
    but the target and `split.column` are. `categorical` names columns of which each category becomes a feature of 0
    and 1.

    Of a folder of images: `resize` is the (height, width) to which each is resized, one number for squares; `colour`
    makes all of them grey, or all of them red, green and blue.
    """

    key: Annotated[Key, BeforeValidator(_as_key, json_schema_input_type=int | Key)] | None = None
    keep: Keys = ()
    drop: Keys = ()
    categorical: Keys = ()
    layout: Layout | None = None
    shape: Annotated[tuple[Count, ...], Len(2, 3)] | None = None
    resize: (
        Annotated[tuple[Count, Count], BeforeValidator(_as_size, json_schema_input_type=Count | tuple[Count, Count])]
        | None
    ) = None
    colour: Literal["grey", "rgb"] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.keep and self.drop:
            raise ValueError("inputs takes keep or drop, and not both")
        return self


class Limit(Frozen):
    """At most this many examples of each split: a random sample of it."""

    train: Count | None = None
    validation: Count | None = None
    test: Count | None = None


class Planted(Frozen):
    """Wrong labels, planted on purpose to see whether they are found: a `share` of all examples that are divided.

    Which examples these are, and which other class each gets, is drawn from `seed` and the row, so that an example is
    wrong in every replicate and in every split. `after` is the share that lies before them in the same draw: equal
    seeds with {share = 0.05} and {share = 0.05, after = 0.05} plant in different examples.
    """

    share: Fraction
    seed: Seed = 0
    after: Fraction = 0.0

    @model_validator(mode="after")
    def _within_all(self) -> Self:
        if not 0 < self.share <= 1 - self.after:
            raise ValueError("planted.share must be above 0, and at most 1 together with planted.after")
        return self


class Data(Frozen):
    """Where examples come from, and what is done with them before training.

    `source` is the name of a built-in source or the path of a file or folder, looked for beside the study file. `task`
    is by default what the network is for: reconstruction for an autoencoder, else classification.

    `target` is what a network learns to give: a column, the key of an array or its position; several columns for a
    regression of several numbers. The task decides how it is read: as classes, or as numbers. `inputs` says what a
    network sees.

    Missing values are filled in before features are scaled. Both, and `scale_target`, are fitted on the training
    examples of each replicate alone, after `limit`, and applied to every split.

    `label_noise` changes training labels, `planted` those of every split.
    """

    source: SourceName
    split: Annotated[Split, BeforeValidator(_by_name)]
    task: Task | None = None
    target: Keys = ()
    inputs: Annotated[
        Inputs, BeforeValidator(_inputs_written_out, json_schema_input_type=int | str | list[Key] | Inputs)
    ] = Inputs()
    missing: Missing = "refuse"
    scale: Scale = "unit"
    scale_target: TargetScale = "standardise"
    label_noise: LabelNoise = None
    planted: Planted | None = None
    limit: Limit = Limit()
