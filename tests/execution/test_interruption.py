"""Ctrl-C and full disks in the middle of recording: nothing hangs, and nothing is lost or recorded twice."""

from __future__ import annotations

import signal
import threading
from queue import Empty, SimpleQueue

import pytest

from paribus.errors import StorageError, UserError
from paribus.execution import worker
from paribus.execution.interruption import Interrupted, Interruptions
from paribus.execution.link import Link
from paribus.execution.messages import Stop
from paribus.store import faults, tensors
from paribus.store.workspace import Workspace
from tests.execution.conftest import ARMS, recorded, tiny, trained


@pytest.fixture
def study(data):
    read = {"test.read_at": '["last"]', "snapshots.every": "5"}
    return tiny(data, ARMS, **{"training.epochs": "20", **read})


@pytest.fixture
def whole(study, tmp_path):
    return finished(tmp_path / "whole", study)


def finished(folder, study):
    with Workspace.open(folder, create=True, write=True) as workspace:
        trained(study, workspace)
        return recorded(workspace, study)


@pytest.mark.parametrize("nth", [1, 2, 7, 20, 45, 70])
def test_an_interruption_in_the_middle_of_recording_loses_nothing(tmp_path, study, whole, often, monkeypatch, nth):
    puts, put = [], tensors.TensorFolder.put

    def interrupted(folder, arrays):
        puts.append(None)
        if len(puts) == nth:
            signal.raise_signal(signal.SIGINT)
        return put(folder, arrays)

    monkeypatch.setattr(tensors.TensorFolder, "put", interrupted)
    with Workspace.open(tmp_path / "cut", create=True, write=True) as workspace, pytest.raises(KeyboardInterrupt):
        trained(study, workspace)
    assert finished(tmp_path / "cut", study) == whole


def test_an_interruption_before_the_first_epoch_loses_nothing(tmp_path, study, whole, monkeypatch):
    receive = Link.__init__

    def stopped(link, post):
        receive(link, post)
        signal.raise_signal(signal.SIGINT)
        link.receive(Stop())

    monkeypatch.setattr(Link, "__init__", stopped)
    with Workspace.open(tmp_path / "cut", create=True, write=True) as workspace, pytest.raises(KeyboardInterrupt):
        trained(study, workspace)
    monkeypatch.undo()
    assert finished(tmp_path / "cut", study) == whole


@pytest.mark.parametrize("nth", [20, 80, 140, 200, 260, 320])
def test_a_disk_that_fills_up_ends_training_in_one_line(tmp_path, study, whole, often, nth):
    """Also when there is space again while the cohorts send their last checkpoints, as here after the one refusal."""
    before = threading.enumerate()
    with Workspace.open(tmp_path / "full", create=True, write=True) as workspace:
        faults.inject(f"enospc@{nth}")
        try:
            with pytest.raises(StorageError, match="no space left on the disk"):
                trained(study, workspace)
        finally:
            faults.inject("")
    assert finished(tmp_path / "full", study) == whole
    assert [thread for thread in threading.enumerate() if thread not in before] == []


def test_a_read_of_the_test_set_that_cannot_be_logged_does_not_happen(tmp_path, study, monkeypatch):
    def refuse(*_):
        raise StorageError("needs space to write", given="nothing", place="here", remedy="free some space")

    opened = []
    monkeypatch.setattr(Workspace, "log_test_reads", refuse)
    monkeypatch.setattr("paribus.data.pool.TestSet.open", lambda *_: opened.append(1))
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace, pytest.raises(StorageError):
        trained(study, workspace)
    assert opened == []


@pytest.fixture
def restored():
    """Puts the handlers of this process back."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_signals_are_queued_inside_and_have_their_handlers_outside(restored):
    queue, handled = SimpleQueue(), []
    numbers = (signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        signal.signal(number, lambda number, _: handled.append(number))
    with Interruptions(queue):
        for number in (*numbers, signal.SIGINT, *numbers):
            signal.raise_signal(number)
    assert [queue.get(timeout=0) for _ in range(5)] == [Interrupted()] * 5
    assert handled == []
    for number in numbers:
        signal.raise_signal(number)
    assert handled == [signal.SIGTERM, signal.SIGHUP]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(Empty):
        queue.get(timeout=0)


def test_an_ignored_signal_stays_ignored(restored):
    queue = SimpleQueue()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with Interruptions(queue):
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(Empty):
        queue.get(timeout=0)


def test_another_thread_can_run_a_study(tmp_path, study, whole):
    found = []
    thread = threading.Thread(target=lambda: found.append(finished(tmp_path / "thread", study)))
    thread.start()
    thread.join()
    assert found == [whole]


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "1e9"])
def test_a_bad_checkpoint_interval_is_refused_before_anything_is_written(tmp_path, study, monkeypatch, text):
    monkeypatch.setenv("PARIBUS_CHECKPOINT_S", text)
    refusal = pytest.raises(UserError, match="PARIBUS_CHECKPOINT_S: must be a number of seconds above 0")
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace, refusal:
        trained(study, workspace)
    assert not (tmp_path / "w").exists()


def test_the_checkpoint_interval_has_a_default(monkeypatch):
    monkeypatch.delenv("PARIBUS_CHECKPOINT_S", raising=False)
    assert worker.checkpoint_every_s() == worker.CHECKPOINT_EVERY_S
    monkeypatch.setenv("PARIBUS_CHECKPOINT_S", "2.5")
    assert worker.checkpoint_every_s() == 2.5
