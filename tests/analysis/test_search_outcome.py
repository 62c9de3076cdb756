"""What is said of a search, from what was recorded of its rungs and of its finalists."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paribus.analysis.finalists import finalists_study
from paribus.analysis.results import Results
from paribus.analysis.search_outcome import search_sentences
from paribus.spec.candidates import Candidate
from paribus.spec.study import parse
from paribus.store.records import Assessment
from tests.analysis.conftest import GARMENTS, Maker

SEARCH = """
name = "find"
question = "Which rate?"
replicates = 2
[data]
source = "fashion-mnist"
split = "scarce"
[network]
hidden = [32]
[optimizer]
kind = "sgd"
[training]
epochs = 4
batch_size = 128
[selection]
rules = ["min-val-loss"]
[search]
candidates = 4
objective = "min-val-loss"
confirm = { finalists = 2, replicates = 2 }
[search.space]
"optimizer.lr" = { log_uniform = [1e-3, 1] }
"""
STEADY, RISEN = [0.9, 0.8, 0.7, 0.6], [0.9, 0.1, 0.7, 0.6]


def searched(*faults: tuple[str, ...]) -> Results:
    """A search whose candidates have these faults at the end, and values from the best to the worst."""
    return replace(
        Maker(SEARCH, GARMENTS).results(),
        candidates=tuple(Candidate(number, {"optimizer.lr": 0.1 + 0.1 * number}) for number in range(len(faults))),
        assessments=tuple(Assessment(number, 0, 4, 0.1 + 0.1 * number, own) for number, own in enumerate(faults)),
    )


def confirmed(results: Results, state: str) -> Results:
    """Both finalists on fresh replicates: the first one is unstable in one of them, the second one in both."""
    study = finalists_study(results)
    assert study is not None
    maker = Maker(study[1], GARMENTS)
    for arm, losses in (("candidate 0", (STEADY, RISEN)), ("candidate 2", (RISEN, RISEN))):
        for replicate, own in enumerate(losses, start=1000):
            maker.run(arm, replicate, curves={"train_loss": own, "val_loss": STEADY}, state=state)
    return replace(results, confirmed=maker.results())


def test_without_a_sound_candidate_it_says_so_and_what_may_help() -> None:
    said = search_sentences(searched(("collapsed",), ("collapsed", "unstable"), ("collapsed",), ("unstable",)))
    assert said[0] == "None of 4 candidates came to the end of training without a fault: the search has no winner."
    assert said[1].endswith("so far would have picked candidate 0 (0.1000 after 4 epochs), which is collapsed.")
    assert said[2] == (
        "4 candidates disqualified: 3 collapsed (candidates 0, 1 and 2); 2 unstable (candidates 1 and 3)."
    )
    assert said[3].startswith("What may help where many are collapsed: another activation")


def test_a_search_of_which_everything_diverged_at_the_first_rung_is_over() -> None:
    text = SEARCH.replace("candidates = 4", "candidates = 4\nhalving = { grace = 2 }")
    diverged = tuple(Assessment(number, 0, 2, None, ("diverged",)) for number in range(4))
    candidates = tuple(Candidate(number, {"optimizer.lr": 0.1 + 0.1 * number}) for number in range(4))
    results = replace(Maker(text, GARMENTS).results(), candidates=candidates, assessments=diverged)
    assert search_sentences(results)[0].endswith("without a fault: the search has no winner.")
    assert search_sentences(replace(results, assessments=diverged[:3]))[0].startswith("4 candidates so far")


def test_the_replicates_of_the_winner_come_after_those_of_the_search() -> None:
    results = replace(searched((), ()), assessments=searched((), (), (), ()).assessments)
    for first, winner in ((0, 2000), (2000, 2002), (5000, 5002)):
        study = parse(SEARCH.replace("replicates = 2", f"replicates = {{ count = 2, first = {first} }}", 1), place="x")
        found = finalists_study(replace(results, study=study, candidates=searched((), (), (), ()).candidates))
        assert found is not None
        assert parse(found[1], place="finalists").choose.confirm.first == winner  # type: ignore[union-attr]


@pytest.mark.parametrize(("sizes", "by"), [((50, 50), "best"), ((70, 50), "one-standard-error")])
def test_finalists_of_one_size_are_chosen_by_their_values_alone(sizes: tuple[int, int], by: str) -> None:
    """Of others the one with fewer parameters stands first, though it was second in the search."""
    results = searched((), (), ("dead",), ("dead",))
    given = [Candidate(one.number, one.values) for one in results.candidates]
    study = parse(SEARCH, place="x", candidates=given)
    maker = Maker(SEARCH, GARMENTS)
    maker.study = study
    for number, size in enumerate(sizes):
        measured = {("", "parameters"): float(size)}
        maker.run(f"candidate {number}", 0, curves={"train_loss": STEADY, "val_loss": STEADY}, measured=measured)
    found = finalists_study(replace(results, study=study, runs=tuple(maker.runs)))
    assert found is not None
    finalists = parse(found[1], place="finalists")
    assert finalists.choose is not None
    assert finalists.choose.by == by
    assert [arm.name for arm in finalists.arms] == [f"candidate {n}" for n in ((0, 1) if by == "best" else (1, 0))]


def test_a_search_without_a_sound_finalist_says_which_fault_each_has() -> None:
    results = searched((), ("dead",), (), ())
    said = search_sentences(confirmed(results, "done"))
    assert said[0] == (
        "No finalist is without a fault on fresh replicates: candidate 0 (unstable in 1 of 2) and candidate 2 "
        "(unstable in 2 of 2). The search has no winner."
    )
    assert not any("may help" in one for one in said), "one candidate of four is dead"
    assert search_sentences(confirmed(results, "running"))[0] == "4 candidates so far; no finalist is confirmed yet."
