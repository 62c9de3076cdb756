"""How the examples of a source are split into training, validation and test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self, get_args

from annotated_types import Ge, Le
from pydantic import BeforeValidator, Strict, StringConstraints, model_validator

from paribus.spec.fields import Flag, Fraction, Frozen, SourceName

SplitKind = Literal["random", "stratified", "group", "time", "folds"]
"""How paribus itself splits a source that has no splits of its own."""

SPLIT_KINDS: tuple[str, ...] = get_args(SplitKind)
_WITH_SHARES = ("random", "stratified", "group", "time")

ColumnName = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=200)]


class IndexFiles(Frozen):
    """Text files that list the rows of each split: one row number a line, counted from 0, beside the study file.

    Without `train`, every example that no other file lists is for training.
    """

    train: SourceName | None = None
    validation: SourceName | None = None
    test: SourceName | None = None

    @model_validator(mode="after")
    def _some_file(self) -> Self:
        if self.train is None and self.validation is None and self.test is None:
            raise ValueError("index must name a file for train, validation or test")
        return self


class Within(Frozen):
    """A split whose examples for training and validation are divided once more, into folds; its test examples are left
    alone. A name is short for a table with that `by`. The keys are those of `Split`.
    """

    by: str
    validation: Fraction = 0.0
    test: Fraction = 0.0
    column: ColumnName | None = None
    index: IndexFiles | None = None

    @model_validator(mode="after")
    def _no_folds(self) -> Self:
        if self.by == "folds":
            raise ValueError("within.by must not be 'folds', which leave no test examples alone")
        self.as_split()
        return self

    def as_split(self) -> Split:
        """The same as a split of its own."""
        return Split(by=self.by, validation=self.validation, test=self.test, column=self.column, index=self.index)


def _by_name(value: Any) -> Any:
    return {"by": value} if isinstance(value, str) else value


class Split(Frozen):
    """How examples are split. A name is short for a table with that `by` and nothing else.

    `by` is one of

    - random: drawn at random.
    - stratified: drawn at random within each class, so that every split has nearly the same share of each class.
    - group: all examples with one value of `column` are in one split.
    - time: sorted by `column`. Training examples come first, then validation, then test; equal times stay together.
    - folds: replicate r is tested on part r mod `folds`. Parts are stratified where there are classes, unless
      `stratify` is false or `column` names groups, which then stay together. `within` is a split whose test examples
      are left alone: one that the source has itself, of which only the training examples are divided, or one that is
      drawn or given, of which those for training and validation are.
    - given: by the split names in `column`, by `index` files, or as the file itself has its splits.
    - all: everything is for training.
    - the name of a split that a built-in source declares.

    `validation` and `test` are shares of all examples. The test split is the same in every replicate (except by
    folds), and each replicate draws validation from the other examples. For "all", and for a source with splits of its
    own, `validation` holds out a share of the training examples, with labels as training has them; the split must then
    have no validation examples of its own.
    """

    by: str
    validation: Fraction = 0.0
    test: Fraction = 0.0
    column: ColumnName | None = None
    folds: Annotated[int, Strict(), Ge(2), Le(1_000_000)] | None = None
    stratify: Flag = True
    within: Annotated[Within, BeforeValidator(_by_name, json_schema_input_type=ColumnName | Within)] | None = None
    index: IndexFiles | None = None

    @property
    def is_drawn_anew(self) -> bool:
        """Whether replicates differ in their training examples. A split that a source declares may be random."""
        if self.by in ("all", "given", *_WITH_SHARES):
            return self.by != "time" and self.validation > 0
        return True

    @model_validator(mode="after")
    def _keys_belong_to_by(self) -> Self:
        for problem in (*_about_keys(self), *_about_shares(self)):
            raise ValueError(problem)
        return self


def _about_keys(split: Split) -> Iterator[str]:
    by = split.by
    if by in ("group", "time") and split.column is None:
        yield f"split.by = '{by}' needs column, the name of the column that holds the {by} of each example"
    if by == "folds" and split.folds is None:
        yield "split.by = 'folds' needs folds, the number of parts"
    if split.folds is not None and by != "folds":
        yield f"split.folds goes with by = 'folds', and not with by = '{by}'"
    if not split.stratify and by != "folds":
        yield f"split.stratify goes with by = 'folds', and not with by = '{by}': choose 'random' or 'stratified'"
    if split.within is not None and by != "folds":
        yield f"split.within goes with by = 'folds', and not with by = '{by}'"
    if split.column is not None and by not in ("group", "time", "folds", "given"):
        yield f"split.column goes with by = 'group', 'time', 'folds' or 'given', and not with by = '{by}'"
    if split.index is not None and by != "given":
        yield f"split.index goes with by = 'given', and not with by = '{by}'"
    if split.index is not None and split.column is not None:
        yield "split takes column or index, and not both"


def _about_shares(split: Split) -> Iterator[str]:
    by = split.by
    if split.test and by == "folds":
        yield "split.test does not go with by = 'folds', which tests each replicate on one part"
    elif split.test and by not in _WITH_SHARES:
        yield f"split.test goes with by = 'random', 'stratified', 'group' or 'time', and not with by = '{by}'"
    if split.validation and (split.column or split.index) and by == "given":
        yield "split.validation does not go with column or index, which say what is for validation"
    if by in _WITH_SHARES and not (split.validation or split.test):
        yield f"split.by = '{by}' needs validation or test above 0: with by = 'all' everything is for training"
    if split.validation + split.test >= 1:
        shares = f"{split.validation:g} and {split.test:g}"
        yield f"split.validation and split.test are {shares}, which leaves nothing for training"
