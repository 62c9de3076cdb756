"""Whole searches: what is recorded, and that an interrupted one comes to the same, with nothing trained twice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paribus.analysis.halving import survivors
from paribus.errors import UserError
from paribus.searching import driver
from paribus.searching.driver import prepare_search
from paribus.store import faults
from paribus.store.verify import verify
from paribus.store.workspace import Workspace
from tests.execution.conftest import ARMS, TINY
from tests.searching.conftest import history, prepared, search, searched

RUNGS = (2, 4, 8, 12)


def test_rungs_halve_and_survivors_go_on_from_where_they_paused(whole: dict[str, Any], data: Path) -> None:
    spec = search(data).search
    by_rung = {rung: [one for one in whole["assessments"] if one.rung == rung] for rung in range(4)}
    assert [len(by_rung[rung]) for rung in range(4)] == [8, 4, 2, 2]
    for rung in range(3):
        assert survivors(spec, {one.number: one.values for one in whole["proposals"]}, by_rung[rung]) == tuple(
            one.number for one in by_rung[rung + 1]
        )
    reached = {one.number: RUNGS[one.rung] for one in whole["assessments"]}
    assert whole["epochs"] == sum(epochs for _, _, epochs, *_ in whole["runs"].values())  # none is trained twice
    replicates = {one.number: 2 if one.rung else 1 for one in whole["assessments"]}
    assert {(f"candidate {n}", r) for n, count in replicates.items() for r in range(count)} == set(whole["runs"])
    for (arm, _), (_, state, epochs, *_) in whole["runs"].items():
        number = int(arm.split()[1])
        assert state == "diverged" or epochs == reached[number]
        assert state in ("done", "diverged") or reached[number] < 12


def test_values_are_the_mean_over_replicates_of_the_best_so_far(whole: dict[str, Any]) -> None:
    for one in whole["assessments"]:
        runs = [run for (arm, r), run in whole["runs"].items() if arm == f"candidate {one.number}"]
        curves = [np.frombuffer(run[3]["val_loss"])[: one.epochs] for run in runs[: 2 if one.rung else 1]]
        if one.value is not None:
            assert one.value == pytest.approx(np.mean([curve.min() for curve in curves]), rel=1e-12)


def test_a_paused_and_continued_run_is_the_run_that_never_paused(
    whole: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    straight = {"search.candidates": "8", "search.halving": "{ grace = 11, factor = 2 }"}
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        searched(data, workspace, **straight)
        other = history(data, workspace, **straight)
    curves = {run[0]: run[3:7] for run in other["runs"].values() if run[1] == "done"}
    same = [run for run in whole["runs"].values() if run[1] == "done" and run[0] in curves]
    assert same
    for run in same:
        assert run[3:7] == curves[run[0]]


class Stopping:
    """Raises KeyboardInterrupt at the n-th event, of whatever kind."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def stage(self, stage: Any, plan: Any) -> Any:
        return self

    def __enter__(self) -> Any:
        return self.event

    def __exit__(self, *_: object) -> None:
        pass

    def event(self, event: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def decided(self, stage: Any, assessed: Any) -> None:
        self.event(None)


@pytest.mark.parametrize("nth", [3, 17, 40])
def test_an_interrupted_search_comes_to_the_same(whole: dict[str, Any], data: Path, tmp_path: Path, nth: int) -> None:
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        with pytest.raises(KeyboardInterrupt):
            searched(data, workspace, Stopping(nth))
        found = searched(data, workspace)
        used = workspace.usage([run.id for _, _, run in workspace.runs_of(prepared(data).id)])
        assert found == whole["finalists"]
        assert history(data, workspace) == {key: whole[key] for key in ("proposals", "assessments", "runs")}
        assert sum(one.model_epochs for one in used) == whole["epochs"]


CLASHING = {
    "seed": "5",
    "optimizer": '{ kind = "sgd", lr = 0.1 }',
    "search.space": '{ "optimizer.nesterov" = { choice = [false, true] }, "optimizer.momentum" = '
    '{ choice = [0.9, 0.0, 0.5] }, "optimizer.lr" = { log_uniform = [1e-3, 30] } }',
}
"""A space with values that do not go together: nesterov needs a momentum above 0."""


@pytest.mark.parametrize("nth", [3, 17, 25])
def test_an_interrupted_search_with_failures_comes_to_the_same(data: Path, tmp_path: Path, nth: int) -> None:
    with Workspace.open(tmp_path / "whole", create=True, write=True) as workspace:
        expected = searched(data, workspace, **CLASHING), history(data, workspace, **CLASHING)
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        with pytest.raises(KeyboardInterrupt):
            searched(data, workspace, Stopping(nth), **CLASHING)
        assert (searched(data, workspace, **CLASHING), history(data, workspace, **CLASHING)) == expected
    failed = {one.number for one in expected[1]["assessments"] if one.failure}
    clash = {"optimizer.nesterov": True, "optimizer.momentum": 0.0}
    assert failed == {one.number for one in expected[1]["proposals"] if clash.items() <= one.values.items()}
    assert failed
    reasons = {one.failure for one in expected[1]["assessments"]}
    assert reasons == {"", "key optimizer: nesterov needs a momentum above 0"}


LONGER = {"search.candidates": "15", "search.batch": "5", "search.halving": "{ grace = 2, factor = 4 }"}
"""TPE proposes its first 10 candidates at random, and the last 5 by what it was told."""


def test_an_interrupted_search_comes_to_the_same_where_the_sampler_has_learned(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Workspace.open(tmp_path / "whole", create=True, write=True) as workspace:
        expected = searched(data, workspace, **LONGER), history(data, workspace, **LONGER)
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        interrupted: list[int] = []  # how many candidates had been proposed at each interruption
        found = None
        while found is None:
            try:
                found = searched(data, workspace, Stopping(20), **LONGER)
            except KeyboardInterrupt:
                interrupted.append(len(workspace.proposals(prepared(data, **LONGER).id)))
        assert (interrupted[0], interrupted[-1]) == (5, 15)
        assert (found, history(data, workspace, **LONGER)) == expected
    monkeypatch.setattr(driver, "told", lambda search, one: float(one.number))
    with Workspace.open(tmp_path / "other", create=True, write=True) as workspace:
        searched(data, workspace, **LONGER)
        other = history(data, workspace, **LONGER)["proposals"]
    assert other[:10] == expected[1]["proposals"][:10]
    assert other[10:] != expected[1]["proposals"][10:]


def test_a_search_killed_at_any_write_comes_to_the_same(whole: dict[str, Any], data: Path, tmp_path: Path) -> None:
    """Each child is killed at one of its write points; the next one resumes, until one comes to the end."""
    folder, killed = tmp_path / "ws", 0
    for number in (2, 9, 23, 31, 47, 58):
        child = os.fork()
        if child == 0:
            faults.inject(f"kill@{number}")
            with Workspace.open(folder, create=True, write=True) as workspace:
                searched(data, workspace)
            os._exit(0)
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    assert killed >= 4
    with Workspace.open(folder, create=True, write=True) as workspace:
        assert searched(data, workspace) == whole["finalists"]
        assert history(data, workspace) == {key: whole[key] for key in ("proposals", "assessments", "runs")}
    assert verify(folder).problems == ()


def test_a_search_that_is_done_trains_nothing_again(whole: dict[str, Any], data: Path, tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        searched(data, workspace)
        before = history(data, workspace)
        stopping = Stopping(1_000)
        stopping.stage = None  # type: ignore[assignment]  # it would be called for a stage that trains
        searched(data, workspace, stopping)
        assert history(data, workspace) == before


DYING = {
    "network.activation": "relu",
    "optimizer": '{ kind = "sgd", lr = 0.1, momentum = 0.9 }',
    "search.space": '{ "optimizer.lr" = { log_uniform = [0.5, 5] } }',
    "search.sampler": "random",
}
"""Rates at which units die."""


def test_runs_that_another_search_trained_further_are_judged_as_they_were(data: Path, tmp_path: Path) -> None:
    """The other search has the same candidates first; more of them go on, to the same epochs."""
    further = {**DYING, "search.candidates": "12", "search.confirm": "{ finalists = 9, replicates = 3 }"}
    with Workspace.open(tmp_path / "alone", create=True, write=True) as workspace:
        alone = searched(data, workspace, **DYING), history(data, workspace, **DYING)["assessments"]
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        searched(data, workspace, **further)
        found = searched(data, workspace, **DYING), history(data, workspace, **DYING)["assessments"]
    assert {fault for one in alone[1] if one.epochs < 12 for fault in one.faults} & {"dead", "collapsed"}
    assert found == alone


def test_the_weights_that_a_rung_chose_are_measured_where_they_are_still_kept(data: Path, tmp_path: Path) -> None:
    """Another search trains the candidates almost to the end, without a pause. Those whose best epoch came before the
    first rung are judged as in a search alone."""
    straight = {**DYING, "search.halving": "{ grace = 11, factor = 2 }", "search.confirm": "{ finalists = 8 }"}
    with Workspace.open(tmp_path / "alone", create=True, write=True) as workspace:
        searched(data, workspace, **DYING)
        alone = {one.number: one for one in history(data, workspace, **DYING)["assessments"] if one.rung == 0}
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        searched(data, workspace, **straight)
        runs = history(data, workspace, **straight)["runs"]
        searched(data, workspace, **DYING)
        found = {one.number: one for one in history(data, workspace, **DYING)["assessments"] if one.rung == 0}
    curves = {number: np.frombuffer(runs[f"candidate {number}", 0][3]["val_loss"]) for number in alone}
    early = {number for number, curve in curves.items() if np.argmin(curve) < 2}
    assert any(alone[number].faults for number in early)
    assert {number: found[number] for number in early} == {number: alone[number] for number in early}
    assert {n: one.value for n, one in found.items()} == {n: one.value for n, one in alone.items()}


def test_another_version_of_optuna_is_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        with pytest.raises(KeyboardInterrupt):
            searched(data, workspace, Stopping(20))
        monkeypatch.setattr(driver, "proposer", lambda search: "optuna 6.0.0, tpe")
        with pytest.raises(
            UserError, match=r"must go on with the sampler that it began with.*optuna 6.0.0.*install optuna"
        ):
            searched(data, workspace)


def test_a_sampler_that_proposes_otherwise_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        with pytest.raises(KeyboardInterrupt):
            searched(data, workspace, Stopping(20))
        ask = driver.Sampler.ask
        monkeypatch.setattr(driver.Sampler, "ask", lambda self, count: ask(self, count + 1)[1:])
        with pytest.raises(UserError, match="must propose what is recorded"):
            searched(data, workspace)


def test_no_test_example_is_read(whole: dict[str, Any], data: Path, tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        searched(data, workspace)
        assert workspace.test_reads(prepared(data).id) == []


def test_what_diverges_is_disqualified_by_name(whole: dict[str, Any]) -> None:
    """The space goes up to a rate of 30, where SGD on these images is unstable or diverges."""
    faulty = [one for one in whole["assessments"] if one.faults]
    assert faulty
    states = {arm: state for (arm, r), (_, state, *_) in whole["runs"].items() if r == 0}
    for one in faulty:
        assert ("diverged" in one.faults) == (states[f"candidate {one.number}"] == "diverged" and one.value is None)
    assert not any(one.faults for one in whole["assessments"] if one.number in whole["finalists"])


def test_brackets_are_searches_of_their_own(data: Path, tmp_path: Path) -> None:
    changes = {"search.halving": "{ grace = 2, factor = 2, brackets = 2 }", "replicates": "1"}
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        searched(data, workspace, **changes)
        found = history(data, workspace, **changes)["assessments"]
    first = {one.number: one.epochs for one in found if one.rung == 0}
    assert first == {**dict.fromkeys(range(4), 2), **dict.fromkeys(range(4, 8), 4)}


def test_a_study_without_a_search_is_refused(data: Path) -> None:
    from paribus.spec.study import parse

    with pytest.raises(UserError, match="must be a search"):
        prepare_search(parse(TINY + ARMS, place="x", folder=data))


def test_a_space_that_does_not_fit_the_data_is_refused_before_anything_trains(data: Path) -> None:
    changes = {"search.space": '{ "training.batch_size" = { choice = [8, 900] } }'}
    with pytest.raises(UserError, match=r"must be at most the number of training examples \(60\), got 900"):
        prepared(data, **changes)
