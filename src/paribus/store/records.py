"""What a workspace holds, as plain frozen records. Arrays are NumPy; times are UTC in ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Curve = npt.NDArray[np.float64]
"""One float64 value per epoch; NaN where the metric was not measured at that epoch."""
Tensors = Mapping[str, npt.NDArray[Any]]
State = Literal["planned", "running", "paused", "done", "diverged"]
"""`paused`: stopped on purpose before its last epoch, and can go on. `diverged`: ended because its loss became
non-finite, which is an outcome like `done`."""


@dataclass(frozen=True)
class StudyRecord:
    """A study as it was registered. `document` is its TOML text."""

    id: str
    name: str
    document: str
    registered_at: str


@dataclass(frozen=True)
class ClaimRecord:
    """A claim of a study: its canonical text, and when a study of that name first registered this text."""

    text: str
    registered_at: str


@dataclass(frozen=True)
class Proposal:
    """A candidate of a search, before it trains.

    Parameters
    ----------
    number : counts the candidates of the search from 0.
    batch : of those that were asked for together, counted from 0.
    values : dotted keys of an arm.
    proposer : the sampler and its version: another one proposes otherwise.
    """

    number: int
    batch: int
    values: Mapping[str, Any]
    proposer: str


@dataclass(frozen=True)
class Assessment:
    """The result of the candidate `number` at a rung, counted from 0, after `epochs` epochs.

    `value` is the mean of the objective over its replicates; None where one of them has none. `faults` are those found
    in any of them. `failure` says why it could not be built or trained; empty where it was.
    """

    number: int
    rung: int
    epochs: int
    value: float | None
    faults: tuple[str, ...]
    failure: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether it was trained, and has no fault."""
        return not self.faults and not self.failure


@dataclass(frozen=True)
class NewRun:
    """A run to be registered. The fields are those of `RunRecord`."""

    run_id: str
    identity: str
    recipe: Mapping[str, Any]
    dataset: Mapping[str, Any]


@dataclass(frozen=True)
class RunRecord:
    """A run. Which arm and replicate it is, a study's membership says: studies may share a run.

    Parameters
    ----------
    id : hash of `identity`.
    identity : canonical JSON text of all that changes what is trained (recipe, random streams, data fingerprint,
        engine family). The workspace stores it and does not interpret it.
    recipe : the full validated configuration as JSON values, defaults included.
    dataset : the facts of the data that the run was planned with, as JSON values: sizes, shape, names of the classes.
    started_at : when training of the run's first epoch began; None before that.
    finished_at : when its outcome was recorded; None before that.
    """

    id: str
    state: State
    epochs_done: int
    identity: str
    recipe: Mapping[str, Any]
    dataset: Mapping[str, Any]
    environment: Mapping[str, Any]
    started_at: str | None
    finished_at: str | None


@dataclass(frozen=True)
class Snapshot:
    """Weights kept from one epoch: `part` is `network` (a whole state dict) or `first-layer` (its weight matrix)."""

    epoch: int
    part: Literal["network", "first-layer"]
    tensors: str


@dataclass(frozen=True)
class Selected:
    """What a selection rule chose: the epoch (None where nothing was finite), the metric's value, the weights."""

    rule: str
    epoch: int | None
    value: float | None
    tensors: str | None


@dataclass(frozen=True)
class Measurement:
    """A number measured at a selected snapshot (`rule`), or of the run as a whole (`rule` is empty)."""

    rule: str
    name: str
    value: float


@dataclass(frozen=True)
class Artifact:
    """Named arrays measured at a selected snapshot (`rule`), or of the run as a whole (`rule` is empty).

    Outputs per example are artifacts `outputs/train`, `outputs/validation` and `outputs/test` of each rule; their
    targets are artifacts of the run as a whole.
    """

    rule: str
    name: str
    tensors: str


@dataclass(frozen=True)
class LaterMeasurement:
    """A number, or named arrays, measured on a run after it had ended. Exactly one of `value` and `tensors` is None.

    `purpose` says why it was measured, `environment` in what environment (library versions, processor, device).
    """

    run_id: str
    rule: str
    name: str
    value: float | None
    tensors: str | None
    purpose: str
    measured_at: str
    environment: Mapping[str, Any]


@dataclass(frozen=True)
class TestRead:
    """An entry in the log of test-set reads. `epoch` is None for monitoring during the whole run."""

    run_id: str
    rule: str
    epoch: int | None
    examples: int
    purpose: Literal["selected snapshot", "monitoring", "later measurement", "reference line"]
    read_at: str
    __test__ = False  # pytest takes classes named Test... for test cases


@dataclass(frozen=True)
class Progress:
    """The checkpoint of a run that has not ended: enough to go on, bit for bit.

    Parameters
    ----------
    tensors : the file from which training resumes (weights, optimizer state, best snapshots so far).
    scalars : the plain values that belong to it.
    curves, snapshots : those recorded so far.
    started_at : when training of the run's first epoch began. The first one recorded is kept.
    state : `paused` where training stopped on purpose.
    """

    run_id: str
    epochs_done: int
    tensors: str
    scalars: Mapping[str, Any]
    curves: Mapping[str, Curve]
    snapshots: Sequence[Snapshot]
    started_at: str
    state: Literal["running", "paused"] = "running"


@dataclass(frozen=True)
class Outcome:
    """Everything recorded when a run ends, written in one transaction.

    `started_at` is as in `Progress`: it counts only for a run that ends without a checkpoint.
    """

    run_id: str
    state: Literal["done", "diverged"]
    epochs_done: int
    curves: Mapping[str, Curve]
    selections: Sequence[Selected]
    snapshots: Sequence[Snapshot]
    measurements: Sequence[Measurement]
    artifacts: Sequence[Artifact]
    test_reads: Sequence[TestRead]
    started_at: str
    environment: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class UsageRecord:
    """Time and energy of one session of training, from its start or resumption to its end or interruption.

    `shares` gives each run's share of the work (they sum to 1). `energy_j` is None where `tag` is `unknown`;
    `method` says how it was measured or modelled, constants included.
    """

    id: str
    started_at: str
    wall_s: float
    cpu_s: float
    energy_j: float | None
    tag: Literal["measured", "modelled", "unknown"]
    method: Mapping[str, Any]
    shares: Mapping[str, float]
    model_epochs: int


@dataclass(frozen=True)
class Forecast:
    """The time and energy expected of a session of training; scored against what it then uses.

    `basis` says what the forecast rests on. In nine cases of ten the time is expected between `low_s` and `high_s`, and
    the energy between `low_j` and `high_j`; None where no range was given. `session` is the id of the usage record of
    the session; where it is empty, the forecast is scored against what began after it.
    """

    study_id: str
    made_at: str
    model_epochs: int
    wall_s: float
    energy_j: float | None
    basis: str
    low_s: float | None = None
    high_s: float | None = None
    low_j: float | None = None
    high_j: float | None = None
    session: str = ""
