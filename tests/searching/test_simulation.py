from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from paribus.execution.runner import prepare, run_study
from paribus.searching.simulation import Costs, Trained, replayed, saturation, simulated
from paribus.spec.candidates import Candidate
from paribus.spec.study import parse
from paribus.store.workspace import Workspace
from tests.searching.conftest import history, prepared, search, searched

COSTS = Costs(runs=4, epochs=10, train_s=2.0, begin_s=0.01, message_s=0.001, end_s=0.005, task_bytes=100.0,
              message_bytes=10.0, end_bytes=1000.0, shared_bytes=5000.0)  # fmt: skip


def test_a_replay_of_a_search_comes_to_its_rungs_winner_and_epochs(data: Any, tmp_path: Any) -> None:
    """Held against a real search of one replicate, which stopped candidates early."""
    changes = {"replicates": "1", "search.halving": "{ grace = 2, factor = 2, brackets = 2 }", "search.without": "[]"}
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        found = searched(data, workspace, **changes)
        recorded = history(data, workspace, **changes)
        epochs = sum(epochs for _, _, epochs, *_ in recorded["runs"].values())
    values = {one.number: one for one in recorded["proposals"]}
    study = search(data, **changes)
    given = [Candidate(number, one.values) for number, one in values.items()]
    arms = parse(study.document, place="x", folder=study.folder, candidates=given)
    plain = arms.model_copy(update={"search": None})
    with Workspace.open(tmp_path / "all", create=True, write=True) as workspace:
        run_study(prepare(plain), workspace)
        record = workspace.studies()[-1]
        curves = {int(arm.split()[1]): workspace.curves(run.id)["val_loss"].tolist()
                  for arm, _, run in workspace.runs_of(record.id)}  # fmt: skip
        spec = prepared(data, **changes).search
        replay = replayed(spec, {n: Trained(curve) for n, curve in curves.items()}, 12)
    assert replay.winner == found[0]
    assert replay.epochs == epochs
    assert replay.value == min(one.value for one in recorded["assessments"] if one.epochs == 12 and one.value)


def test_a_replayed_policy_passes_over_faults_as_soon_as_they_are_seen(data: Any) -> None:
    """The best candidate has a fault from its fourth epoch on: it takes the place of another one at the first rung."""
    spec = search(data, **{"search.halving": "{ grace = 2, factor = 2 }", "search.confirm": "{ finalists = 1 }"}).search
    assert spec is not None
    sound = {number: Trained([1.0 + 0.1 * number] * 12) for number in range(1, 8)}
    late = Trained([0.5] * 12, lambda epochs: ("dead",) if epochs >= 4 else ())
    found = replayed(spec, {0: late, **sound}, 12)
    assert (found.winner, found.value) == (1, 1.1)
    assert found.epochs == 8 * 2 + 4 * 2 + 2 * 4 + 1 * 4
    assert replayed(spec, {0: Trained([0.5] * 12), **sound}, 12).winner == 0


def test_one_worker_takes_one_task_after_the_other() -> None:
    one = simulated(COSTS, 12, nodes=1, cores=1)
    assert one.seconds == pytest.approx(3 * (COSTS.train_s + COSTS.driver_s))
    assert one.bytes == 3 * (100 + 10 * 10) + 12 * 1000 + 5000
    assert one.driver_load == pytest.approx(COSTS.driver_s / (COSTS.train_s + COSTS.driver_s))


def test_workers_divide_the_time_until_the_driver_is_saturated() -> None:
    at = saturation(COSTS)
    assert at == pytest.approx((2.0 + 0.04) / 0.04)
    few, many = simulated(COSTS, 4000, nodes=1, cores=10), simulated(COSTS, 4000, nodes=100, cores=10)
    assert few.seconds == pytest.approx(1000 * 2.04 / 10, rel=0.03)
    assert few.driver_load < 0.25
    assert many.seconds == pytest.approx(1000 * COSTS.driver_s, rel=0.06)  # 1,000 workers wait for one process
    assert many.driver_load > 0.94


def test_more_workers_are_never_slower() -> None:
    times = [simulated(COSTS, 2000, nodes=n, cores=4).seconds for n in (1, 2, 4, 8, 16, 32)]
    assert all(b <= a * (1 + 1e-9) for a, b in pairwise(times))
    assert math.isinf(saturation(Costs(1, 1, 1.0, 0.0, 0.0, 0.0)))
    assert np.isfinite(times).all()
