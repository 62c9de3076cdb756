"""What a run of a study reports while it goes on, to whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class CohortStarted:
    """A cohort begins, or resumes after `first_epoch` epochs. `arms` are the names of its runs' arms."""

    index: int
    total: int
    arms: tuple[str, ...]
    runs: int
    parameters: int
    first_epoch: int
    epochs: int


@dataclass(frozen=True)
class EpochDone:
    """An epoch of a cohort is over.

    `run_ids` are the runs that trained, and `metrics` has one value for each of them. The means are over the runs with
    finite values, NaN where there is none or the metric is not measured.
    """

    index: int
    epoch: int
    run_ids: Sequence[str]
    metrics: Mapping[str, Sequence[float]]
    train_loss: float
    val_loss: float
    val_accuracy: float
    model_epochs_per_s: float
    remaining_s: float

    @property
    def runs(self) -> int:
        return len(self.run_ids)


@dataclass(frozen=True)
class CohortDone:
    """A cohort is over and recorded. `failed` more runs of it ended without an outcome."""

    index: int
    runs: int
    diverged: int
    wall_s: float
    failed: int = 0


@dataclass(frozen=True)
class CohortLost:
    """A worker that trained runs of these arms ended before they did. `reason` says what happened to it.

    The runs begin again from their last checkpoint, or fail: `again` says which.
    """

    index: int
    total: int
    arms: tuple[str, ...]
    reason: str
    again: bool


Event = CohortStarted | EpochDone | CohortDone | CohortLost


class Listener(Protocol):
    """Shows events. Called by the thread that also records, so it must be quick."""

    def __call__(self, event: Event, /) -> None: ...


def silent(_event: Event) -> None:
    """A listener that shows nothing."""
