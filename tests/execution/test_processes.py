"""Worker processes: how they are lost and replaced, what they share, and what is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import paribus
from paribus.data.pool import Pool, Scaling, Split, Splits
from paribus.execution import child_process, memory_kills, shared_memory
from paribus.execution.events import CohortLost, EpochDone
from paribus.execution.messages import Grant, RunTask, Task
from paribus.execution.processes import ProcessExecutor
from paribus.execution.shared_memory import MAX_OPEN, SharedArrays, mapped
from paribus.execution.silence import Silence
from paribus.execution.withholding import with_its_examples_only, without_other_examples
from paribus.store.workspace import Workspace
from tests.execution import faults
from tests.execution.conftest import ARMS, recorded, runs_in, tiny, trained

ROOT = Path(__file__).parents[2]
CHANGES = {"training.epochs": "12", "snapshots.every": "5", "test.read_at": '["last"]'}


@pytest.fixture
def study(data):
    return tiny(data, ARMS, **CHANGES)


@pytest.fixture
def whole(study, tmp_path):
    with Workspace.open(tmp_path / "whole", create=True, write=True) as workspace:
        trained(study, workspace)
        return recorded(workspace, study)


def by_processes(folder, study, listener, *, least_silence_s=60.0, **options):
    """Outcome and results of a study by worker processes that meet the fault of the environment."""

    def executor(_device, deliver):
        return ProcessExecutor(deliver, entry="tests.execution.faults", least_silence_s=least_silence_s)

    with Workspace.open(folder, create=True, write=True) as workspace:
        outcome = trained(study, workspace, listener, executor=executor, **options)
        return outcome, recorded(workspace, study)


def losses(events):
    return [(event.reason, event.again) for event in events if isinstance(event, CohortLost)]


@pytest.mark.parametrize("kind", ["SIGKILL", "SIGSEGV"])
def test_a_worker_that_dies_is_replaced_and_no_bit_changes(tmp_path, study, whole, often, monkeypatch, kind):
    monkeypatch.setenv(faults.VARIABLE, faults.describe(tmp_path / "faults", kind, epoch=4))
    events = []
    _, found = by_processes(tmp_path / "w", study, events.append)
    assert found == whole
    assert losses(events) == [(f"was killed by {kind}", True)]


def test_a_worker_that_dies_before_the_first_checkpoint_begins_at_the_first_epoch(tmp_path, study, whole, monkeypatch):
    monkeypatch.setenv(faults.VARIABLE, faults.describe(tmp_path / "faults", "SIGKILL", epoch=4))
    events = []
    _, found = by_processes(tmp_path / "w", study, events.append)
    assert found == whole
    assert len(losses(events)) == 1


def test_a_run_that_kills_every_worker_fails_alone(tmp_path, study, whole, often, monkeypatch):
    monkeypatch.setenv(faults.VARIABLE, faults.describe(tmp_path / "faults", "SIGKILL", times=100, lr=0.3))
    events = []
    one = tiny(study.folder, ARMS, **CHANGES, replicates="1")
    outcome, found = by_processes(tmp_path / "w", one, events.append, workers=1)
    assert outcome.failed == {"arm fast, replicate 0": "was killed by SIGKILL"}
    assert [again for _, again in losses(events)][-1] is False
    assert 3 <= len(losses(events)) <= 4
    for arm in ("slow", "stopping"):
        assert found[arm, 0] == whole[arm, 0]
    with Workspace.open(tmp_path / "w") as workspace:
        assert runs_in(workspace, one)["fast", 0].state == "paused"


def test_a_silent_worker_is_ended_and_replaced(tmp_path, study, whole, often, monkeypatch):
    monkeypatch.setenv(faults.VARIABLE, faults.describe(tmp_path / "faults", "SIGSTOP", epoch=4))
    events = []
    _, found = by_processes(tmp_path / "w", study, events.append, least_silence_s=12.0)
    assert found == whole
    assert losses(events) == [("was silent for 12 s and was ended", True)]


def test_a_kill_by_the_system_for_lack_of_memory_is_told_as_such(tmp_path, study, whole, often, monkeypatch):
    """The system's counter goes up while the worker is killed, as the out-of-memory killer does it."""
    counter = tmp_path / "vmstat"
    counter.write_text("nr_free_pages 12\noom_kill 3\n")
    monkeypatch.setattr(memory_kills, "COUNTERS", (counter, tmp_path / "none"))
    monkeypatch.setenv(faults.VARIABLE, faults.describe(tmp_path / "faults", "SIGKILL", epoch=4))
    events = []

    def watch(event):
        events.append(event)
        if isinstance(event, EpochDone):
            counter.write_text("nr_free_pages 12\noom_kill 4\n")

    _, found = by_processes(tmp_path / "w", study, watch, workers=1)
    assert found == whole
    assert losses(events) == [("was killed by the system, because memory was lacking", True)]


def test_a_worker_that_cannot_start_is_told_with_its_last_words(tmp_path, study, monkeypatch):
    def executor(_device, deliver):
        return ProcessExecutor(deliver, entry="tests.execution.no_such_module")

    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        outcome = trained(tiny(study.folder, replicates="1"), workspace, executor=executor)
    [reason] = outcome.failed.values()
    assert reason.startswith("ended with exit code 1 (")
    assert "no_such_module" in reason


SCRIPT = """
import sys
from pathlib import Path
from paribus.execution.events import EpochDone
from paribus.execution.processes import ProcessExecutor
from paribus.store.workspace import Workspace
from tests.execution.conftest import ARMS, tiny, trained
from tests.execution.test_processes import CHANGES

made = []

def executor(_device, deliver):
    made.append(ProcessExecutor(deliver))
    return made[0]

def listener(event):
    if isinstance(event, EpochDone):
        print(event.epoch, *made[0].pids, flush=True)

folder = Path(sys.argv[1])
with Workspace.open(folder / "cut", create=True, write=True) as workspace:
    trained(tiny(folder, ARMS, **CHANGES), workspace, listener, executor=executor)
"""


def test_a_parent_that_is_killed_leaves_nothing_behind_and_loses_nothing(tmp_path, study, whole, often):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(paribus.__file__).parents[1]), str(ROOT)])}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, env=environment, text=True
    ) as parent:
        for line in parent.stdout:
            epoch, *pids = map(int, line.split())
            if epoch == 5:
                break
        parent.kill()
    assert pids
    ended_by = time.monotonic() + 30
    while any(_is_running(pid) for pid in pids) and time.monotonic() < ended_by:
        time.sleep(0.05)
    assert [pid for pid in pids if _is_running(pid)] == []
    with Workspace.open(tmp_path / "cut", write=True) as workspace:
        assert trained(study, workspace).resumed > 0
        assert recorded(workspace, study) == whole


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_processor_time_of_workers_is_counted(tmp_path, data):
    """A worker needs most of a second to begin; the parent that waits needs much less meanwhile."""
    study = tiny(data, replicates="1")
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        ours = time.process_time()
        trained(study, workspace, executor=lambda _, deliver: ProcessExecutor(deliver))
        ours = time.process_time() - ours
        [usage] = workspace.usage([run.id for run in runs_in(workspace, study).values()])
    if usage.tag == "modelled":
        assert usage.method["scope"] == "this process and its workers"
    assert usage.cpu_s > 0.3
    assert ours > 0


def test_workers_have_one_thread(monkeypatch):
    """Libraries read the variables when they are loaded, which is later than the process begins."""
    assert {name.partition("_")[0] for name in child_process.ONE_THREAD} >= {"OMP", "MKL", "OPENBLAS"}
    assert set(child_process.ONE_THREAD.values()) == {"1"}


@pytest.mark.parametrize("dtype", ["u1", "f4", "i8"])
def test_shared_arrays_are_read_only_and_have_no_name(dtype):
    array = np.arange(24).astype(dtype).reshape(2, 3, 4)
    shared = SharedArrays()
    found = mapped(shared.opened("a", array), array.dtype.str, array.shape)
    shared.close()
    np.testing.assert_array_equal(found, array)
    assert not found.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 0
    empty = np.zeros((0, 4), dtype)
    assert mapped(shared.opened("b", empty), empty.dtype.str, empty.shape).shape == (0, 4)
    shared.close()


def _open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_few_files_stay_open():
    before = _open_files()
    shared = SharedArrays()
    for number in range(MAX_OPEN + 10):
        os.close(shared.opened(str(number), np.full(3, number)))
    assert _open_files() == before + MAX_OPEN
    shared.close()
    assert _open_files() == before


def test_few_bytes_stay_in_memory(monkeypatch):
    monkeypatch.setattr(shared_memory, "MAX_BYTES", 100)
    shared, before = SharedArrays(), _open_files()
    for number in range(6):
        os.close(shared.opened(str(number), np.full(5, number)))
    assert _open_files() == before + 2
    os.close(shared.opened("large", np.zeros(1000)))
    assert _open_files() == before + 1
    shared.close()


def test_a_pool_of_all_examples_goes_without_those_of_the_test_set(study):
    """Rows keep their numbers, arrays of a pool stay together, and what a run uses is unchanged."""
    values = np.arange(1, 41, dtype=np.float32).reshape(10, 4)
    pool = Pool("all", values, 1.0, np.arange(1, 11), (4,), "0" * 64)
    rows = {"train": [5, 0, 2], "validation": [9, 1], "test": [3, 4]}
    parts = {name: Split(pool, np.array(r), pool.labels[r], pool.labels[r]) for name, r in rows.items()}
    splits = Splits(parts["train"], parts["validation"], None, Scaling(None, None), dataset=None)
    task = Task("0", 0, [RunTask(None, splits, None, ""), RunTask(None, splits, None, "")], 1.0)
    sent = without_other_examples(task)
    assert sent.runs[0].splits is sent.runs[1].splits
    found = sent.runs[0].splits
    assert found.train.pool is found.validation.pool
    used = rows["train"] + rows["validation"]
    others = sorted(set(range(10)) - set(used))
    np.testing.assert_array_equal(found.train.pool.values[used], values[used])
    assert not found.train.pool.values[others].any()
    assert not found.train.pool.labels[others].any()
    np.testing.assert_array_equal(found.train.inputs, parts["train"].inputs)

    granted = with_its_examples_only(Grant(1, parts["test"])).test
    np.testing.assert_array_equal(granted.inputs, parts["test"].inputs)
    assert np.flatnonzero(granted.pool.values.any(axis=1)).tolist() == rows["test"]


def test_a_pool_that_is_used_whole_is_sent_as_it_is():
    pool = Pool("all", np.ones((3, 2), np.float32), 1.0, None, (2,), "0" * 64)
    splits = Splits(Split(pool, np.array([2, 0]), None, None), Split(pool, np.array([1]), None, None), None,
                    Scaling(None, None), dataset=None)  # fmt: skip
    sent = without_other_examples(Task("0", 0, [RunTask(None, splits, None, "")], 1.0))
    assert sent.runs[0].splits.train.pool is pool


def test_silence_is_too_long_after_a_minute_or_twenty_median_epochs():
    worker = Silence(100.0)
    assert not worker.too_long(160.0)
    assert worker.too_long(160.1)
    for epoch_s in (1.0, 2.0, 5.0, 900.0, 4.0):
        worker.epoch_took(epoch_s)
    assert worker.limit_s == 80.0
    worker.heard(200.0)
    assert not worker.too_long(279.0)
    assert worker.too_long(280.1)
