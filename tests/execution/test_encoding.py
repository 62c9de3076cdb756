"""Messages as JSON and bytes: what goes in comes out, and nothing else can."""

from __future__ import annotations

import dataclasses
import json
import math
import socket
from collections.abc import Mapping
from threading import Thread

import numpy as np
import pytest

from paribus.data.pool import Pool, Split
from paribus.execution.channel import MAX_FILES, Channel
from paribus.execution.encoding import content_hash, decode, encode
from paribus.execution.engine_messages import (
    Done,
    Dropped,
    EvaluationRequest,
    ForwardRequest,
    InitialState,
    InitialStateRequest,
    NetworksRequest,
    Refused,
)
from paribus.execution.events import EpochDone
from paribus.execution.messages import (
    Acknowledgement,
    Checkpoint,
    Failure,
    Finished,
    Grant,
    Heartbeat,
    Refusal,
    RunEnded,
    RunProgress,
    RunTask,
    Stop,
    Task,
    TestReadRequest,
)
from paribus.execution.recovery import RESTARTS, retried
from paribus.execution.runner import prepare
from paribus.execution.shared_memory import SharedArrays
from paribus.spec.losses import FunctionLoss, MeanSquaredError
from paribus.spec.modules import LayerSize, ModuleSize, SourceFile, UserModule
from paribus.store.records import Measurement
from paribus.training.cohort import TrainingState, fresh_state
from paribus.training.engine import Architecture, Evaluation, Forward, Inputs, ModuleArchitecture
from paribus.training.measurements import Measurements
from paribus.training.tracker import PendingSnapshot, SelectedEpoch
from tests.execution.conftest import ARMS, tiny

RANDOM = np.random.default_rng(0)
STATE = {"fc1.weight": RANDOM.normal(size=(3, 4)).astype(np.float32), "step": np.array(7, dtype=np.int64)}
SNAPSHOT = PendingSnapshot(2, "first-layer", {"fc1.weight": STATE["fc1.weight"]})
CURVES = {"val_loss": np.array([1.5, math.nan, -math.inf])}
SCALARS = {"schedule": {"best": math.inf}, "selected": {"last": [3, None]}, "early_stop": [0, 0.1 + 0.2]}
PROGRESS = RunProgress("a1", TrainingState(3, 12, STATE), SCALARS, CURVES, {3: STATE, 0: {}}, [SNAPSHOT], "2030-01-01")
POOL = Pool("p", RANDOM.integers(0, 256, (5, 4), dtype=np.uint8), 255.0, np.arange(5), (2, 2), "f" * 64)
TEST = Split(POOL, np.array([4, 1]), np.array([4, 1]), np.array([4, 1]))
MEASURED = Measurements([Measurement("last", "mse", math.nan)], [("last", "units", {"fc1.mean": np.zeros(3)})])
SIZE = ModuleSize(10, 12, 30, 60, 400, (LayerSize("conv1", "Conv2d", (4, 2, 2), 10, 30),))
OWN = UserModule("/home/me/nets.py", "/home/me", (SourceFile("nets.py", "x = 1  # \udcff"),), SIZE, 0.5, 0.25)
MODULE = ModuleArchitecture(OWN, "Net", {"widths": [4, 8], "deep": {"on": True}}, (1, 2, 2))
INPUTS = Inputs(POOL.values[:2], 255.0, np.zeros((1, 4), np.float32), None)
FOCAL = {"kind": "function", "function": "nets.py:focal", "arguments": {"gamma": 2}}
MESSAGES = [
    EpochDone(1, 3, ["a1"], {"val_loss": [math.nan]}, 0.1, math.nan, math.inf, 12.5, 0.0),
    Checkpoint(4, [PROGRESS], paused=True),
    RunEnded("a1", "diverged", 3, CURVES, {"last": SelectedEpoch(3, None, STATE)}, [], MEASURED, "2030-01-01"),
    TestReadRequest(5, ["a1", "b2"], "", None, 20, "monitoring"),
    Heartbeat(1.25, 0.5),
    Finished(2.5),
    Finished(2.5, Failure("memory", "had not enough memory", "Traceback\n  ü")),
    Grant(5, TEST),
    Refusal(5),
    Acknowledgement(4),
    Stop(),
    InitialStateRequest(MODULE, 2**64 - 1),
    NetworksRequest(3, MODULE, [STATE]),
    NetworksRequest(4, Architecture((2, 2), ()), [{}]),
    Dropped(3),
    ForwardRequest(3, INPUTS),
    EvaluationRequest(3, INPUTS, np.array([0, 2]), FunctionLoss.model_validate(FOCAL)),
    EvaluationRequest(3, INPUTS, None, MeanSquaredError(kind="mse")),
    Done(),
    InitialState(STATE),
    Forward(RANDOM.normal(size=(1, 2, 3)).astype(np.float32), ()),
    Evaluation(np.array([0.25]), np.array([3]), None),
    Refused("must run without an error", "", "nets.py:7", "correct it there"),
]


def same(a, b) -> bool:
    """Equal in type, structure and bits; a mapping of any kind equals a dict."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if dataclasses.is_dataclass(a):
        names = [field.name for field in dataclasses.fields(a)]
        return type(a) is type(b) and all(same(getattr(a, name), getattr(b, name)) for name in names)
    if isinstance(a, Mapping):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return repr(a) == repr(b)
    return type(a) is type(b) and a == b


def sent(*messages):
    """What arrives of messages that are sent through a socket."""
    ends, shared = socket.socketpair(), SharedArrays()
    here, there = map(Channel, ends)
    thread = Thread(target=lambda: [here.send(encode(message), shared.opened) for message in messages])
    thread.start()
    found = [decode(there.receive()) for _ in messages]
    thread.join()
    here.end()
    with pytest.raises(EOFError):
        there.receive()
    here.close()
    there.close()
    shared.close()
    return found


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_message_comes_out_as_it_went_in(message):
    found = encode(message)
    json.dumps(found.values, allow_nan=False)
    assert same(decode(found), message)
    assert same(sent(message)[0], message)


def test_a_task_comes_out_as_it_went_in_and_shares_what_it_shared(data):
    planned = prepare(tiny(data, ARMS, **{"data.scale": '"standardise"'})).runs
    runs = [
        RunTask(
            run.spec,
            dataclasses.replace(run.splits, test=None),
            RunProgress(run.id, fresh_state(run.spec), SCALARS, CURVES, {}, [], ""),
            "",
        )
        for run in planned
    ]
    task = Task("7", 1, [*runs, dataclasses.replace(runs[0], progress=None)], 20.0)
    [found] = sent(task)
    assert same(found, task)
    assert [run.spec.id for run in found.runs] == [run.spec.id for run in task.runs]
    assert found.runs[0].splits is found.runs[-1].splits
    assert found.runs[0].splits.train.pool is found.runs[1].splits.train.pool
    assert not found.runs[0].splits.train.pool.values.flags.writeable


def test_a_task_with_a_test_set_does_not_leave(data):
    run = prepare(tiny(data)).runs[0]
    with pytest.raises(TypeError, match="TestSet cannot leave the process"):
        encode(Task("0", 0, [RunTask(run.spec, run.splits, None, "")], 20.0))


@pytest.mark.parametrize("value", [print, object(), {"a": b"bytes"}, np.array([None])])
def test_nothing_else_crosses(value):
    with pytest.raises(TypeError, match="cannot leave the process"):
        encode(Finished(value))


@pytest.mark.parametrize("values", [{"no": 0}, {"is": "Popen", "has": {}, "no": 0}, {"is": "Stop", "has": {"x": 1}}])
def test_what_is_no_message_is_refused(values):
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(dataclasses.replace(encode(Stop()), values=values))


def test_more_shared_arrays_than_one_send_takes():
    pools = [Pool(str(n), np.full((1, 1), n, np.float32), 1.0, None, (1,), "") for n in range(MAX_FILES + 3)]
    grants = [Split(pool, np.array([0]), None, None) for pool in pools]
    message = Checkpoint(1, grants, paused=False)
    [found] = sent(message)
    assert [split.pool.values.item() for split in found.runs] == list(range(MAX_FILES + 3))


def test_a_content_hash_is_that_of_type_shape_and_content():
    array = np.arange(6, dtype=np.uint8)
    fixed = array.copy()
    fixed.setflags(write=False)
    assert content_hash(fixed) == content_hash(fixed) == content_hash(array)
    before = content_hash(array)
    array[0] = 9
    assert len({before, content_hash(array), content_hash(fixed.reshape(2, 3)), content_hash(fixed.view("i1"))}) == 4


def test_runs_begin_again_together_and_then_alone():
    died, error = Failure("died", ""), Failure("error", "")
    assert RESTARTS == 2
    assert retried(["a", "b"], 0, died) == [(("a", "b"), 1)]
    assert retried(["a", "b"], 1, died) == [(("a", "b"), 2)]
    assert retried(["a", "b"], 2, died) == [(("a",), 2), (("b",), 2)]
    assert retried(["a"], 2, died) == []
    assert retried(["a"], 0, error) == []
    assert retried(["a", "b"], 0, error) == [(("a",), 2), (("b",), 2)]
