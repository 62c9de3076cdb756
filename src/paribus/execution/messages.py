"""What a worker sends to the one thread that records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from paribus.data.pool import Purpose
from paribus.execution.events import EpochDone
from paribus.training.cohort import TrainingState
from paribus.training.engine import State
from paribus.training.measurements import Measurements
from paribus.training.plan import PlannedRun
from paribus.training.tracker import PendingSnapshot, Tracker


@dataclass(frozen=True)
class RunCheckpoint:
    """Where one run is: copies, so that training may go on while they are written."""

    run: PlannedRun
    state: TrainingState
    scalars: Mapping[str, Any]
    curves: Mapping[str, list[float]]
    selected: Mapping[int, State]
    snapshots: Sequence[PendingSnapshot]
    started_at: str


@dataclass(frozen=True)
class CohortCheckpoint:
    """Where all runs of a cohort are. `paused` says that they will not go on in this session.

    `released` is set when the checkpoint is no longer in use, written or not.
    """

    runs: Sequence[RunCheckpoint]
    paused: bool
    released: Event = field(default_factory=Event)


@dataclass(frozen=True)
class RunEnded:
    """A run is over; `measured` is everything that was measured of it."""

    run: PlannedRun
    tracker: Tracker
    measured: Measurements
    started_at: str


@dataclass(frozen=True)
class TestReadRequest:
    """A read of the test set, to be logged before it is `granted`. `epoch` is None for monitoring.

    Where it cannot be logged, `granted` raises the reason, and the test set stays locked.
    """

    __test__ = False  # pytest takes classes of this name for tests

    runs: Sequence[PlannedRun]
    rule: str
    epoch: int | None
    examples: int
    purpose: Purpose
    granted: Future[None] = field(default_factory=Future[None])


@dataclass(frozen=True)
class WorkerFinished:
    """A cohort is over or was stopped; `error` is what broke it."""

    index: int
    wall_s: float
    error: BaseException | None = None


Message = CohortCheckpoint | RunEnded | TestReadRequest | EpochDone | WorkerFinished
