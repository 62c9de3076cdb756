from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from paribus.spec.rules import RuleName, has_settled, parse_rule, selected_epoch, settled_epoch

values = st.lists(st.floats() | st.sampled_from([0.0, 1.0, math.nan, math.inf]), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("text", "kind", "metric", "direction", "epoch"),
    [
        ("last", "last", "", 0, 0),
        ("epoch:0", "epoch", "", 0, 0),
        ("epoch:12", "epoch", "", 0, 12),
        ("min-train-loss", "best", "train_loss", -1, 0),
        ("min-val-loss", "best", "val_loss", -1, 0),
        ("max-val-accuracy", "best", "val_accuracy", 1, 0),
        ("max-test-accuracy", "best", "test_accuracy", 1, 0),
    ],
)
def test_a_rule_is_read(text: str, kind: str, metric: str, direction: int, epoch: int) -> None:
    rule = parse_rule(text)
    assert (rule.kind, rule.metric, rule.direction, rule.epoch) == (kind, metric, direction, epoch)


@pytest.mark.parametrize(
    "text",
    ["", "best", "epoch", "epoch:", "epoch:x", "epoch:-1", "epoch:²", "max-val-loss", "min-lr", "min-mse", "min-"],
)
def test_any_other_text_is_no_rule(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_rule(text)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("epoch:03", "epoch:3"),
        ("epoch:3", "epoch:3"),
        ("epoch:000", "epoch:0"),
        ("last", "last"),
        ("min-val-loss", "min-val-loss"),
    ],
)
def test_a_rule_has_one_spelling(text: str, normal: str) -> None:
    assert TypeAdapter(RuleName).validate_python(text) == normal


def test_a_rule_is_text() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(RuleName).validate_python(3)


@given(values)
def test_the_best_epoch_is_the_first_of_the_finite_best(curve: list[float]) -> None:
    finite = [value for value in curve if math.isfinite(value)]
    for text, metric, best in (("min-val-loss", "val_loss", min), ("max-val-accuracy", "val_accuracy", max)):
        epoch = selected_epoch(parse_rule(text), {metric: curve}, len(curve))
        assert epoch == (curve.index(best(finite)) + 1 if finite else None)


@given(values)
def test_choosing_during_training_agrees_with_choosing_afterwards(curve: list[float]) -> None:
    rule = parse_rule("min-val-loss")
    chosen, best = None, None
    for epoch, value in enumerate(curve, start=1):
        if rule.improves(value, best):
            chosen, best = epoch, value
    assert chosen == selected_epoch(rule, {"val_loss": curve}, len(curve))


def test_epochs_beyond_the_end_are_not_chosen() -> None:
    assert selected_epoch(parse_rule("epoch:5"), {}, 4) is None
    assert selected_epoch(parse_rule("epoch:4"), {}, 4) == 4
    assert selected_epoch(parse_rule("epoch:0"), {}, 4) == 0
    assert selected_epoch(parse_rule("last"), {}, 4) == 4
    assert selected_epoch(parse_rule("min-val-loss"), {"val_loss": [3.0, 2.0, 1.0]}, 2) == 2


def test_a_loss_settles_when_it_falls_less_than_the_threshold() -> None:
    falling_then_flat = [1.0, 0.8, 0.6, 0.4, 0.4, 0.4, 0.4]
    assert settled_epoch(falling_then_flat, window=2, threshold=0.01) == 7
    assert settled_epoch([1.0, 0.5, 0.25, 0.125], window=2, threshold=0.01) is None
    assert has_settled([1.0, 1.0, 0.995, 0.995], threshold=0.01)
    assert not has_settled([1.0, 1.0, 0.98, 0.98], threshold=0.01)
