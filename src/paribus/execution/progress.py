"""What a run of a study tells while it goes on, to whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class CohortStarted:
    """A cohort begins (or resumes after `first_epoch` epochs). `arms` are the names that its runs go by."""

    index: int
    total: int
    arms: tuple[str, ...]
    runs: int
    parameters: int
    first_epoch: int
    epochs: int


@dataclass(frozen=True)
class EpochDone:
    """An epoch of a cohort is over. Losses are means over its runs (NaN where none is finite or none is measured)."""

    index: int
    epoch: int
    runs: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    model_epochs_per_s: float
    remaining_s: float


@dataclass(frozen=True)
class CohortDone:
    """A cohort is over and recorded."""

    index: int
    runs: int
    diverged: int
    wall_s: float


Event = CohortStarted | EpochDone | CohortDone


class Listener(Protocol):
    """Shows events. Called by the thread that also records, so it must be quick."""

    def __call__(self, event: Event, /) -> None: ...


def silent(_event: Event) -> None:
    """A listener that shows nothing."""
