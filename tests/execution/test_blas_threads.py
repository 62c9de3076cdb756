"""NumPy's linear algebra keeps to one thread while cohorts are timed and trained: others would take their cores."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from paribus.energy.choice import Meters
from paribus.execution import runner
from paribus.execution.events import EpochDone
from paribus.execution.runner import forecast_in, prepare, run_study
from paribus.store.workspace import Workspace
from tests.execution.conftest import ARMS, tiny


def blas_threads():
    np.eye(2) @ np.eye(2)
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture
def many():
    """Two threads before, whatever this machine has."""
    with threadpool_limits(2, user_api="blas"):
        yield


@pytest.mark.usefixtures("many")
def test_training_has_one(tmp_path, data):
    seen = set()
    study = prepare(tiny(data, ARMS, replicates="1"))
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        run_study(study, workspace, lambda event: seen.update(blas_threads() if isinstance(event, EpochDone) else ()))
    assert seen == {1}
    assert blas_threads() == {2}


@pytest.mark.usefixtures("many")
def test_timing_has_one(data, monkeypatch):
    seen = set()
    plan = runner.plan_cohorts

    def planned(*arguments, **options):
        seen.update(blas_threads())
        return plan(*arguments, **options)

    monkeypatch.setattr(runner, "plan_cohorts", planned)
    forecast_in(prepare(tiny(data, ARMS, replicates="1")), None, Meters())
    assert seen == {1}
    assert blas_threads() == {2}
