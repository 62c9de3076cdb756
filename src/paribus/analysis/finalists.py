"""The studies that follow a search: its finalists on fresh replicates, and its winner with a claim to be confirmed.

A candidate's value in the search is too good on average, because the best of many was taken. Fresh replicates are not.
"""

from __future__ import annotations

import tomllib
from typing import Any

import tomli_w

from paribus.analysis.choice import choices
from paribus.analysis.halving import finalists
from paribus.analysis.results import Results
from paribus.errors import UserError
from paribus.spec.candidates import NOT_IN_SEARCHES, Candidate, entry_of
from paribus.spec.metrics import METRICS
from paribus.spec.overrides import as_table
from paribus.spec.study import Study, parse

FINALISTS, WINNER = "-finalists", "-winner"
AS_WRITTEN = "as written"
"""The arm that has the study's own configuration, without anything that was proposed."""
_LENGTH = 60


def finalists_study(results: Results) -> tuple[str, str] | None:
    """The name and the text of the study that trains a search's finalists on fresh replicates.

    Its arms stand in the order of preference, those with fewer parameters first and then those with the better value
    in the search. If all have the same number of parameters, none is simpler, and the best one is chosen in place of
    the first one within one standard error: the order would be that of the search, in which luck has a part. None while
    a rung is undecided, or where no candidate may be a finalist.
    """
    study, search = results.study, results.study.search
    if search is None or not results.assessments:
        return None
    epochs = study.arms[0].recipe.training.epochs
    if not is_decided(results):
        return None
    numbers = finalists(search, results.proposed, results.assessments, epochs)
    if not numbers:
        return None
    sizes = {number: _parameters(results, number) for number in numbers}
    preferred = sorted(numbers, key=lambda number: (sizes[number], numbers.index(number)))
    none_simpler = search.choose == "one-standard-error" and len(set(sizes.values())) == 1
    confirm = search.confirm
    choose = {
        "metric": search.metric,
        "by": "best" if none_simpler else search.choose,
        "faults": list(search.without),
        "confirm": {"replicates": confirm.replicates, "first": _after(study, confirm.first, confirm.replicates)},
    }
    name = _named(study, FINALISTS)
    question = f"Which of the best candidates of {study.name} is best on fresh replicates? {study.question}"
    arms = [entry_of(Candidate(number, {}).name, proposed(results, number)) for number in preferred]
    document = _without_test(study) | {
        "name": name,
        "title": f"Finalists: {study.title}"[:_LENGTH].strip(),
        "question": question[:2000],
        "replicates": _replicates(study, confirm.replicates, confirm.first),
        "deploy": search.objective,
        "control": arms[0]["name"],
        "choose": choose,
        "arms": arms,
    }
    return name, tomli_w.dumps(document)


def winner_study(results: Results) -> tuple[str, str] | None:
    """The name and the text of the study file that has a search's winner and its claim, on replicates that neither the
    search nor the finalists have seen.

    The study's [test] counts here again: neither the search nor the finalists read test data. The claim is that the
    winner is better than the study's own configuration; than the next finalist where that is no complete configuration;
    there is none where that is missing, too. None without a winner.
    """
    study, search, confirmed = results.study, results.study.search, results.confirmed
    won = winner(results)
    if search is None or confirmed is None or won is None:
        return None
    document = tomllib.loads(confirmed.study.document)
    arms = [entry for entry in document["arms"] if entry["name"] == won]
    other = _other(results, won)
    name, label = _named(study, WINNER), METRICS[search.metric].label
    found: dict[str, Any] = _base(study) | {
        "name": name,
        "title": f"Winner: {study.title}"[:_LENGTH].strip(),
        "question": f"Does the winner of {study.name} hold on fresh replicates? {study.question}"[:2000],
        "replicates": _replicates(study, search.confirm.replicates, document["choose"]["confirm"]["first"]),
        "deploy": search.objective,
        "control": won if other is None else other["name"],
    }
    if other is not None:
        arms.append(other)
        found["claims"] = [
            {
                "statement": f"{won.capitalize()} has a better {label} than {other['name']}.",
                "metric": search.metric,
                "better": {"arm": won},
                "than": {"arm": other["name"]},
                "by": 0.0,
            }
        ]
    return name, tomli_w.dumps({**found, "arms": arms})


def winner(results: Results) -> str | None:
    """The name of the candidate that the search's rule chooses on fresh replicates; None before that is known."""
    confirmed = results.confirmed
    return choices(confirmed)[0].arm if confirmed is not None and is_confirmed(confirmed) else None


def is_confirmed(confirmed: Results) -> bool:
    """Whether all runs of the study of the finalists have ended."""
    ended = all(run.state in ("done", "diverged") for run in confirmed.runs)
    return ended and len(confirmed.runs) >= confirmed.planned


def proposed(results: Results, number: int) -> dict[str, Any]:
    """The dotted keys of a candidate with their values."""
    return dict(results.proposed[number])


def is_decided(results: Results) -> bool:
    """Whether every bracket of a search has reached its last rung, or nothing of it can."""
    search, epochs = results.study.search, results.study.arms[0].recipe.training.epochs
    assert search is not None
    at_end = {one.number for one in results.assessments if one.epochs == epochs}
    assessed = {one.number for one in results.assessments}
    if len(assessed) < search.candidates:
        return False
    for bracket in range(search.brackets):
        numbers = {number for batch in search.batches(bracket) for number in batch}
        if not numbers & at_end and any(_could_go_on(results, number) for number in numbers):
            return False
    return True


def _could_go_on(results: Results, number: int) -> bool:
    last = max((one for one in results.assessments if one.number == number), key=lambda one: one.rung)
    return last.value is not None and "diverged" not in last.faults


def _parameters(results: Results, number: int) -> float:
    name = Candidate(number, {}).name
    known = [run.value("", "parameters") for run in results.finished(name)]
    return min((value for value in known if value is not None), default=0.0)


def _other(results: Results, won: str) -> dict[str, Any] | None:
    """What the winner is compared with."""
    study, confirmed = results.study, results.confirmed
    assert confirmed is not None
    alone = _without_test(study) | {"name": "x", "question": "?", "arms": [{"name": AS_WRITTEN}]}
    try:
        own = parse(tomli_w.dumps(alone), place=study.name, folder=study.folder).arms[0].recipe
        if own != confirmed.study.arm(won).recipe:
            return {"name": AS_WRITTEN}
    except UserError:
        pass  # without what was proposed it is no complete configuration
    others = [entry for entry in tomllib.loads(confirmed.study.document)["arms"] if entry["name"] != won]
    return others[0] if others else None


def _base(study: Study) -> dict[str, Any]:
    dropped = ("search", "name", "title", "question", "replicates", "deploy", *NOT_IN_SEARCHES)
    return {key: value for key, value in tomllib.loads(study.document).items() if key not in dropped}


def _without_test(study: Study) -> dict[str, Any]:
    """Test data stay locked until the winner is known."""
    return {key: value for key, value in _base(study).items() if key != "test"}


def _replicates(study: Study, count: int, first: int) -> dict[str, Any]:
    found: dict[str, Any] = {"count": count, "first": first}
    before = as_table(tomllib.loads(study.document).get("replicates"))
    return found | ({"vary": before["vary"]} if before is not None and "vary" in before else {})


def _after(study: Study, first: int, count: int) -> int:
    """The first replicate of the winner's study: round, and after those of the search and of the finalists, who have
    `count` from `first` on."""
    return max(2 * first, first + count, study.replicates.indices[-1] + 1)


def _named(study: Study, suffix: str) -> str:
    return study.name[: _LENGTH - len(suffix)].rstrip("-") + suffix
