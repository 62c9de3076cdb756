from __future__ import annotations

import pytest

from paribus.spec.identity import run_id
from paribus.spec.recipe import Recipe
from paribus.spec.study import parse

DATA = "0" * 64


def recipe(text: str, **overrides: str) -> Recipe:
    study = parse(text, place="mini", overrides={key.replace("__", "."): value for key, value in overrides.items()})
    return study.arms[0].recipe


def test_identities_are_those_of_workspaces_that_exist(mini: str) -> None:
    """Golden: a change here would make paribus train again what people have recorded."""
    assert run_id(recipe(mini), seed=0, replicate=0, data_fingerprint=DATA) == "0f5707b3d485ce781213438c3fb52fdc"
    assert run_id(recipe(mini), seed=7, replicate=2, data_fingerprint=DATA) == "378f52b5af46b6f4fc5efc9f4c86cffc"


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer__lr": "2e-3"},
        {"network__layers": "[784, 9, 10]"},
        {"training__epochs": "4"},
        {"training__batch_size": "64"},
        {"selection__rules": '["last"]'},
        {"snapshots__every": "1"},
        {"data__center": "true"},
    ],
)
def test_what_can_change_a_result_changes_the_identity(mini: str, change: dict[str, str]) -> None:
    plain = run_id(recipe(mini), seed=0, replicate=0, data_fingerprint=DATA)
    assert run_id(recipe(mini, **change), seed=0, replicate=0, data_fingerprint=DATA) != plain


def test_seed_replicate_and_data_are_part_of_the_identity(mini: str) -> None:
    identities = {
        run_id(recipe(mini), seed=seed, replicate=replicate, data_fingerprint=data)
        for seed in (0, 1)
        for replicate in (0, 1)
        for data in (DATA, "1" * 64)
    }
    assert len(identities) == 8


def test_names_and_words_are_no_part_of_the_identity(mini: str) -> None:
    plain = run_id(recipe(mini), seed=0, replicate=0, data_fingerprint=DATA)
    told = recipe(mini, arms__fixed__name="another", title="Another", replicates="9")
    assert run_id(told, seed=0, replicate=0, data_fingerprint=DATA) == plain


def test_where_a_file_lies_is_no_part_of_the_identity(mini: str) -> None:
    here, there = (
        recipe(mini, data__protocol="file/train-val-test", data__file=file) for file in ("a.npz", "/b/c.npz")
    )
    assert run_id(here, seed=0, replicate=0, data_fingerprint=DATA) == run_id(
        there, seed=0, replicate=0, data_fingerprint=DATA
    )
