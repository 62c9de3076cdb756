from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

import pytest

from paribus.errors import UserError
from paribus.spec import builtin
from paribus.spec.network import Mlp, forward_operations
from paribus.spec.notices import notices
from paribus.spec.rules import parse_rule
from paribus.spec.study import Arm, parse


@pytest.mark.parametrize("name", builtin.NAMES)
def test_a_built_in_study_is_valid_and_named_as_it_is_called(name: str) -> None:
    study = parse(builtin.text(name), place=name)
    assert study.name == name
    assert study.replicates.count >= 2
    assert all(claim.because for claim in study.claims)
    assert not notices(study)
    assert study.claims or study.choose or study.search
    assert parse(study.document, place=name) == study


@pytest.mark.parametrize("name", ["recipe", "selection", "capacity"])
def test_studies_of_small_differences_have_eight_replicates(name: str) -> None:
    assert parse(builtin.text(name), place=name).replicates.count == 8


def test_the_cost_claim_of_capacity_asks_half_a_point_for_each_doubling_of_the_multiply_adds() -> None:
    study = parse(builtin.text("capacity"), place="capacity")
    claim = next(claim for claim in study.claims if "cost" in claim.statement)
    more, less = (multiply_adds(study.arm(end.arm)) for end in (claim.better, claim.than))
    assert claim.by == pytest.approx(0.005 * math.log2(more / less), abs=5e-5)
    for number in (f"{more:,}", f"{less:,}", f"{more / less:.2f}", f"{math.log2(more / less):.2f}"):
        assert number in claim.because


def multiply_adds(arm: Arm) -> int:
    network = arm.recipe.network
    assert isinstance(network, Mlp)
    return forward_operations((784, *network.hidden, 10)) // 2


def test_arms_of_recipe_cross_the_optimizer_with_weight_decay() -> None:
    study = parse(builtin.text("recipe"), place="recipe")
    by_optimizer: defaultdict[object, set[float]] = defaultdict(set)
    for arm in study.arms:
        optimizer = arm.recipe.optimizer
        by_optimizer[type(optimizer), optimizer.lr, getattr(optimizer, "momentum", None)].add(optimizer.weight_decay)
    assert sorted(map(sorted, by_optimizer.values())) == [[0.0], [0.0, 1e-3], [0.0, 1e-3], [0.0, 1e-3]]


def test_remedies_are_chosen_and_judged_without_a_clean_label() -> None:
    """Validation labels are held out of noisy ones; only the control's peak, which nobody deploys, is of test data."""
    study = parse(builtin.text("label-remedies"), place="label-remedies")
    plain = study.arm(study.control).recipe
    for arm in study.arms:
        data = arm.recipe.data
        assert data == plain.data
        assert (data.split.by, data.split.validation > 0) == ("noisy-labels", True)
        tested = {rule for rule in arm.recipe.selection.rules if parse_rule(rule).split == "test"}
        assert tested == ({"max-test-accuracy"} if arm.name == study.control else set())
        assert {"last", "max-val-accuracy"} <= set(arm.recipe.test.read_at)
    claimed = {claim.better.arm for claim in study.claims if claim.better.rule == "last"}
    assert claimed == {arm.name for arm in study.arms} - {study.control}


def test_any_other_name_is_a_path() -> None:
    assert builtin.find("mine.toml") == Path("mine.toml")
    text, place = builtin.find("faces")
    assert "[network]" in text
    assert place == "built-in study faces"


def test_a_name_that_is_not_built_in_is_refused() -> None:
    with pytest.raises(UserError, match="did you mean faces"):
        builtin.text("face")
