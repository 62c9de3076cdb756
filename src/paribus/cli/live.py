"""Progress on a terminal: a line for the study and a row for each cohort, redrawn a few times a second.

A table that is squeezed cannot be read. So the columns for the terminal's width are chosen here, and each is as wide as
its heading and its cells: first details are left out, then the arms are shortened, then columns are left out, those
that matter least first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO, Self, cast

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from paribus.cli.columns import GAP, shortened
from paribus.cli.formatting import format_mean, format_number, format_share
from paribus.cli.lines import lost, mean_of, total
from paribus.cli.output import escape_controls
from paribus.cli.terminal import MESSAGES
from paribus.execution.events import CohortDone, CohortLost, CohortStarted, EpochDone, Event
from paribus.execution.progress import StudyProgress
from paribus.units import count, duration

REDRAWS_PER_S = 4
MAX_COHORTS = 12
"""Rows of the table. Of more cohorts those in training and the latest of the others are shown."""
WIDE = 110
"""Characters from which on a terminal gets every column that fits."""
BAR_WIDTHS = (16, 8)
"""Of the progress bar, in wide and in narrow terminals."""
MIN_ARMS_WIDTH = 8
_METRICS = ("val acc", "val RMSE", "val loss", "train loss")
"""A narrow terminal shows the first of these that is measured."""
_DETAILS = ("runs", "model-epochs/s")
"""Columns for wide terminals only."""


@dataclass
class _Cohort:
    started: CohortStarted
    latest: EpochDone | None = None
    done: CohortDone | None = None


@dataclass(frozen=True)
class _Column:
    """`heading` names it in code; a bar's cells are drawn, and its heading is not."""

    heading: str
    cells: Sequence[str]
    width: int


class LiveDisplay:
    """A listener that keeps the latest event of every cohort; a thread of rich's draws them."""

    def __init__(self, study: StudyProgress, console: Console | None = None) -> None:
        self._study = study
        self._cohorts: dict[int, _Cohort] = {}
        self._console = console or Console(file=cast("IO[str]", MESSAGES))
        self._live = Live(
            console=self._console,
            get_renderable=self._drawn,
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
        self._study.update(event)
        if isinstance(event, CohortStarted):
            self._cohorts[event.index] = _Cohort(event)
        elif isinstance(event, EpochDone):
            self._cohorts[event.index].latest = event
        elif isinstance(event, CohortLost):
            self._console.print(Text(f"paribus: {escape_controls(lost(event))}"))
        else:
            self._cohorts[event.index].done = event
        if not self._running:  # a study with nothing to train draws nothing
            self._running = True
            self._live.start()

    def _drawn(self) -> RenderableType:
        width, height = self._console.size
        line = Text(total(self._study, width), no_wrap=True)
        return Group(line, _table(self._shown(max(1, min(MAX_COHORTS, height - 3))), width))

    def _shown(self, limit: int) -> list[_Cohort]:
        cohorts = list(self._cohorts.values())  # the thread that trains may add one meanwhile
        latest = sorted(cohorts, key=lambda cohort: (cohort.done is None, cohort.started.index))[-limit:]
        return sorted(latest, key=lambda cohort: cohort.started.index)


def _table(cohorts: Sequence[_Cohort], width: int) -> Table:
    columns = _fitted(_columns(cohorts, wide=width >= WIDE), width)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, expand=False)
    for column in columns:
        table.add_column(
            Text("" if column.heading == "bar" else column.heading),
            justify="left" if column.heading in ("bar", "arms") else "right",
            width=column.width,
            no_wrap=True,
        )
    for place, cohort in enumerate(cohorts):
        table.add_row(
            *(
                _bar(cohort, column.width)
                if column.heading == "bar"
                else Text(shortened(column.cells[place], column.width))
                for column in columns
            )
        )
    return table


def _fitted(columns: list[_Column], width: int) -> list[_Column]:
    """The columns that fit `width`, in their order; arms take the space that the others leave."""
    metrics = [name for name in _METRICS if any(column.heading == name for column in columns)]
    main, others = metrics[:1], metrics[:0:-1]
    for dropped in [None, "model-epochs/s", "runs", *others, "arms", "bar", "cohort", *main, "time left"]:
        columns = [column for column in columns if column.heading != dropped]
        used = sum(column.width for column in columns) + GAP * (len(columns) - 1)
        arms = next((column for column in columns if column.heading == "arms"), None)
        if arms is None and used <= width:
            return columns
        if arms is not None and used - arms.width + min(arms.width, MIN_ARMS_WIDTH) <= width:
            narrowed = replace(arms, width=min(arms.width, width - used + arms.width))
            return [narrowed if column is arms else column for column in columns]
    return columns


def _columns(cohorts: Sequence[_Cohort], *, wide: bool) -> list[_Column]:
    """All columns for a wide terminal, or the main ones; a metric that nothing has measured yet has none."""
    latest = [cohort.latest for cohort in cohorts]
    cells = {
        "cohort": [f"{cohort.started.index + 1}/{cohort.started.total}" for cohort in cohorts],
        "arms": [escape_controls(", ".join(dict.fromkeys(cohort.started.arms))) for cohort in cohorts],
        "runs": [str(cohort.latest.runs if cohort.latest else cohort.started.runs) for cohort in cohorts],
        "epoch": [f"{_epoch(cohort)}/{cohort.started.epochs}" for cohort in cohorts],
        "bar": [""] * len(cohorts),
        "train loss": [format_number(event.train_loss if event else None, 4) for event in latest],
        "val loss": [format_number(event.val_loss if event else None, 4) for event in latest],
        "val acc": [format_share(event.val_accuracy if event else None) for event in latest],
        "val RMSE": [format_mean(mean_of(event, "val_rmse") if event else None, None, sized=True) for event in latest],
        "model-epochs/s": [count(event.model_epochs_per_s) if event else "-" for event in latest],
        "time left": [_time_left(cohort, wide=wide) for cohort in cohorts],
    }
    measured = [name for name in _METRICS if set(cells[name]) != {"-"}]
    hidden = set(_METRICS) - set(measured if wide else measured[:1])
    if not wide:
        hidden |= {*_DETAILS}
    bar = BAR_WIDTHS[0] if wide else BAR_WIDTHS[1]
    return [
        _Column(heading, column, bar if heading == "bar" else max(map(len, [heading, *column])))
        for heading, column in cells.items()
        if heading not in hidden
    ]


def _bar(cohort: _Cohort, width: int) -> ProgressBar:
    """Full where the cohort is done, also if all its runs stopped early."""
    epochs = cohort.started.epochs
    return ProgressBar(total=epochs, completed=epochs if cohort.done else _epoch(cohort), width=width)


def _epoch(cohort: _Cohort) -> int:
    return cohort.latest.epoch if cohort.latest else cohort.started.first_epoch


def _time_left(cohort: _Cohort, *, wide: bool) -> str:
    if cohort.done:
        numbers = {"diverged": cohort.done.diverged, "failed": cohort.done.failed}
        failed = ", ".join(f"{number} {what}" for what, number in numbers.items() if number)
        if wide:
            return f"done in {duration(cohort.done.wall_s)}{', ' if failed else ''}{failed}"
        return failed or "done"
    if cohort.latest is None:
        return "-"
    left_s = cohort.latest.remaining_s
    if not math.isfinite(left_s):
        return "unknown"
    return duration(left_s) if left_s >= 1 else "< 1 s"
