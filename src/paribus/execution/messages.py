"""What crosses between the parent, which alone records, and the workers, which train: a task, and messages by id.

Each of these is plain data: JSON values, arrays by name, and an id. There is no event, future, tracker or open file in
them, and no function: a worker may be a thread, another process, or another machine. `execution/encoding.py` turns each
into JSON and bytes, and back. What a worker waits for has an id, and the parent's reply has the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Purpose, Split, Splits
from paribus.execution.events import EpochDone
from paribus.spec.identity import RunSpec
from paribus.training.cohort import TrainingState
from paribus.training.engine import State
from paribus.training.measurements import Measurements
from paribus.training.tracker import PendingSnapshot, SelectedEpoch

Curves = Mapping[str, npt.NDArray[np.float64]]
"""One value for each finished epoch, by metric."""


@dataclass(frozen=True, eq=False)
class RunProgress:
    """Where one run is: copies, so that training may go on while they are written.

    `scalars` are a tracker's, and `selected` has the weights of the epochs that its rules have chosen so far, by epoch.
    `snapshots` are those that no earlier message had. `environment` is that of the machine where it trains; None where
    that is the parent's.
    """

    run_id: str
    state: TrainingState
    scalars: Mapping[str, Any]
    curves: Curves
    selected: Mapping[int, State]
    snapshots: Sequence[PendingSnapshot]
    started_at: str
    environment: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class RunTask:
    """A run to be trained. `splits` has no test set; `progress` is None for a run that begins with its first epoch.

    `started_at` is when that epoch began.
    """

    spec: RunSpec
    splits: Splits
    progress: RunProgress | None
    started_at: str


@dataclass(frozen=True, eq=False)
class Task:
    """A cohort to be trained, from its first epoch or from its last checkpoint.

    Parameters
    ----------
    id : of this attempt. Every message that a worker sends goes with it.
    index : of the cohort in the plan.
    checkpoint_s : seconds of training between checkpoints.
    evaluated_at_once : runs that have ended and are measured side by side.
    until : the epoch after which the runs pause; None where they train to their end.
    """

    id: str
    index: int
    runs: Sequence[RunTask]
    checkpoint_s: float
    evaluated_at_once: int = 1
    until: int | None = None


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Where all runs of a cohort are. `paused` says that they will not go on in this session.

    The worker makes no other one before the parent has acknowledged this one.
    """

    id: int
    runs: Sequence[RunProgress]
    paused: bool


@dataclass(frozen=True, eq=False)
class RunEnded:
    """A run is over after `epochs` epochs; `measured` is everything that was measured of it.

    `selected` has what each selection rule has chosen, by rule; a rule that has chosen nothing is not in it.
    `environment` is as in `RunProgress`.
    """

    run_id: str
    outcome: Literal["done", "diverged"]
    epochs: int
    curves: Curves
    selected: Mapping[str, SelectedEpoch]
    snapshots: Sequence[PendingSnapshot]
    measured: Measurements
    started_at: str
    environment: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class TestReadRequest:
    """A read of the test set, to be logged and then granted. `epoch` is None for monitoring.

    `examples` of the test set are read: the others stay locked.
    """

    __test__ = False  # pytest takes classes of this name for tests

    id: int
    run_ids: Sequence[str]
    rule: str
    epoch: int | None
    examples: int
    purpose: Purpose


@dataclass(frozen=True)
class Heartbeat:
    """The worker is at work, or waits for a reply.

    `cpu_s` is the processor time of its process so far, and `memory_gib` the most memory that it has held.
    """

    cpu_s: float
    memory_gib: float


@dataclass(frozen=True)
class Failure:
    """Why a worker ended before its task: `reason` in a few words, and a traceback where there is one.

    An `error` is an exception, and `code` one that a user's own code raised: both come again. The others may not: the
    worker `died`, `memory` was lacking, or the worker was `silent`.
    """

    kind: Literal["error", "code", "died", "memory", "silent"]
    reason: str
    trace: str = ""


@dataclass(frozen=True)
class Finished:
    """The last message of a task: it is over or was stopped, or `failure` broke it."""

    wall_s: float
    failure: Failure | None = None


@dataclass(frozen=True, eq=False)
class Grant:
    """The reply to the `TestReadRequest` with this id, which has been logged: the examples of the test set."""

    id: int
    test: Split


@dataclass(frozen=True)
class Refusal:
    """The reply to the `TestReadRequest` with this id, which was not logged: the test set stays locked."""

    id: int


@dataclass(frozen=True)
class Acknowledgement:
    """The reply to the `Checkpoint` with this id: it is no longer in use, written or not."""

    id: int


@dataclass(frozen=True)
class Stop:
    """Finish the epoch, send a last checkpoint, and end."""


FromWorker = EpochDone | Checkpoint | RunEnded | TestReadRequest | Heartbeat | Finished
ToWorker = Grant | Refusal | Acknowledgement | Stop
