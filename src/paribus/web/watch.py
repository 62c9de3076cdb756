"""What the live page is told of one study: read at most once a second, however many pages show it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any, final

from paribus.analysis.finding_summaries import findings
from paribus.analysis.results import Results, load
from paribus.analysis.so_far import rise
from paribus.analysis.verdicts import claim_outcomes
from paribus.analysis.wording import plural, quantity
from paribus.store.live import read_live
from paribus.store.records import StudyRecord
from paribus.store.workspace import Workspace
from paribus.web.curves import LiveCurves
from paribus.web.drawing import DATA, specification
from paribus.web.progress import study_progress
from paribus.web.studies import StudyState, is_of, study_state

LOOK_S = 0.9
"""Seconds for which a look is as good as a new one."""
REST = 4.0
"""Results are read again at the earliest after this many times the seconds that reading them took."""
_FAILURES = (ArithmeticError, LookupError, ValueError)
"""What numbers that nobody foresaw can raise: the study's page says what is wrong."""

News = Mapping[str, Any]


@final
class StudyWatch:
    """Looks at one study again and again. `news` is for pages that show it, as JSON values by the kind of news."""

    def __init__(self, path: Path, record: StudyRecord) -> None:
        self._path = path
        self._record = record
        self._curves = LiveCurves()
        self._lock = Lock()
        self._looked_at = self._rests_until = 0.0
        self._stamp: Sequence[object] = ()
        self._state: StudyState | None = None
        self._read_version = ""
        self._found: News = {"claims": [], "findings": []}
        self._news: News = {}

    def look(self) -> tuple[StudyState, News]:
        """The study's state, and the news about it. Raises UserError for a damaged workspace."""
        with self._lock:
            now = time.monotonic()
            if self._state is None or now - self._looked_at >= LOOK_S:
                self._state = self._refresh(now)
                self._looked_at = time.monotonic()
            return self._state, self._news

    def _refresh(self, now: float) -> StudyState:
        live = read_live(self._path)
        mine = live if is_of(live, self._record.id) else None
        stamp = _stamp(self._path)
        state = self._state
        if state is None or stamp != self._stamp or self._curves.unknown(state, mine):
            with Workspace.open(self._path) as workspace:
                state = study_state(workspace, self._record)
                for run_id in self._curves.unknown(state, mine):
                    self._curves.begin(run_id, workspace.curves(run_id))
            self._stamp = stamp
        if mine is not None:
            self._curves.take(mine)
        if state.version != self._read_version and (now >= self._rests_until or state.complete):
            self._read_results(state.version)
        progress = study_progress(state, live, time.time())
        watched = _rising(state, self._curves) if progress.training else []
        self._news = {
            "progress": asdict(progress),
            "findings": {**self._found, "findings": [*watched, *self._found["findings"]]},
            "curves": self._charts(state) if progress.training else [],
        }
        return state

    def _read_results(self, version: str) -> None:
        began = time.monotonic()
        with Workspace.open(self._path) as workspace:
            results = load(workspace, self._record.id)
        self._found = _found(results)
        self._read_version = version
        now = time.monotonic()
        self._rests_until = now + REST * (now - began)

    def _charts(self, state: StudyState) -> list[dict[str, Any]]:
        return [
            {
                "name": chart.metric.name.replace("_", "-"),
                "title": chart.metric.label,
                "data": DATA,
                "spec": specification(chart, len(state.study.arms)),
                "rows": chart.rows,
            }
            for chart in self._curves.charts(state)
        ]


def _found(results: Results) -> dict[str, list[dict[str, Any]]]:
    """Claims with their verdicts, and what was found about ended runs."""
    try:
        claims = [{"label": case.label, "statement": case.claim.statement} for case in claim_outcomes(results)]
        notes = [
            {"label": item.kind.replace("-", " "), "sentence": item.sentence, "arm": _place(results, item.arm)}
            for item in findings(results)
        ]
    except _FAILURES:
        return {"claims": [], "findings": []}
    return {"claims": claims, "findings": notes}


def _place(results: Results, arm: str) -> int | None:
    return results.arms.index(arm) if arm in results.arms else None


def _rising(state: StudyState, curves: LiveCurves) -> list[dict[str, Any]]:
    """Arms whose runs in training have a validation loss that is above its lowest."""
    notes: list[dict[str, Any]] = []
    for place, arm in enumerate(state.study.arms):
        going = [member for member in state.members if member.arm == arm.name and not member.ended]
        found = [rise(*curves.series(member.run_id, "val_loss")) for member in going]
        rises = [one for one in found if one is not None]
        if rises:
            most = max(rises, key=lambda one: one.last / one.lowest)
            share = f"{100 * (most.last / most.lowest - 1):.0f} %"
            sentence = (
                f"{arm.name}: the validation loss of {plural(len(rises), 'run')} in training has risen since its "
                f"lowest, at most {share} above {quantity('val_loss', most.lowest)} (near epoch {most.epoch:,})."
            )
            notes.append({"label": "loss rising", "sentence": sentence, "arm": place})
    return notes


def _stamp(path: Path) -> tuple[object, ...]:
    """What changes when anything is recorded: sizes and times of the database's files."""
    found: list[object] = []
    for name in ("workspace.sqlite", "workspace.sqlite-wal"):
        try:
            stat = (path / name).stat()
        except OSError:
            continue
        found.append((name, stat.st_size, stat.st_mtime_ns))
    return tuple(found)
