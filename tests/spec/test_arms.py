from __future__ import annotations

from typing import Any

import pytest

from paribus.errors import UserError
from paribus.spec.arms import arm_entries
from paribus.spec.places import Place

HERE = Place("here")


def names(factors: dict[str, Any]) -> list[str]:
    return [entry["name"] for _, entry in arm_entries({"factors": factors}, HERE)]


def test_factors_are_crossed_and_arms_named_after_their_levels() -> None:
    found = names({"optimizer.lr": [0.001, 0.01], "optimizer.nesterov": [True]})
    assert found == ["lr=0.001, nesterov=true", "lr=0.01, nesterov=true"]


def test_a_level_that_is_a_table_is_named_by_its_kind() -> None:
    assert names({"schedule": ["constant", {"kind": "cosine"}, {"kind": "cosine", "min_lr": 1e-5}]}) == [
        "schedule=constant",
        "schedule=cosine",
        "schedule=cosine(min_lr=1e-05)",
    ]
    assert names({"data.limit": [{"train": 50, "test": 60}]}) == ["limit=(train=50, test=60)"]


def test_levels_land_in_their_tables() -> None:
    entries = arm_entries({"factors": {"optimizer.lr": [0.1], "network.hidden": [[32, 16]]}}, HERE)
    assert entries == [
        ("factors", {"name": "lr=0.1, hidden=32-16", "optimizer": {"lr": 0.1}, "network": {"hidden": [32, 16]}})
    ]


def test_levels_that_are_tables_are_not_shared_between_arms() -> None:
    table = {"kind": "constant"}
    (_, first), (_, second) = arm_entries({"factors": {"schedule": [table], "seed": [1, 2]}}, HERE)
    assert first["schedule"] is not second["schedule"]
    assert first["schedule"] is not table


@pytest.mark.parametrize(
    "factors",
    [
        pytest.param({}, id="none"),
        pytest.param([], id="list"),
        pytest.param(3, id="number"),
        pytest.param({"optimizer.lr": 0.1}, id="level-not-in-list"),
        pytest.param({"optimizer.lr": []}, id="no-levels"),
        pytest.param({"optimizer": {"lr": [0.1]}}, id="table-instead-of-dotted-key"),
        pytest.param({"optimizer..lr": [0.1]}, id="empty-word"),
        pytest.param({"": [0.1]}, id="empty-key"),
        pytest.param({"name": ["a"]}, id="name"),
        pytest.param({"optimizer": [{"kind": "sgd"}], "optimizer.lr": [0.1]}, id="one-factor-in-another"),
        pytest.param({"optimizer.lr": list(range(101)), "seed": list(range(100))}, id="too-many"),
    ],
)
def test_factors_that_cannot_be_crossed_are_refused(factors: Any) -> None:
    with pytest.raises(UserError, match="key factors"):
        arm_entries({"factors": factors}, HERE)


@pytest.mark.parametrize("arms", [[], {}, 3, "plain", [3], [{"name": "a"}, 3]])
def test_arms_that_are_no_tables_are_refused(arms: Any) -> None:
    with pytest.raises(UserError, match="must be a list of tables"):
        arm_entries({"arms": arms}, HERE)


def test_arms_and_factors_exclude_each_other() -> None:
    with pytest.raises(UserError, match="got both"):
        arm_entries({"arms": [{}], "factors": {"seed": [1]}}, HERE)
    with pytest.raises(UserError, match="got neither"):
        arm_entries({}, HERE)
