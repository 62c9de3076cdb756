"""Mistakes about splits, missing values and scaling: one line each, exit code 2, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_mistakes import refused

Paribus = Callable[..., Any]

STUDY = """\
name = "own"
question = "Does it learn?"
replicates = 2
[data]
{data}
[network]
hidden = [4]
[optimizer]
kind = "adam"
lr = 0.01
[training]
epochs = 2
batch_size = 1
[[arms]]
name = "one"
"""
ROWS = """\
who,day,part,size,weight,empty,kind
a,2024-01-01,train,1,2.5,,x
a,2024-01-02,train,2,3.5,,x
b,2024-01-03,val,3,4.5,,x
b,,test,4,,,x
,2024-01-05,tset,5,6.5,,y
c,tomorrow,,6,7.5,,y
c,2024-01-07,train,7,8.5,,y
d,2024-01-08T10:00Z,train,8,9.5,,z
"""
TABLE = 'source = "t.csv"\ntarget = "{target}"\ninputs = {{ keep = ["{keep}"] }}\n'

IRIS: list[tuple[str, str]] = [
    ("{ by = 'random' }", "split.by = 'random' needs validation or test above 0"),
    ("'random'", "needs validation or test above 0"),
    ("{ by = 'random', test = 1.0 }", "key data.split.test: must be below 1, got 1.0"),
    ("{ by = 'random', test = -0.1 }", "key data.split.test: must be at least 0"),
    ("{ by = 'random', test = nan }", "key data.split.test: must be a finite number"),
    ("{ by = 'random', test = '20%' }", "key data.split.test: must be a number, got '20%'"),
    ("{ by = 'random', test = true }", "key data.split.test: must be a number"),
    ("{ by = 'random', validation = 0.5, test = 0.5 }", "which leaves nothing for training"),
    ("{ by = 'random', test = 0.001 }", "data.split.test: must hold out at least one example, got 0.001"),
    ("{ by = 'random', validation = 0.001, test = 0.5 }", "data.split.validation: must hold out at least one example"),
    ("{ by = 'stratified', test = 0.999 }", "data.split.test: must leave at least one example for training"),
    ("{ by = 'randm', test = 0.2 }", "split.test goes with by = 'random'"),
    ("'randm'", "data.split.by: must be a split of sklearn:iris, got 'randm'; did you mean random?"),
    ("'given'", "add column or index"),
    ("'scarce'", "data.split.by: must be a split of sklearn:iris"),
    ("{ by = 'all', test = 0.2 }", "split.test goes with"),
    ("{ by = 'group', test = 0.2 }", "split.by = 'group' needs column"),
    ("{ by = 'time', test = 0.2 }", "split.by = 'time' needs column"),
    (
        "{ by = 'group', column = 'who', test = 0.2 }",
        "data.split.column: must be a column of the data",
    ),
    ("{ by = 'group', column = 3, test = 0.2 }", "key data.split.column: must be text, got 3"),
    ("{ by = 'group', column = '', test = 0.2 }", "key data.split.column: must not be empty"),
    ("{ by = 'folds' }", "split.by = 'folds' needs folds"),
    ("{ by = 'folds', folds = 1 }", "key data.split.folds: must be at least 2, got 1"),
    ("{ by = 'folds', folds = 2.5 }", "key data.split.folds: must be a whole number"),
    ("{ by = 'folds', folds = 151 }", "data.split.folds: must be at most the number of examples, 150, got 151"),
    ("{ by = 'folds', folds = 5, test = 0.2 }", "split.test does not go with by = 'folds'"),
    ("{ by = 'folds', folds = 2, validation = 0.6 }", "must leave at least one example for training"),
    ("{ by = 'random', folds = 5, test = 0.2 }", "split.folds goes with by = 'folds'"),
    ("{ by = 'random', stratify = false, test = 0.2 }", "choose 'random' or 'stratified'"),
    ("{ by = 'folds', folds = 5, stratify = 1 }", "key data.split.stratify: must be true or false"),
    ("{ by = 'random', colunm = 'who', test = 0.2 }", "did you mean column?"),
    ("{ by = 'given', index = {} }", "index must name a file"),
    ("{ by = 'given', index = { test = 'none.txt' } }", "correct data.split.index.test"),
    ("{ by = 'given', index = { tset = 'i.txt' } }", "did you mean test?"),
    ("{ by = 'given', index = { test = 'i.txt' }, column = 'who' }", "column or index, and not both"),
    ("{ by = 'given', index = { test = 'i.txt' }, validation = 0.1 }", "does not go with column or index"),
    ("{ by = 'given', index = { test = 'i.txt' } }", "must have a row number from 0 to 149 in each line, got '150'"),
    ("{ by = 'given', index = { test = 't.csv' } }", "must have a row number from 0 to 149 in each line"),
    ("{ by = 'given', index = { validation = 'j.txt', test = 'j.txt' } }", "must list no row that is for validation"),
    ("{ by = 'random', test = 0.2 }\nmissing = 'drop'", "key data.missing: must be 'refuse', 'median', 'mean' or"),
    ("{ by = 'random', test = 0.2 }\nscale = 'standardize'", "key data.scale: must be"),
    ("{ by = 'random', test = 0.2 }\nscale_target = 'standardise'", "key data.scale_target: needs numbers"),
    ("{ by = 'random', test = 0.2 }\nscale_target = 'log'", "key data.scale_target: must be"),
]


@pytest.mark.parametrize(("split", "words"), IRIS)
def test_a_wrong_split(paribus: Paribus, recorded: Path, split: str, words: str) -> None:
    Path("own.toml").write_text(STUDY.format(data=f'source = "sklearn:iris"\nsplit = {split}'), encoding="utf-8")
    Path("t.csv").write_text(ROWS, encoding="utf-8")
    Path("i.txt").write_text("149\n150\n", encoding="utf-8")
    Path("j.txt").write_text("3\n", encoding="utf-8")
    assert words in refused(paribus, recorded, "run", "own.toml")


CSV: list[tuple[str, str, str, str]] = [
    ("kind", "size", "{ by = 'stratified', test = 0.25 }", "and class z has 1 example"),
    ("kind", "size", "{ by = 'folds', folds = 2 }", "and class z has 1 example"),
    ("kind", "size", "{ by = 'group', column = 'who', test = 0.25 }", "got nothing in row 4 of column who"),
    ("kind", "size", "{ by = 'group', column = 'whom', test = 0.25 }", "did you mean who?"),
    ("kind", "size", "{ by = 'time', column = 'day', test = 0.25 }", "got nothing in row 3 of column day"),
    ("kind", "size", "{ by = 'time', column = 'who', test = 0.25 }", "nothing in row 4"),
    ("kind", "size", "{ by = 'time', column = 'part', test = 0.25 }", "nothing in row 5"),
    ("kind", "size", "{ by = 'given', column = 'part' }", "got 'tset' in row 4 of column part"),
    ("kind", "size", "{ by = 'given', column = 'who' }", "must have train, validation or test in every row, got 'a'"),
    ("kind", "weight", "{ by = 'random', test = 0.25 }", "must have no missing values, got one in row 3"),
    ("kind", "empty", "{ by = 'random', test = 0.25 }\nmissing = 'mean'", "column empty"),
    ("kind", "size", "{ by = 'folds', folds = 5, column = 'part' }", "nothing in row 5"),
]


@pytest.mark.parametrize(("target", "keep", "split", "words"), CSV)
def test_a_table_that_cannot_be_split_so(
    paribus: Paribus, recorded: Path, target: str, keep: str, split: str, words: str
) -> None:
    data = TABLE.format(target=target, keep=keep) + f"split = {split}"
    Path("own.toml").write_text(STUDY.format(data=data), encoding="utf-8")
    Path("t.csv").write_text(ROWS, encoding="utf-8")
    assert words in refused(paribus, recorded, "plan", "own.toml")
