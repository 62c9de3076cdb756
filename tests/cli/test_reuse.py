from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paribus.cli.reuse import differing_keys

Paribus = Callable[..., Any]


def test_equal_mappings_do_not_differ() -> None:
    recipe = {"optimizer": {"kind": "sgd", "lr": 0.1}, "network": {"layers": [784, 4, 10]}, "epochs": 3}
    assert differing_keys(recipe, recipe) == {}
    assert differing_keys(recipe, {**recipe, "network": {"layers": (784, 4, 10)}}) == {}


def test_every_value_that_differs_is_named_by_its_dotted_key() -> None:
    before = {"a": 1, "b": {"c": 2.0, "d": {"e": "x"}}, "f": [1, 2]}
    after = {"a": 1, "b": {"c": 3.0, "d": {"e": "y"}}, "f": [1, 2, 3], "g": True}
    assert differing_keys(before, after) == {
        "b.c": (2.0, 3.0),
        "b.d.e": ("x", "y"),
        "f": ([1, 2], [1, 2, 3]),
        "g": (None, True),
    }


def test_an_absent_key_equals_one_without_a_value() -> None:
    assert differing_keys({"a": None}, {}) == differing_keys({}, {"a": None}) == {}
    assert differing_keys({"a": {"b": 1}}, {}) == {"a": ({"b": 1}, None)}


def test_of_tables_of_two_kinds_only_the_kind_differs() -> None:
    before = {"optimizer": {"kind": "sgd", "lr": 0.1, "momentum": 0.9}}
    after = {"optimizer": {"kind": "adam", "lr": 0.2, "betas": [0.9, 0.99]}}
    assert differing_keys(before, after) == {"optimizer.kind": ("sgd", "adam")}


def notes(result: Any) -> list[str]:
    return [line for line in result.lines if "not reused" in line]


@pytest.fixture
def trained(paribus: Paribus, course: Path) -> Path:
    assert paribus("run", course).code == 0
    return course


def test_what_has_changed_since_the_recorded_runs_is_said_once(paribus: Paribus, trained: Path) -> None:
    more = ("--set", "training.epochs=4")
    note = "paribus: note: 4 recorded runs of course are not reused but kept: training.epochs (3, now 4) differs"
    assert notes(paribus("plan", trained, *more)) == [note]
    assert notes(paribus("run", trained, *more)) == [note]
    assert notes(paribus("plan", trained, *more)) == notes(paribus("run", trained, *more)) == []


def test_changed_data_are_named(paribus: Paribus, trained: Path) -> None:
    arrays = dict(np.load("course.npz"))
    arrays["arr_0"] = arrays["arr_0"][:, ::-1]
    np.savez("course.npz", **arrays)
    (note,) = notes(paribus("plan", trained))
    assert note.endswith("4 recorded runs of course are not reused but kept: the content of course.npz differs")


def test_several_keys_are_listed(paribus: Paribus, trained: Path) -> None:
    changes = ("seed=1", "arms.fast.optimizer.lr=0.2", "network.hidden=[5]", "training.epochs=4",
               "training.batch_size=16")  # fmt: skip
    (note,) = notes(paribus("plan", trained, *(word for change in changes for word in ("--set", change))))
    for words in ("network.hidden", "training.batch_size (32, now 16)", "training.epochs (3, now 4)"):
        assert words in note
    assert note.endswith(" and 1 more differ")


def test_only_what_is_asked_for_again_is_counted(paribus: Paribus, trained: Path) -> None:
    (note,) = notes(paribus("plan", trained, "--set", "arms.fast.optimizer.lr=0.2"))
    assert "2 recorded runs" in note
    (note,) = notes(paribus("plan", trained, "--set", "arms.fast.optimizer.lr=0.2", "--replicates", "1"))
    assert "1 recorded run of course is not reused" in note


@pytest.mark.parametrize("more", [(), ("--replicates", "1"), ("--replicates", "3"), ("--set", "title=other")])
def test_what_is_reused_needs_no_note(paribus: Paribus, trained: Path, more: tuple[str, ...]) -> None:
    assert notes(paribus("plan", trained, *more)) == []
