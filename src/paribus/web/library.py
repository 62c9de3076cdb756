"""Pages and tables of the studies of one workspace, as the viewer serves them.

A request names a study by its identity or its exact name, which are looked up among the recorded ones; no part of a
request ever becomes a path. The workspace is opened for reading, each time anew, and closed again.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from paribus import __version__
from paribus.analysis.answers import answer
from paribus.analysis.results import Results, load
from paribus.analysis.tables import rows
from paribus.analysis.verdicts import claim_outcomes
from paribus.energy.carbon import grid_of_user
from paribus.report.page import LiveParts, html, page_of, policy, scripts, style
from paribus.report.writing import csv_text, tied
from paribus.store.live import read_live
from paribus.store.records import StudyRecord
from paribus.store.workspace import Workspace
from paribus.web.guard import NO_CONTENT_POLICY
from paribus.web.pages import MadePage, Pages
from paribus.web.progress import study_progress
from paribus.web.studies import StudyState, study_state
from paribus.web.watch import News, StudyWatch

TABLE_WAIT_S = 120.0
"""Seconds that a request for a table of a page waits for the page."""
MAX_WATCHED = 64
"""Studies of which curves and findings are kept in memory."""
_STUDY = re.compile(r"[a-z0-9-]{1,60}")
_FAILURES = (ArithmeticError, LookupError, ValueError)


@dataclass(frozen=True)
class Document:
    """A response."""

    kind: str
    content: bytes
    policy: str = NO_CONTENT_POLICY
    status: HTTPStatus = HTTPStatus.OK


@dataclass(frozen=True)
class _Listed:
    """A study's entry on the index page."""

    id: str
    name: str
    title: str
    question: str
    line: str
    share: float
    training: bool
    complete: bool
    answer: tuple[str, ...]
    outcomes: tuple[str, ...]


@final
class Library:
    """The studies of the workspace at `path`, or those of the given identities only.

    `nice` is added to the niceness of the thread that makes pages.

    Raises UserError where PARIBUS_GRID_G_PER_KWH is not a sensible number.
    """

    def __init__(self, path: Path, studies: Sequence[str] = (), *, nice: int = 0) -> None:
        self._path = path
        self._only = frozenset(studies)
        self._grid = grid_of_user()
        self._pages = Pages(self._make, nice)
        self._watched: dict[str, StudyWatch] = {}
        self._judged: dict[str, tuple[str, _Judged]] = {}
        self._lock = Lock()

    def close(self) -> None:
        """Make no more pages."""
        self._pages.close()

    def index(self) -> Document:
        """The page over the studies asked for, or over the latest of each name."""
        listed = self.listed()
        script = Markup(_asset("live.js"))
        text = (
            _environment()
            .get_template("index.html")
            .render(
                studies=listed,
                policy=policy(script, live=True),
                script=script,
                style=style() + Markup(_asset("live.css")),
                version=__version__,
                shown_version=_digest(listed),
            )
        )
        return _page(text.encode(), script)

    def page(self, name: str) -> Document | None:
        """The page of a study: the last one made, or one that says that it is being made. None for no such study."""
        watch = self.watch(name)
        if watch is None:
            return None
        state, _ = self.look(watch)
        made = self._pages.latest(state.id)
        live = Markup(_asset("live.js"))
        if made is not None and made.page is not None:
            return _page(made.content, live, *scripts())
        text = (
            _environment()
            .get_template("waiting.html")
            .render(
                study=state.study,
                problem=made.problem if made is not None else "",
                panel=_panel(state.id, "", waiting=True),
                policy=policy(live, live=True),
                script=live,
                style=style() + Markup(_asset("live.css")),
                version=__version__,
            )
        )
        return _page(text.encode(), live, status=HTTPStatus.ACCEPTED)

    def table(self, name: str, table: str | None) -> Document | None:
        """A table of a study's page as CSV, or its whole table. Waits for the page. None where there is no such one."""
        watch = self.watch(name)
        if watch is None:
            return None
        state, _ = self.look(watch)
        made = self._pages.wait(state.id, TABLE_WAIT_S)
        if made is None or made.page is None:
            return None
        records = made.page.table if table is None else made.page.tables().get(f"tables/{table}")
        return None if records is None else Document("text/csv; charset=utf-8", csv_text(records).encode())

    def rows(self, name: str) -> Document | None:
        """A study's whole table as JSON; None where there is no such study."""
        found = self._find(name)
        if found is None:
            return None
        with Workspace.open(self._path) as workspace:
            results = load(workspace, found.id)
        content = {"study": results.study.name, "rows": [asdict(row) for row in rows(results)]}
        return Document("application/json", json.dumps(content, allow_nan=False).encode())

    def watch(self, name: str) -> StudyWatch | None:
        """What looks at a study for all pages that show it; None where there is no such study."""
        found = self._find(name)
        if found is None:
            return None
        with self._lock:
            watch = self._watched.pop(found.id, None) or StudyWatch(self._path, found)
            self._watched[found.id] = watch  # the latest asked for comes last
            while len(self._watched) > MAX_WATCHED:
                del self._watched[next(iter(self._watched))]
            return watch

    def look(self, watch: StudyWatch) -> tuple[StudyState, News]:
        """The state of a study and the news about it; a page that is out of date is made again."""
        state, news = watch.look()
        self._pages.ask(state.id, state.version, training=news["progress"]["training"])
        made = self._pages.latest(state.id)
        if made is None:
            return state, news
        told = {"problem": {"line": made.problem}} if made.problem else {"page": {"version": made.version}}
        return state, {**news, **told}

    def listed(self) -> list[_Listed]:
        """The studies of the index page with their progress, their answer and the outcomes of their claims."""
        live = read_live(self._path)
        with Workspace.open(self._path) as workspace:
            shown = {record.id if self._only else record.name: record for record in self._shown(workspace)}
            return [self._entry(workspace, record, live) for record in shown.values()]

    def _entry(self, workspace: Workspace, record: StudyRecord, live: News | None) -> _Listed:
        state = study_state(workspace, record)
        version, judged = self._judged.get(record.id, ("", _Judged()))
        if version != state.version:
            judged = _judged(load(workspace, record.id))
            self._judged[record.id] = state.version, judged
        study, progress = state.study, study_progress(state, live, time.time())
        return _Listed(
            id=state.id,
            name=study.name,
            title=study.title,
            question=study.question,
            line=progress.line,
            share=progress.share,
            training=progress.training,
            complete=progress.complete,
            answer=judged.answer,
            outcomes=judged.outcomes,
        )

    def _make(self, study_id: str) -> MadePage:
        with Workspace.open(self._path) as workspace:
            state = study_state(workspace, workspace.study(study_id))
            results = load(workspace, study_id)
        page = page_of(results, grid=self._grid, up="/")
        parts = LiveParts(_panel(study_id, state.version), Markup(_asset("live.js")), Markup(_asset("live.css")))
        return MadePage(state.version, page, html(page, f"/study/{study_id}/", live=parts).encode())

    def _find(self, name: str) -> StudyRecord | None:
        if not _STUDY.fullmatch(name):
            return None
        with Workspace.open(self._path) as workspace:
            known = self._shown(workspace)
        found = [record for record in known if record.id == name] or [r for r in known if r.name == name]
        return found[-1] if found else None

    def _shown(self, workspace: Workspace) -> list[StudyRecord]:
        return [record for record in workspace.studies() if not self._only or record.id in self._only]


def index_news(listed: Sequence[_Listed]) -> News:
    """What the index page is told: how far each study is, and a version that changes with all the rest."""
    return {
        "studies": [{"id": one.id, "line": one.line, "share": one.share, "training": one.training} for one in listed],
        "page": {"version": _digest(listed)},
    }


def _digest(listed: Sequence[_Listed]) -> str:
    """A hash of what the index page shows, without the progress, which is updated in place."""
    content = [(one.id, one.title, one.answer, one.outcomes, one.training, one.complete) for one in listed]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class _Judged:
    """A study's answer and the outcomes of its claims."""

    answer: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()


def _judged(results: Results) -> _Judged:
    try:
        return _Judged(answer(results).sentences, tuple(case.label for case in claim_outcomes(results)))
    except _FAILURES:
        return _Judged()  # the study's own page says what is wrong


def _page(content: bytes, *allowed: str, status: HTTPStatus = HTTPStatus.OK) -> Document:
    policies = f"{policy(*allowed, live=True)}; frame-ancestors 'none'"
    return Document("text/html; charset=utf-8", content, policies, status)


def _panel(study_id: str, version: str, *, waiting: bool = False) -> Markup:
    """The part of a page that the live script fills; `version` is that of the study that the page shows.

    A page that is `waiting` for the report is loaded again when there is one.
    """
    template = _environment().get_template("panel.html")
    return Markup(template.render(study_id=study_id, version=version, waiting=waiting))


def _environment() -> Environment:
    found = Environment(loader=PackageLoader("paribus.web", "templates"), autoescape=True, undefined=StrictUndefined)
    found.filters["tied"] = tied
    return found


@lru_cache(maxsize=8)
def _asset(name: str) -> str:
    return resources.files("paribus.web").joinpath("assets", name).read_text(encoding="utf-8")
