from __future__ import annotations

import tomllib
from typing import Any, get_args

import optuna
import pytest

from paribus.searching.sampler import Sampler, proposer
from paribus.seeding import sampler_seed
from paribus.spec import search as search_spec
from paribus.spec.search import Search
from tests.searching.conftest import TEXT

TABLES = tomllib.loads(TEXT)


def search(sampler: str) -> Search:
    """The small search with another sampler; for Sobol sequences without its condition."""
    space = {key: dict(dimension) for key, dimension in TABLES["search"]["space"].items()}
    if sampler == "sobol":
        del space["optimizer.momentum"]["when"]
    return Search.model_validate({**TABLES["search"], "sampler": sampler, "space": space})


def value(proposed: dict[str, Any]) -> float:
    return abs(proposed["optimizer.lr"] - 0.3) + (proposed["optimizer.kind"] == "adam")


def batches(sampler: Sampler, count: int) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    for _ in range(count):
        found.append(sampler.ask(8))
        sampler.tell([value(one) for one in found[-1]])
    return found


@pytest.mark.parametrize("kind", get_args(search_spec.Sampler))
def test_asks_and_tells_in_order_give_the_same_proposals_again(kind: str) -> None:
    one, other = (batches(Sampler(search(kind), TABLES, seed=7, bracket=0), 3) for _ in range(2))
    assert one == other
    assert batches(Sampler(search(kind), TABLES, seed=7, bracket=1), 1)[0] != one[0]
    assert batches(Sampler(search(kind), TABLES, seed=8, bracket=0), 1)[0] != one[0]


def test_tpe_learns_from_what_it_is_told() -> None:
    """Told otherwise it proposes otherwise, so a replay must tell, too. Its first ten candidates are random."""
    *before, last = batches(Sampler(search("tpe"), TABLES, seed=7, bracket=0), 3)
    other = Sampler(search("tpe"), TABLES, seed=7, bracket=0)
    for batch in before:
        assert other.ask(8) == batch
        other.tell([-value(one) for one in batch])
    assert other.ask(8) != last


@pytest.mark.parametrize("kind", get_args(search_spec.Sampler))
def test_proposals_lie_in_the_space_and_conditions_hold(kind: str) -> None:
    for proposed in (one for batch in batches(Sampler(search(kind), TABLES, seed=7, bracket=0), 3) for one in batch):
        assert 1e-3 <= proposed["optimizer.lr"] <= 30
        assert proposed["training.batch_size"] in (8, 16)
        assert ("optimizer.momentum" in proposed) == (kind == "sobol" or proposed["optimizer.kind"] == "sgd")


def test_random_proposals_are_optunas_own() -> None:
    """Oracle: the same distributions asked of Optuna directly."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=sampler_seed(7, 0)))
    for proposed in Sampler(search("random"), TABLES, seed=7, bracket=0).ask(4):
        trial = study.ask()
        kind = ("sgd", "adam")[trial.suggest_categorical("k", (0, 1))]
        assert proposed["optimizer.kind"] == kind
        assert proposed["optimizer.lr"] == pytest.approx(trial.suggest_float("lr", 1e-3, 30, log=True), rel=1e-5)
        if kind == "sgd":
            trial.suggest_float("m", 0, 0.9)
        trial.suggest_categorical("b", (0, 1))


def test_the_version_is_recorded() -> None:
    assert proposer(search("tpe")) == f"optuna {optuna.__version__}, tpe"
