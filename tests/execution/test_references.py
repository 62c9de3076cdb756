"""Reference lines of a study: fitted once for runs of equal splits, recorded with each, added to recorded runs."""

from __future__ import annotations

import pytest

from paribus.data.pool import TestSet
from paribus.execution import references
from tests.execution.conftest import ARMS, ready, recorded, runs_in, tiny, trained

LINEAR = {"references": '["constant", "linear"]'}


def references_of(workspace, study):
    """By arm and replicate, the figures of references."""
    return {
        member: {m.name: m.value for m in workspace.measurements(run.id) if m.name.startswith("reference/")}
        for member, run in runs_in(workspace, study).items()
    }


def test_runs_of_equal_splits_share_a_fit_and_have_its_figures(data, workspace, monkeypatch):
    fits = []
    fit = references.fit_and_evaluate

    def counted(spec, *rest):
        fits.append((spec.streams.split.index, rest[1]))
        return fit(spec, *rest)

    monkeypatch.setattr(references, "fit_and_evaluate", counted)
    study = tiny(data, ARMS, **LINEAR)
    outcome = trained(study, workspace)
    assert sorted(fits) == [(r, name) for r in (0, 1) for name in ("constant", "linear")]
    assert outcome.references == 6
    found = references_of(workspace, study)
    for replicate in (0, 1):
        slow = found["slow", replicate]
        assert found["fast", replicate] == found["stopping", replicate] == slow
        assert slow["reference/linear/val_accuracy"] > slow["reference/constant/val_accuracy"] > 0
    assert not any("test" in name for of_run in found.values() for name in of_run)


def test_a_recorded_run_gets_the_references_that_are_asked_for_later(data, workspace):
    plain, asking = tiny(data, ARMS), tiny(data, ARMS, **LINEAR)
    trained(plain, workspace)
    before = recorded(workspace, plain)
    outcome = trained(asking, workspace)
    assert (outcome.trained, outcome.references) == (0, 6)
    assert {run.id for run in runs_in(workspace, asking).values()} == {
        run.id for run in runs_in(workspace, plain).values()
    }
    for member, content in recorded(workspace, plain).items():
        assert content["selections"] == before[member]["selections"]
    assert trained(asking, workspace).references == 0
    more = tiny(data, ARMS, references='["constant", "linear", "gradient-boosting"]')
    assert trained(more, workspace).references == 6
    names = references_of(workspace, more)["slow", 0]
    assert "reference/gradient-boosting/val_log_loss" in names


def test_test_data_are_read_for_references_only_where_a_snapshot_reads_them(data, workspace, monkeypatch):
    opened = []
    monkeypatch.setattr(TestSet, "open", counting(opened))
    arms = '[[arms]]\nname = "shut"\n[[arms]]\nname = "open"\noptimizer = { lr = 0.3 }\ntest = { read_at = ["last"] }\n'
    study = tiny(data, arms, replicates="1", **LINEAR)
    trained(study, workspace)
    found, runs = references_of(workspace, study), runs_in(workspace, study)
    assert not [name for name in found["shut", 0] if "/test_" in name]
    assert found["open", 0]["reference/linear/test_accuracy"] > 0
    assert opened.count("reference line") == 1  # for both references
    logged = [(read.run_id, read.purpose) for read in workspace.test_reads([run.id for run in runs.values()])]
    assert logged.count((runs["open", 0].id, "reference line")) == 1
    assert not [read for read in logged if read[0] == runs["shut", 0].id]


def counting(opened):
    real = TestSet.open

    def open_and_note(self, purpose, limit=None):
        opened.append(purpose)
        return real(self, purpose, limit)

    return open_and_note


def test_a_study_that_is_interrupted_among_its_references_goes_on_with_those_that_are_left(
    data, workspace, monkeypatch
):
    study, fit = tiny(data, ARMS, **LINEAR), references.fit_and_evaluate

    def interrupted(spec, splits, reference, evaluated):
        if reference == "linear":
            raise KeyboardInterrupt
        return fit(spec, splits, reference, evaluated)

    monkeypatch.setattr(references, "fit_and_evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(study, workspace)
    monkeypatch.setattr(references, "fit_and_evaluate", fit)
    outcome = trained(study, workspace)
    assert (outcome.trained, outcome.references) == (0, 6)
    assert all(len(of_run) == 13 for of_run in references_of(workspace, study).values())


def test_references_are_no_part_of_a_run(data):
    ids = [{run.id for run in ready(tiny(data, **changes)).runs} for changes in ({}, LINEAR)]
    assert ids[0] == ids[1]
