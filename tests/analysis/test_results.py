import math
from collections.abc import Mapping

import numpy as np
import pytest

from paribus.analysis.findings import kinds
from paribus.analysis.results import load
from paribus.analysis.tables import rows
from paribus.errors import UserError
from paribus.store.records import (
    Artifact,
    Forecast,
    Measurement,
    NewRun,
    Outcome,
    Selected,
    Snapshot,
    UsageRecord,
)
from paribus.store.workspace import Workspace

RULE = "max-val-accuracy"
STARTED = "2024-01-01T00:00:00+00:00"


def _register(workspace: Workspace, maker, study_id: str = "e" * 32) -> Mapping[tuple[str, int], str]:
    members = {
        (arm.name, replicate): NewRun(
            run_id=f"{place:032x}",
            identity="{}",
            recipe=arm.recipe.model_dump(mode="json"),
            dataset=maker.dataset.to_json(),
        )
        for place, (arm, replicate) in enumerate(maker.study.members())
    }
    workspace.register_study(study_id, maker.study.name, maker.study.document, members)
    return {member: run.run_id for member, run in members.items()}


def _outcome(workspace: Workspace, run_id: str, curves) -> Outcome:
    weights = workspace.tensors.put({"fc1.weight": np.ones((2, 3), np.float32)})
    variance = np.array([0.0, 0.5, 0.5, 0.0])
    units = {"mean": np.zeros(4), "variance": variance, "active": variance, "cosine": np.array([1.0, 0.0, 0.0, 0.0])}
    return Outcome(
        run_id=run_id,
        state="done",
        epochs_done=4,
        curves={name: np.array(values) for name, values in curves.items()},
        selections=[Selected(RULE, 3, 0.8, weights), Selected("min-train-loss", 4, 0.2, weights)],
        snapshots=[Snapshot(0, "network", weights)],
        measurements=[Measurement(RULE, "test_accuracy", 0.85), Measurement("", "parameters", 25450.0)],
        artifacts=[
            Artifact(RULE, "units", workspace.tensors.put({f"fc1.{name}": array for name, array in units.items()}))
        ],
        test_reads=[],
        started_at=STARTED,
    )


def test_a_study_comes_out_of_its_workspace_as_it_was_recorded(tmp_path, classifiers, steady) -> None:
    maker = classifiers(replicates=2)
    with Workspace.open(tmp_path / "kept", create=True, write=True) as workspace:
        ids = _register(workspace, maker)
        workspace.finish([_outcome(workspace, ids["dropped", 1], steady(0))])
        workspace.record_usage(UsageRecord("a", STARTED, 9.0, 8.0, None, "unknown", {}, {ids["dropped", 1]: 1.0}, 4))
        workspace.record_forecast(Forecast("e" * 32, STARTED, 16, 40.0, None, "a guess"))
    with Workspace.open(tmp_path / "kept") as workspace:
        results = load(workspace, "made-up")
        assert results.study == maker.study
        assert [(run.arm, run.replicate, run.state) for run in results.runs] == [
            ("fixed", 0, "planned"), ("fixed", 1, "planned"), ("dropped", 0, "planned"), ("dropped", 1, "done"),
        ]  # fmt: skip
        assert results.dataset("fixed") == maker.dataset
        assert results.widths("fixed") == (784, 32, 10)
        run = results.first("dropped")
        assert run is not None
        assert run.value(RULE, "val_accuracy") == 0.8
        assert run.value(RULE, "test_accuracy") == 0.85
        assert [run.value(RULE, f"{kind}_units") for kind in ("hidden", "dead", "unmoved")] == [4, 2, 1]
        assert run.value("min-train-loss", "dead_units") is None
        kept = run.artifact(RULE, "units")
        assert kept is not None
        assert kept["fc1.variance"].shape == (4,)
        assert run.artifact(RULE, "confusion") is None
        assert len(results.usage) == len(results.forecasts) == 1
        assert {(row.arm, row.metric): row.values for row in rows(results) if row.rule == RULE}[
            "dropped", "test_accuracy"
        ] == (None, 0.85)


def test_the_kinds_of_a_run_s_findings_follow_from_its_record(tmp_path, classifiers, steady) -> None:
    maker = classifiers(replicates=2)
    with Workspace.open(tmp_path / "kept", create=True, write=True) as workspace:
        ids = _register(workspace, maker)
        workspace.finish([_outcome(workspace, ids["dropped", 1], steady(0))])
    with Workspace.open(tmp_path / "kept") as workspace:
        found = {(arm, replicate): kinds(workspace, run) for arm, replicate, run in workspace.runs_of("e" * 32)}
    assert found["dropped", 1] == ("dead-units", "unmoved-units")
    assert found["fixed", 0] == ()


def test_studies_of_one_name_are_told_apart(tmp_path, classifiers) -> None:
    maker = classifiers()
    with Workspace.open(tmp_path / "kept", create=True, write=True) as workspace:
        for study_id in ("a" * 32, "b" * 32):
            _register(workspace, maker, study_id)
        by_name, first = load(workspace, "made-up"), load(workspace, "a" * 32)
    assert (by_name.study_id, by_name.namesakes, by_name.latest) == ("b" * 32, 2, True)
    assert (first.study_id, first.namesakes, first.latest) == ("a" * 32, 2, False)


def test_a_study_that_the_workspace_does_not_know_is_a_user_mistake(tmp_path, classifiers) -> None:
    with Workspace.open(tmp_path / "kept", create=True, write=True) as workspace:
        _register(workspace, classifiers())
        with pytest.raises(UserError, match="made-up"):
            load(workspace, "made-ap")


def test_a_measurement_comes_before_the_monitored_curve(classifiers, steady) -> None:
    curves = {**steady(0), "test_accuracy": [0.1, 0.2, 0.3, 0.4]}
    run = classifiers().run("fixed", 0, curves=curves, measured={(RULE, "test_accuracy"): 0.31})
    assert run.value(RULE, "test_accuracy") == 0.31
    assert run.value("min-train-loss", "test_accuracy") == 0.4


def test_a_rule_that_was_not_declared_is_read_off_the_curves(classifiers, steady) -> None:
    run = classifiers().run("fixed", 0, curves=steady(0))
    assert run.value("min-val-loss", "epoch") == 2
    assert run.value("epoch:3", "val_loss") == 0.8
    assert run.value("epoch:9", "val_loss") is None
    assert run.value("max-test-accuracy", "epoch") is None


def test_what_is_not_finite_is_not_known(classifiers, steady) -> None:
    curves = {**steady(0), "val_loss": [1.1, 0.7, math.nan, 0.9]}
    run = classifiers().run("fixed", 0, curves=curves, measured={(RULE, "test_loss"): math.inf})
    assert run.value(RULE, "val_loss") is None
    assert run.value(RULE, "test_loss") is None


def test_runs_are_counted_by_state_missing_ones_too(classifiers, steady) -> None:
    maker = classifiers(replicates=2)
    maker.run("fixed", 0, curves=steady(0))
    maker.run("fixed", 1, curves=steady(0), state="diverged")
    assert maker.results().states() == {"done": 1, "diverged": 1, "missing": 2}


def test_an_arm_without_the_study_s_deploy_rule_is_compared_at_its_own_first(classifiers) -> None:
    more = '[[arms]]\nname = "other"\nselection = { rules = ["last"] }\ntest = { read_at = ["last"] }'
    results = classifiers(more=more).results()
    assert (results.deploy("fixed"), results.deploy("other")) == (RULE, "last")


def test_an_arm_that_stops_early_deploys_by_the_rule_that_it_stops_by(classifiers) -> None:
    stopping = """
[[arms]]
name = "stopping"
selection = { rules = ["min-val-loss", "max-val-accuracy"] }
test = { read_at = [] }
training = { early_stop = { rule = "min-val-loss", patience = 2 } }
"""
    assert classifiers(more=stopping).results().deploy("stopping") == "min-val-loss"


def test_values_are_those_of_the_study_s_own_replicates(classifiers, steady) -> None:
    maker = classifiers(replicates="{ count = 2, first = 1000 }")
    maker.run("fixed", 1001, curves=steady(0))
    results = maker.results()
    assert results.values("fixed", RULE, "val_accuracy") == (None, 0.8)
    assert results.states() == {"done": 1, "missing": 3}


def test_nothing_is_said_about_the_data_of_an_arm_without_a_recorded_run(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("fixed", 0, curves=steady(0))
    results = maker.results()
    assert results.dataset("fixed") == maker.dataset
    assert (results.dataset("dropped"), results.widths("dropped")) == (None, None)


def test_units_are_read_once_a_rule(classifiers, steady) -> None:
    maker = classifiers(replicates=1)
    run = maker.run("fixed", 0, curves=steady(0), artifacts=[maker.units(RULE, dead=1, unmoved=2, of=8)])
    assert [run.value(RULE, f"{kind}_units") for kind in ("dead", "unmoved", "hidden")] == [1, 2, 8]
    maker.tensors.clear()
    assert run.value(RULE, "dead_units") == 1
