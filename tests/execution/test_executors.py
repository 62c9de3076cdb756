"""What every executor promises: one suite for threads, for threads whose messages are encoded, for processes, and for
actors of a Ray cluster."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from paribus.errors import StorageError
from paribus.execution.encoding import Encoded, decode, encode
from paribus.execution.events import CohortDone, CohortLost, EpochDone, silent
from paribus.execution.executor import Executor
from paribus.execution.executors import ExecutorsByFamily
from paribus.execution.lasting import LastingWorkers
from paribus.execution.processes import ProcessExecutor
from paribus.execution.ray_cluster import RayExecutor
from paribus.execution.runner import member_runs, train
from paribus.execution.threads import ThreadExecutor
from paribus.store.workspace import Workspace
from paribus.training.plan import plan_cohorts
from tests.execution import faults
from tests.execution.conftest import ARMS, InterruptAfter, ready, recorded, runs_in, tiny, trained

CHANGES = {
    "training.epochs": "12",
    "snapshots.every": "5",
    "test.read_at": '["last"]',
    "test.monitor_every": "3",
    "test.monitor_examples": "20",
}


def crossed(message):
    """A message as it is after a way through JSON text and bytes."""
    found = encode(message)
    arrays = tuple(np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape) for a in found.arrays)
    shared = {name: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape) for name, a in found.shared.items()}
    return decode(Encoded(json.loads(json.dumps(found.values, allow_nan=False)), arrays, shared))


class EncodedThreads(Executor):
    """Threads that share nothing with the parent but encoded messages."""

    def __init__(self, device, deliver):
        self._threads = ThreadExecutor(lambda task_id, message: deliver(task_id, crossed(message)), device.engine)

    def start(self, task):
        self._threads.start(crossed(task))

    def send(self, task_id, message):
        self._threads.send(task_id, crossed(message))

    def close(self):
        self._threads.close()


MADE = []


def processes(_device, deliver):
    """Worker processes with the compiled engine, which meet the fault of the environment."""
    MADE.append(ProcessExecutor(deliver, entry="tests.execution.faults"))
    return MADE[-1]


def cluster(device, deliver):
    """Actors of a Ray cluster of this machine's cores, which meet the fault of the environment."""
    MADE.append(RayExecutor(device, deliver, entry="tests.execution.faults", settings=faults.settings()))
    return MADE[-1]


EXECUTORS = {
    "threads": ExecutorsByFamily, "encoded threads": EncodedThreads, "processes": processes, "Ray": cluster,
}  # fmt: skip


@pytest.fixture(params=EXECUTORS)
def executor(request, monkeypatch):
    if request.param == "Ray":
        request.getfixturevalue("ray_cluster")
    elif request.param != "processes":
        faults.install(monkeypatch.setattr)
    before = threading.enumerate()  # Ray's own threads among them
    yield EXECUTORS[request.param]
    for thread in threading.enumerate():
        if thread not in before:
            thread.join(30)  # on a machine with other work, an epoch may take longer than an executor waits
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []
    while MADE:
        assert MADE.pop().workers == 0


@pytest.fixture
def study(data):
    return tiny(data, ARMS, **CHANGES)


@pytest.fixture
def whole(study, tmp_path):
    """The study's results by threads."""
    return finished(tmp_path / "whole", study)


def finished(folder, study, listener=None, **options):
    with Workspace.open(folder, create=True, write=True) as workspace:
        trained(study, workspace, *([listener] if listener else []), **options)
        return recorded(workspace, study)


def test_bits_are_the_same_alone_and_in_company(tmp_path, data, study, whole, executor):
    assert finished(tmp_path / "together", study, executor=executor, workers=1) == whole
    alone = tiny(data, '[[arms]]\nname = "fast"\noptimizer = { lr = 0.3 }\n', **CHANGES, replicates="1")
    assert finished(tmp_path / "alone", alone, executor=executor)["fast", 0] == whole["fast", 0]


def test_an_interrupted_study_goes_on_with_the_same_bits(tmp_path, study, whole, executor, often):
    """Interrupted once by a listener and once by a signal, and finished by threads."""
    folder = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        finished(folder, study, InterruptAfter(EpochDone, 3), executor=executor)

    def press(event):
        if isinstance(event, EpochDone) and event.epoch >= 7:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        finished(folder, study, press, executor=executor)
    with Workspace.open(folder) as workspace:
        states = {run.state for run in runs_in(workspace, study).values()}
    assert "paused" in states
    assert "running" not in states
    assert finished(folder, study) == whole


def test_runs_pause_at_the_epoch_that_they_are_told_and_go_on_with_the_same_bits(tmp_path, study, whole, executor):
    folder, prepared = tmp_path / "paused", ready(study)
    with Workspace.open(folder, create=True, write=True) as workspace:
        members = member_runs(study, prepared.runs)
        workspace.register_study(prepared.id, study.name, study.document, members)
        for epoch in (2, 7, 7):  # there is nothing to train the last time
            known = {run.id: record for run in prepared.runs if (record := workspace.run(run.id)) is not None}
            pausing = [replace(run, until=epoch) for run in prepared.runs]
            plan = plan_cohorts(study, pausing, known, prepared.device, timing=False)
            assert train(prepared.id, plan, workspace, silent, executor).failed == {}
            found = {m: (run.state, run.epochs_done) for m, run in runs_in(workspace, study).items()}
            for (arm, _), (state, epochs) in found.items():
                assert (state, epochs) == ("paused", epoch) or (arm == "stopping" and state == "done")
        assert plan.unfinished == ()
    assert finished(folder, study) == whole


def test_workers_that_stay_for_the_next_training_give_the_same_bits(tmp_path, study, whole, executor):
    """They stay after an interruption, and end where a training leaves them with a task."""
    made = []

    def counted(device, deliver):
        made.append(executor(device, deliver))
        return made[-1]

    def leave(event):
        if isinstance(event, EpochDone):
            raise SystemExit

    with closing(LastingWorkers(counted)) as workers:
        with pytest.raises(KeyboardInterrupt):
            finished(tmp_path / "cut", study, InterruptAfter(EpochDone, 3), executor=workers)
        for folder in ("cut", "again"):
            assert finished(tmp_path / folder, study, executor=workers) == whole
            assert len(made) == 1
            assert getattr(made[0], "workers", 1) > 0
        with pytest.raises(SystemExit):
            finished(tmp_path / "left", study, leave, executor=workers)
        assert getattr(made[0], "workers", 0) == 0
        assert finished(tmp_path / "left", study, executor=workers) == whole
        assert len(made) == 2


def test_lack_of_memory_is_told_and_the_cohort_begins_again(tmp_path, study, whole, executor, often, monkeypatch):
    monkeypatch.setenv(faults.VARIABLE, faults.describe(tmp_path / "faults", "memory"))
    events = []
    assert finished(tmp_path / "w", study, events.append, executor=executor) == whole
    [lost] = [event for event in events if isinstance(event, CohortLost)]
    assert (lost.reason, lost.again) == ("had not enough memory (MemoryError: Unable to allocate 7 GiB)", True)


def test_a_failing_run_fails_alone(tmp_path, study, whole, executor, often, monkeypatch):
    """Runs of one cohort: the others are trained again without it, and end with the same bits."""
    monkeypatch.setenv(faults.VARIABLE, faults.describe(tmp_path / "faults", "error", times=100, lr=0.3))
    events = []
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        outcome = trained(study, workspace, events.append, executor=executor, workers=1)
        found, states = recorded(workspace, study), {m: run.state for m, run in runs_in(workspace, study).items()}
    assert outcome.failed == {f"arm fast, replicate {i}": "met an error (RuntimeError: broken)" for i in (0, 1)}
    assert outcome.trained == 4
    assert {member for member, state in states.items() if state == "paused"} == {("fast", 0), ("fast", 1)}
    assert {member: found[member] for member in found if member[0] != "fast"} == {
        member: whole[member] for member in whole if member[0] != "fast"
    }
    assert sum(event.failed for event in events if isinstance(event, CohortDone)) == 2
    monkeypatch.delenv(faults.VARIABLE)
    assert finished(tmp_path / "w", study) == whole


def test_no_test_example_reaches_a_worker_before_its_read_is_logged(tmp_path, data, executor, monkeypatch):
    """Everything that goes to a worker is watched for the images of the test set."""
    with np.load(data / "digits.npz") as file:
        images = {image.tobytes() for image in file["arr_4"].T}
    order, log = [], Workspace.log_test_reads

    def logged(workspace, reads):
        log(workspace, reads)
        order.append("logged")

    def seen(message):
        found = encode(message)
        rows = [a.reshape(len(a), -1) for a in (*found.arrays, *found.shared.values()) if a.ndim]
        if any(row.tobytes() in images for array in rows for row in array):
            order.append("sent")

    def watching(device, deliver):
        made = executor(device, deliver)
        start, send = made.start, made.send
        made.start = lambda task: (seen(task), start(task))
        made.send = lambda task_id, message: (seen(message), send(task_id, message))
        return made

    monkeypatch.setattr(Workspace, "log_test_reads", logged)
    asks = {"test.read_at": '["last"]', "test.monitor_every": "2"}
    finished(tmp_path / "w", tiny(data, replicates="1", **asks), executor=watching)
    assert order == ["logged", "sent"] * 2
    order.clear()
    finished(tmp_path / "locked", tiny(data, replicates="1"), executor=watching)
    assert order == []


def test_a_read_that_cannot_be_logged_is_refused(tmp_path, study, executor, monkeypatch):
    def refuse(*_):
        raise StorageError("needs space to write", given="nothing", place="here", remedy="free some space")

    opened = []
    monkeypatch.setattr(Workspace, "log_test_reads", refuse)
    monkeypatch.setattr("paribus.data.pool.TestSet.open", lambda *_: opened.append(1))
    with pytest.raises(StorageError):
        finished(tmp_path / "w", study, executor=executor)
    assert opened == []


@pytest.mark.parametrize("executor", ["threads", "encoded threads"], indirect=True)
def test_a_read_that_the_study_does_not_declare_is_refused(tmp_path, data, executor, monkeypatch):
    from paribus.training import evaluation

    monkeypatch.setattr(evaluation, "missing_of", lambda *_: ("epoch", "test_loss"))
    study = tiny(data, replicates="1")
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        outcome = trained(study, workspace, executor=executor)
        [run] = runs_in(workspace, study).values()
        assert workspace.test_reads([run.id]) == []
    [reason] = outcome.failed.values()
    assert "the read of the test set was refused" in reason
