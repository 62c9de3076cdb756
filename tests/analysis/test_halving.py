from __future__ import annotations

import math
import tomllib

import pytest

from paribus.analysis.halving import finalists, lowest_so_far, survivors, told
from paribus.spec.search import Search
from paribus.store.records import Assessment

EACH = {number: {"optimizer.lr": 0.1 * (number + 1)} for number in range(81)}
"""Candidates with different values."""


def search(objective: str = "min-val-loss", finalists: int = 1, **halving: int) -> Search:
    table = {"candidates": 9, "objective": objective, "halving": {"grace": 2, "factor": 3, **halving}}
    space = tomllib.loads('"optimizer.lr" = { log_uniform = [1e-3, 1] }')
    return Search.model_validate({**table, "confirm": {"finalists": finalists}, "space": space})


def rung(*values: float | None, faults: dict[int, tuple[str, ...]] | None = None, epochs: int = 2) -> list[Assessment]:
    return [Assessment(i, 0, epochs, value, (faults or {}).get(i, ())) for i, value in enumerate(values)]


def test_one_of_factor_goes_on_rounded_up() -> None:
    assert survivors(search(), EACH, rung(0.3, 0.1, 0.4, 0.2, 0.9, 0.8, 0.7)) == (0, 1, 3)
    assert survivors(search("max-val-accuracy"), EACH, rung(0.3, 0.1, 0.4)) == (2,)
    assert survivors(search(), EACH, rung(0.5)) == (0,)


def test_as_many_come_to_the_end_as_are_confirmed() -> None:
    assert survivors(search(finalists=3), EACH, rung(0.3, 0.1, 0.4, 0.2)) == (0, 1, 3)
    assert survivors(search(finalists=3, brackets=2), EACH, rung(0.3, 0.1, 0.4, 0.2)) == (1, 3)
    assert survivors(search(finalists=3), EACH, rung(0.3, 0.1)) == (0, 1)


def test_ties_go_to_the_lower_number() -> None:
    assert survivors(search(), EACH, rung(0.2, 0.1, 0.1, 0.1)) == (1, 2)


def test_what_diverged_never_goes_on_even_if_nothing_else_is_left() -> None:
    faults = {0: ("diverged",), 1: ("diverged",)}
    assert survivors(search(), EACH, rung(0.1, None, 0.5, 0.6, faults=faults)) == (2, 3)
    assert survivors(search(), EACH, rung(0.1, None, None, faults=faults)) == ()


@pytest.mark.parametrize("fault", ["collapsed", "dead", "unstable"])
def test_a_better_value_with_a_fault_goes_on_only_where_too_few_have_none(fault: str) -> None:
    best_is_faulty = rung(0.1, 0.5, 0.6, 0.7, faults={0: (fault,)})
    assert survivors(search(), EACH, best_is_faulty) == (1, 2)
    all_faulty = rung(0.1, 0.5, 0.6, 0.7, faults=dict.fromkeys(range(4), (fault,)))
    assert survivors(search(), EACH, all_faulty) == (0, 1)


def test_finalists_have_no_fault_and_trained_to_the_end() -> None:
    end = rung(0.3, 0.05, 0.2, None, 0.1, faults={1: ("collapsed",)}, epochs=18)
    early = [Assessment(8, 0, 2, 0.01, ())]
    assert finalists(search(finalists=2), EACH, [*early, *end], 18) == (4, 2)


def test_the_naive_choice_takes_the_collapsed_one() -> None:
    end = rung(0.3, 0.05, 0.2, faults={1: ("collapsed",)}, epochs=18)
    found = lowest_so_far(search(), [Assessment(8, 0, 2, 0.1, ()), *end])
    assert found is not None
    assert (found.number, found.faults) == (1, ("collapsed",))


def test_a_sampler_is_told_the_worst_of_a_candidate_with_a_fault() -> None:
    good, bad = rung(0.3, 0.1, faults={1: ("unstable",)})
    assert (told(search(), good), told(search(), bad)) == (0.3, math.inf)
    assert told(search("max-val-accuracy"), good) == -0.3
    assert told(search(), Assessment(0, 0, 2, None, ())) == math.inf


def test_every_bracket_halves_down_to_its_share() -> None:
    """Oracle: the table of rungs in Li et al. for eta = 3: 81, 27, 9, 3, 1 configurations."""
    numbers, left = list(range(81)), []
    while len(numbers) > 1:
        left.append(len(numbers))
        numbers = list(survivors(search(), EACH, [Assessment(n, 0, 1, float(n), ()) for n in numbers]))
    assert (left, numbers) == ([81, 27, 9, 3], [0])


def test_equal_candidates_count_once() -> None:
    """They are the same runs: candidates 1 and 2 have one place, so that the next best goes on."""
    proposed = {**EACH, 2: EACH[1]}
    assessed = rung(0.3, 0.1, 0.1, 0.2, 0.9, 0.8, 0.7)
    assert survivors(search(), EACH, assessed) == (1, 2, 3)
    assert survivors(search(), proposed, assessed) == (1, 3), "one of 3, of 6 different ones"
    end = rung(0.3, 0.1, 0.1, 0.2, epochs=18)
    assert finalists(search(finalists=2), EACH, end, 18) == (1, 2)
    assert finalists(search(finalists=2), proposed, end, 18) == (1, 3)


def test_what_failed_never_goes_on_and_is_told_as_the_worst() -> None:
    failed = Assessment(0, 0, 18, None, (), "must divide 30, got 4")
    assert survivors(search(finalists=2), EACH, [failed, *rung(0.3, 0.1)[1:]]) == (1,)
    assert finalists(search(finalists=2), EACH, [failed, *rung(0.3, 0.1, epochs=18)[1:]], 18) == (1,)
    assert told(search(), failed) == math.inf
