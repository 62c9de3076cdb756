"""Findings about data: each threshold, and sentences with the counts they rest on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from paribus.analysis.data_findings import DATA_KINDS, data_findings, data_kinds
from paribus.analysis.finding_summaries import findings
from paribus.spec.dataset import Dataset
from paribus.spec.inspection import EqualRows, Inspection, Overlap

TABLE = Dataset(
    source="t.csv", features=3, shape=(3,), classes=("no", "yes"), train=100, validation=20, test=30, held_out_of=120,
    feature_names=("age", "dose", "site=a"),
)  # fmt: skip
CALM = Inspection(train_counts=(60, 40), validation_counts=(12, 8), test_counts=(18, 12), scale_ratio=99.9,
                  largest_input=30.0, test_seen=True)  # fmt: skip
PAIR = EqualRows("train", 7, "test", 93)


def facts(**changes: Any) -> Dataset:
    return replace(TABLE, inspection=replace(CALM, **changes))


def sentences(*datasets: Dataset) -> list[str]:
    return [found.sentence for found in data_findings({"a": dict(enumerate(datasets))})]


def test_calm_data_have_no_findings() -> None:
    assert sentences(facts()) == []
    assert data_kinds(facts()) == ()
    assert data_kinds(TABLE) == ()
    assert sentences(TABLE) == []


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        (
            {"overlaps": (Overlap("train", "test", 2, (PAIR, PAIR)),)},
            "shared-examples",
            "2 of 30 test examples have the features of a training example (such as rows 93 and 7, counted from 0)",
        ),
        ({"test_counts": (30, 0)}, "missing-class", "class yes has no test example"),
        ({"train_counts": (100, 0)}, "missing-class", "class yes has no training example"),
        (
            {"conflicting": 4, "conflicts": (PAIR,)},
            "conflicting-labels",
            "4 examples have the features of an example with another label (such as rows 93 and 7, counted from 0)",
        ),
        (
            {"train_counts": (100, 10)},
            "class-imbalance",
            (
                "classes are imbalanced: no has 91 % of the training examples and yes has 9.1 %; "
                "accuracy alone says little"
            ),
        ),
        (
            {"scale_ratio": 100.0, "narrow": 1, "wide": 0},
            "different-scales",
            (
                "columns have very different scales: the values of age vary 100 times as much as those of dose; "
                'data.scale = "standardise" brings all to one scale'
            ),
        ),
        (
            {"largest_input": 999.4, "largest_feature": 1},
            "large-inputs",
            "inputs reach 999 in dose: not scaled, an outlier, or a code for a missing value",
        ),
        (
            {"zeros_and_ones": True},
            "zeros-and-ones",
            'values are 0 and 1 only, and are divided by 255; data.scale = "none" uses them as they are',
        ),
        (
            {"constant_features": 1, "constant": (2,)},
            "constant-columns",
            "1 column has one value in all training examples (site=a)",
        ),
        (
            {"missing_values": 9, "missing_features": 2, "missing": ((1, 6), (0, 3))},
            "missing-values",
            "9 values are missing in 2 features (dose 6 and age 3), and filled in",
        ),
    ],
)
def test_each_finding_says_what_it_rests_on(changes: dict[str, Any], kind: str, sentence: str) -> None:
    assert data_kinds(facts(**changes)) == (kind,)
    assert sentences(facts(**changes)) == [f"data: {sentence}."]


def test_every_kind_is_tested_above() -> None:
    (mark,) = test_each_finding_says_what_it_rests_on.pytestmark  # pyright: ignore[reportFunctionMemberAccess]
    assert {case[1] for case in mark.args[1]} == set(DATA_KINDS)


def test_classes_just_below_the_limit_are_balanced() -> None:
    assert data_kinds(facts(train_counts=(99, 10))) == ()


def test_replicates_that_differ_give_a_range() -> None:
    some = [facts(overlaps=(Overlap("train", "validation", n, (PAIR,)),)) for n in (1, 3)]
    (found,) = data_findings({"a": {0: some[0], 1: facts(), 2: some[1]}})
    assert found.replicates == (0, 2)
    assert found.sentence.startswith("data: 1 to 3 of 20 validation examples have")
    assert found.sentence.endswith("(2 of 3 replicates).")


def test_arms_with_the_same_data_are_named_together() -> None:
    odd, calm = facts(constant_features=12, constant=(0, 1, 2, 0, 1, 2, 0, 1, 2, 0)), facts()
    (found,) = data_findings({"a": {0: odd}, "b": {0: odd}, "c": {0: calm}})
    assert found.arms == ("a", "b")
    assert found.sentence.startswith("data of a and b: 12 columns have one value")
    assert found.sentence.endswith("(age, dose, site=a, age and 8 more).")


def test_a_study_shows_them_after_the_findings_about_its_runs(classifiers, steady) -> None:
    maker = classifiers(replicates=2)
    maker.dataset = replace(maker.dataset, inspection=Inspection(zeros_and_ones=True))
    for replicate in range(2):
        for arm in ("fixed", "dropped"):
            maker.run(arm, replicate, curves=steady(0))
    (found,) = findings(maker.results())
    assert (found.kind, found.arm, found.replicates, found.of) == ("zeros-and-ones", "", (0, 1), 2)
