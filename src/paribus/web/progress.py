"""How far a study has come, in words and numbers for the page: from its state and the workspace's live file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paribus.analysis.wording import plural, quantity
from paribus.spec.metrics import METRICS, Metric
from paribus.units import duration
from paribus.web.studies import Member, StudyState, is_of

STALE_S = 30.0
"""The process that trains writes every few seconds; after this time without news, it is said to be silent."""
MAX_ROWS = 16
"""Arms that the page lists while they train; of more, those in training come first."""


@dataclass(frozen=True)
class ArmProgress:
    """One arm: its place in the study, and what is said of it. `share` is of its epochs."""

    place: int
    arm: str
    runs: str
    epoch: str
    share: float
    metrics: str
    left: str
    training: bool


@dataclass(frozen=True)
class StudyProgress:
    """`share` is of the epochs of all runs. `training` says whether a process trains the study now."""

    line: str
    share: float
    training: bool
    complete: bool
    arms: tuple[ArmProgress, ...] = ()
    more: str = ""


def shown_metrics(names: Sequence[str]) -> list[Metric]:
    """Of metrics with a value an epoch: a loss, and one in which results are read; of validation data where possible.

    Of `train_loss`, `val_loss`, `val_accuracy` and `lr` these are `val_loss` and `val_accuracy`.
    """
    known = [METRICS[name] for name in names if name in METRICS and METRICS[name].direction]
    found: list[Metric] = []
    for is_loss in (True, False):
        kind = [metric for metric in known if (metric.form == "loss") == is_loss]
        kind.sort(key=lambda metric: ("val", "test", "train", "none").index(metric.split))
        found += kind[:1]
    return found


def study_progress(state: StudyState, live: Mapping[str, Any] | None, now: float) -> StudyProgress:
    """The progress of a study. `now` is the time in seconds since the epoch; `live` may be about another study."""
    mine = live if is_of(live, state.id) else None
    epochs = _epochs(state.members, mine)
    whole = sum(member.epochs for member in state.members)
    share = sum(epochs.values()) / whole if whole else 0.0
    training = mine is not None and not state.complete
    rows = [_arm(state, arm.name, place, epochs, mine) for place, arm in enumerate(state.study.arms)]
    if not training:
        rows = []
    shown = sorted(rows, key=lambda row: not row.training)[:MAX_ROWS]
    return StudyProgress(
        line=_line(state, mine, now),
        share=1.0 if state.complete else min(share, 0.99),
        training=training,
        complete=state.complete,
        arms=tuple(sorted(shown, key=lambda row: row.place)),
        more=f"{plural(len(rows) - len(shown), 'more arm')}" if len(rows) > len(shown) else "",
    )


def _line(state: StudyState, mine: Mapping[str, Any] | None, now: float) -> str:
    """`5 of 12 runs complete, about 3 min left`."""
    diverged = sum(member.state == "diverged" for member in state.members)
    words = f"{state.ended} of {plural(state.planned, 'run')} complete"
    if diverged:
        words += f", {diverged} of them diverged"
    if state.complete:
        return words
    if mine is None:
        return f"{words}; no process trains this study now, the same `paribus run` resumes it"
    age_s = now - _number(mine.get("at"), now)
    if age_s > STALE_S:
        return f"{words}; no news of its process for {duration(age_s)}"
    left_s = _number(_table(mine.get("progress")).get("remaining_s"), math.nan)
    return f"{words}, about {duration(left_s)} left" if math.isfinite(left_s) else f"{words}, training"


def _epochs(members: Sequence[Member], mine: Mapping[str, Any] | None) -> dict[tuple[str, int], int]:
    """Epochs of each run so far; all of them for a run that has ended, also of one that stopped early."""
    found: dict[tuple[str, int], int] = {}
    for member in members:
        done = int(_number(_latest(mine, member).get("epoch"), member.epochs_done))
        found[member.arm, member.replicate] = member.epochs if member.ended else min(done, member.epochs)
    return found


def _arm(
    state: StudyState, arm: str, place: int, epochs: Mapping[tuple[str, int], int], mine: Mapping[str, Any] | None
) -> ArmProgress:
    members = [member for member in state.members if member.arm == arm]
    going = [member for member in members if not member.ended and _latest(mine, member)]
    whole = sum(member.epochs for member in members)
    at = [epochs[arm, member.replicate] for member in going]
    epoch = "" if not at else f"{min(at)}" if min(at) == max(at) else f"{min(at)} to {max(at)}"
    return ArmProgress(
        place=place,
        arm=arm,
        runs=f"{sum(member.ended for member in members)}/{len(members)}",
        epoch=f"{epoch}/{max(member.epochs for member in going)}" if going else "",
        share=sum(epochs[arm, member.replicate] for member in members) / whole if whole else 0.0,
        metrics=_metrics([_table(_latest(mine, member).get("metrics")) for member in going]),
        left=_left(arm, mine),
        training=bool(going),
    )


def _metrics(found: Sequence[Mapping[str, Any]]) -> str:
    """`validation loss 0.4711, validation accuracy 83.12 %`: means over the runs in training."""
    if not found:
        return ""
    parts: list[str] = []
    for metric in shown_metrics(list(found[0])):
        values = [_number(one.get(metric.name), math.nan) for one in found]
        finite = [value for value in values if math.isfinite(value)]
        if finite:
            parts.append(f"{metric.label} {quantity(metric.name, sum(finite) / len(finite))}")
    return ", ".join(parts)


def _left(arm: str, mine: Mapping[str, Any] | None) -> str:
    """The time left of the last of the cohorts in training that an arm has runs in."""
    cohorts = _table((mine or {}).get("cohorts")).get("begun")
    times = [
        _number(cohort.get("remaining_s"), math.nan)
        for cohort in map(_table, cohorts if isinstance(cohorts, list) else ())
        if cohort.get("state") == "training" and arm in (cohort.get("arms") or ())
    ]
    known = [time for time in times if math.isfinite(time)]
    return duration(max(known)) if known else ""


def _latest(mine: Mapping[str, Any] | None, member: Member) -> Mapping[str, Any]:
    """What the live file has of a run; nothing where it has nothing."""
    return _table(_table((mine or {}).get("runs")).get(member.run_id))


def _table(value: object) -> Mapping[str, Any]:
    """A value that should be a table: the live file is not evidence, and may hold anything."""
    return value if isinstance(value, dict) else {}


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise
