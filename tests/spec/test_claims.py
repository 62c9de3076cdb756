from __future__ import annotations

import pytest
from pydantic import ValidationError

from paribus.spec.claims import Claim, Published
from paribus.spec.metrics import METRICS


def claim(**changes: object) -> Claim:
    content = {
        "statement": "wide beats narrow",
        "metric": "val_accuracy",
        "better": {"arm": "wide"},
        "than": {"arm": "narrow"},
        "by": 0.005,
    }
    return Claim.model_validate({**content, **changes})


def test_a_claim_names_two_sides_and_the_smallest_effect_that_matters() -> None:
    assert (claim().better.arm, claim().than.arm, claim().by) == ("wide", "narrow", 0.005)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": "lr"}, "no better or worse"),
        ({"metric": "accuracy"}, "must be a metric"),
        ({"than": {"arm": "wide"}}, "must differ"),
        ({"by": -1e7}, "greater than or equal to -1000000"),
        ({"better": {"arm": "wide", "rule": "best"}}, "must be min-train-loss"),
    ],
)
def test_a_claim_that_cannot_be_judged_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        claim(**changes)


@pytest.mark.parametrize("value", [True, "0.8", float("nan"), 10**400, None, [1.0]])
def test_published_figures_are_finite_numbers(value: object) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        Published.model_validate({"arm": "a", "rule": "last", "val_accuracy": value})


def test_metrics_are_named_by_their_split() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        if metric.per_epoch and metric.split != "none":
            assert name.startswith(f"{metric.split}_")
