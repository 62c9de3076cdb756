import math

import numpy as np
import pytest

from paribus.analysis.results import load
from paribus.analysis.tables import rows
from paribus.errors import UserError
from paribus.store.records import Artifact, Finding, Forecast, Measurement, Outcome, RunKey, Selected, Snapshot, Span
from paribus.store.workspace import Workspace

RULE = "max-val-accuracy"


def _register(workspace: Workspace, study) -> dict[tuple[str, int], str]:
    keys = {}
    for place, (arm, replicate) in enumerate(study.runs()):
        recipe = arm.recipe.model_dump(mode="json")
        keys[arm.name, replicate] = RunKey(f"{place:032x}", recipe, 1, replicate, "f" * 64)
    workspace.register_study(study, keys)
    return {key: value.run_id for key, value in keys.items()}


def _outcome(workspace: Workspace, run_id: str, curves) -> Outcome:
    weights = workspace.tensors.put({"fc1.weight": np.ones((2, 3), np.float32)})
    return Outcome(
        run_id=run_id,
        state="done",
        epochs_done=4,
        curves={name: np.array(values) for name, values in curves.items()},
        selections=[Selected(RULE, 3, 0.8, weights), Selected("min-train-loss", 4, 0.2, weights)],
        snapshots=[Snapshot(0, "network", weights)],
        measurements=[Measurement(RULE, "test_accuracy", 0.85), Measurement("", "parameters", 25450.0)],
        findings=[Finding("overfit-onset", "", 2, {"lowest": 0.7, "last": 0.9})],
        artifacts=[Artifact(RULE, "activity", weights)],
        test_reads=[],
    )


def test_a_study_comes_out_of_its_workspace_as_it_was_recorded(tmp_path, classifiers, steady) -> None:
    study = classifiers(replicates=2).study
    with Workspace.open(tmp_path / "kept", create=True, write=True) as workspace:
        ids = _register(workspace, study)
        workspace.finish([_outcome(workspace, ids["dropped", 1], steady(0))])
        workspace.record_span(
            Span("a", "2024-01-01T00:00:00+00:00", 9.0, 8.0, None, "unknown", {}, {ids["dropped", 1]: 1.0}, 4)
        )
        workspace.record_forecast(Forecast(study.id, "2024-01-01T00:00:00+00:00", 16, 40.0, None, "a guess"))
    with Workspace.open(tmp_path / "kept") as workspace:
        results = load(workspace, "made-up")
        assert results.study == study
        assert [(run.arm, run.replicate, run.state) for run in results.runs] == [
            ("fixed", 0, "planned"), ("fixed", 1, "planned"), ("dropped", 0, "planned"), ("dropped", 1, "done"),
        ]  # fmt: skip
        run = results.first("dropped")
        assert run is not None
        assert run.value(RULE, "val_accuracy") == 0.8
        assert run.value(RULE, "test_accuracy") == 0.85
        assert run.findings[0].epoch == 2
        kept = results.artifact(run, RULE, "activity")
        assert kept is not None
        assert kept["fc1.weight"].shape == (2, 3)
        assert results.artifact(run, RULE, "confusion") is None
        assert len(results.spans) == len(results.forecasts) == 1
        assert {(row.arm, row.metric): row.values for row in rows(results) if row.rule == RULE}[
            "dropped", "test_accuracy"
        ] == (None, 0.85)


def test_a_study_that_the_workspace_does_not_know_is_a_user_mistake(tmp_path, classifiers) -> None:
    with Workspace.open(tmp_path / "kept", create=True, write=True) as workspace:
        _register(workspace, classifiers().study)
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
