"""What a workspace holds, as plain frozen records. Arrays are NumPy; times are UTC in ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Curve = npt.NDArray[np.float64]
"""One float64 value an epoch; NaN where the metric was not measured at that epoch."""
Tensors = Mapping[str, npt.NDArray[Any]]
State = Literal["planned", "running", "done", "diverged"]
"""`diverged` is an outcome too: the run ended at the epoch at which its loss became non-finite."""


@dataclass(frozen=True)
class StudyRecord:
    """A study as it was registered. `document` is its TOML text."""

    id: str
    name: str
    document: str
    registered_at: str


@dataclass(frozen=True)
class RunRecord:
    """One arm x one replicate. `recipe` is `Recipe.model_dump(mode="json")`."""

    id: str
    state: State
    epochs_done: int
    recipe: Mapping[str, Any]
    seed: int
    replicate: int
    data_fingerprint: str
    environment: Mapping[str, Any]
    finished_at: str | None


@dataclass(frozen=True)
class Snapshot:
    """Weights kept from one epoch: `part` is `network` (a whole state dict) or `first-layer` (fc1.weight only)."""

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
class Finding:
    """Something that a person should know; `detail` holds the numbers that it rests on."""

    kind: str
    rule: str
    epoch: int | None
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class Artifact:
    """Named arrays that the report draws: reconstructions, PCA, confusion... `rule` is empty for the run as a whole."""

    rule: str
    name: str
    tensors: str


@dataclass(frozen=True)
class TestRead:
    """One reading of the locked drawer. `epoch` is None for monitoring during the whole run."""

    run_id: str
    rule: str
    epoch: int | None
    images: int
    purpose: Literal["selected snapshot", "monitoring"]
    read_at: str
    __test__ = False  # no test case, whatever pytest makes of the name


@dataclass(frozen=True)
class Progress:
    """Where a run stands between two checkpoints: enough to go on, bit for bit.

    `state` names the tensors from which training resumes (weights, optimizer, best snapshots so far), `scalars` the
    plain values beside them. `snapshots` are those kept so far.
    """

    run_id: str
    epochs_done: int
    state: str
    scalars: Mapping[str, Any]
    curves: Mapping[str, Curve]
    snapshots: Sequence[Snapshot]


@dataclass(frozen=True)
class Outcome:
    """Everything recorded when a run ends, written in one transaction."""

    run_id: str
    state: Literal["done", "diverged"]
    epochs_done: int
    curves: Mapping[str, Curve]
    selections: Sequence[Selected]
    snapshots: Sequence[Snapshot]
    measurements: Sequence[Measurement]
    findings: Sequence[Finding]
    artifacts: Sequence[Artifact]
    test_reads: Sequence[TestRead]
    environment: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Span:
    """A stretch of training measured as a whole: one cohort, from one start or resumption to its end or interruption.

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
    """What was expected before training, to be scored against what was then used."""

    study_id: str
    made_at: str
    model_epochs: int
    wall_s: float
    energy_j: float | None
    basis: str


@dataclass(frozen=True)
class RunKey:
    """A run as it is registered: its identity and all that the identity rests on.

    `recipe` is `Recipe.model_dump(mode="json")`.
    """

    run_id: str
    recipe: Mapping[str, Any]
    seed: int
    replicate: int
    data_fingerprint: str
