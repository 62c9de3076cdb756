"""Which keys go with which split."""

import pytest
from pydantic import ValidationError

from paribus.spec.data import Data
from paribus.spec.split import Split

GOOD = [
    ({"by": "random", "validation": 0.2, "test": 0.2}, True),
    ({"by": "random", "test": 0.2}, False),
    ({"by": "stratified", "validation": 0.1}, True),
    ({"by": "group", "column": "patient", "test": 0.2}, False),
    ({"by": "time", "column": "day", "validation": 0.1, "test": 0.2}, False),
    ({"by": "folds", "folds": 5}, True),
    ({"by": "folds", "folds": 5, "column": "patient", "validation": 0.2}, True),
    ({"by": "folds", "folds": 5, "stratify": False}, True),
    ({"by": "given", "column": "part"}, False),
    ({"by": "given", "index": {"test": "test.txt"}}, False),
    ({"by": "given", "validation": 0.25}, True),
    ({"by": "all"}, False),
    ({"by": "scarce"}, True),
]


@pytest.mark.parametrize(("split", "drawn_anew"), GOOD)
def test_keys_that_go_together(split, drawn_anew):
    assert Split.model_validate(split).is_drawn_anew == drawn_anew


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"by": "group", "test": 0.2}, "needs column"),
        ({"by": "time", "test": 0.2}, "needs column"),
        ({"by": "folds"}, "needs folds"),
        ({"by": "folds", "folds": 1}, "greater than or equal to 2"),
        ({"by": "folds", "folds": 5, "test": 0.2}, "tests each replicate on one part"),
        ({"by": "random", "folds": 5, "test": 0.2}, "goes with by = 'folds'"),
        ({"by": "random", "stratify": False, "test": 0.2}, "choose 'random' or 'stratified'"),
        ({"by": "random", "column": "a", "test": 0.2}, "split.column goes with"),
        ({"by": "random", "index": {"test": "a"}, "test": 0.2}, "split.index goes with"),
        ({"by": "given", "index": {"test": "a"}, "column": "b"}, "not both"),
        ({"by": "given", "index": {}}, "must name a file"),
        ({"by": "given", "column": "part", "validation": 0.2}, "does not go with column or index"),
        ({"by": "given", "test": 0.2}, "split.test goes with"),
        ({"by": "all", "test": 0.2}, "split.test goes with"),
        ({"by": "scarce", "test": 0.2}, "split.test goes with"),
        ({"by": "random"}, "needs validation or test"),
        ({"by": "time", "column": "day"}, "needs validation or test"),
        ({"by": "random", "validation": 0.5, "test": 0.5}, "leaves nothing"),
        ({"by": "random", "test": 1.0}, "less than 1"),
        ({"by": "random", "test": -0.1}, "greater than or equal to 0"),
        ({"by": "random", "test": "a fifth"}, "number"),
    ],
)
def test_keys_that_do_not(split, words):
    with pytest.raises(ValidationError, match=words):
        Data.model_validate({"source": "a.csv", "split": split})
