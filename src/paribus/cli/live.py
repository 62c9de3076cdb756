"""Progress on a terminal: one row a cohort, redrawn a few times a second."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self, cast

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from paribus.cli.lines import time_left
from paribus.cli.output import format_number
from paribus.cli.terminal import MESSAGES
from paribus.execution.progress import CohortDone, CohortStarted, EpochDone, Event
from paribus.units import count, duration

REDRAWS_PER_S = 4
SHOWN_COHORTS = 12
"""Older cohorts scroll out of a table that must fit the terminal."""


@dataclass
class _Cohort:
    started: CohortStarted
    latest: EpochDone | None = None
    done: CohortDone | None = None


class LiveDisplay:
    """A listener that keeps the latest event of every cohort; a thread of rich's draws them."""

    def __init__(self, console: Console | None = None) -> None:
        self._cohorts: dict[int, _Cohort] = {}
        self._live = Live(
            console=console or Console(file=cast("IO[str]", MESSAGES)),
            get_renderable=self._table,
            refresh_per_second=REDRAWS_PER_S,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._running = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, CohortStarted):
            self._cohorts[event.index] = _Cohort(event)
        elif isinstance(event, EpochDone):
            self._cohorts[event.index].latest = event
        else:
            self._cohorts[event.index].done = event
        if not self._running:  # a study with nothing to train draws nothing
            self._running = True
            self._live.start()

    def _table(self) -> RenderableType:
        table = Table(box=None, padding=(0, 1), expand=False)
        for heading in ("cohort", "runs", "epoch", "", "train loss", "val loss", "val acc", "model-epochs/s", "left"):
            table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
        table.add_column("arms", overflow="ellipsis", no_wrap=True)
        for cohort in list(self._cohorts.values())[-SHOWN_COHORTS:]:
            table.add_row(*_cells(cohort))
        return table


def _cells(cohort: _Cohort) -> list[RenderableType]:
    start, now = cohort.started, cohort.latest
    epoch = now.epoch if now else start.first_epoch
    accuracy = f"{now.val_accuracy:.1%}" if now and math.isfinite(now.val_accuracy) else "-"
    return [
        f"{start.index + 1}/{start.total}",
        str(now.runs if now else start.runs),
        f"{epoch}/{start.epochs}",
        ProgressBar(total=start.epochs, completed=start.epochs if cohort.done else epoch, width=16),
        format_number(now.train_loss if now else None, 4),
        format_number(now.val_loss if now else None, 4),
        accuracy,
        count(now.model_epochs_per_s) if now else "-",
        _left(cohort),
        Text(", ".join(dict.fromkeys(start.arms))),
    ]


def _left(cohort: _Cohort) -> str:
    if cohort.done:
        failed = f", {cohort.done.diverged} diverged" if cohort.done.diverged else ""
        return f"done in {duration(cohort.done.wall_s)}{failed}"
    return time_left(cohort.latest) if cohort.latest else "-"
