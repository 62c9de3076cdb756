"""Callbacks: functions that are told each epoch, and may pause a study. They can change nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from paribus.execution.events import EpochDone, Event
from paribus.execution.limits import Watch
from paribus.execution.runner import PreparedStudy

Member = tuple[str, int]
"""An arm and a replicate."""


@dataclass(frozen=True)
class Epoch:
    """An epoch that some runs have finished together.

    `metrics` has what was measured, by (arm, replicate) and by the metric's name: `train_loss`, `val_accuracy`, ...
    Nothing in it can be changed.
    """

    study: str
    epoch: int
    metrics: Mapping[Member, Mapping[str, float]]


Callback = Callable[[Epoch], object]
"""Returns True to pause the study; whatever else it returns, training goes on."""


def watching(prepared: PreparedStudy, callback: Callback) -> Watch:
    """A callback as what watches the events of a study."""
    members = {run.id: run.members for run in prepared.runs}

    def told(event: Event) -> bool:
        if not isinstance(event, EpochDone):
            return False
        metrics = {
            member: MappingProxyType({name: values[place] for name, values in event.metrics.items()})
            for place, run_id in enumerate(event.run_ids)
            for member in members[run_id]
        }
        return callback(Epoch(prepared.study.name, event.epoch, MappingProxyType(metrics))) is True

    told.__name__ = getattr(callback, "__name__", "a callback")
    return told
