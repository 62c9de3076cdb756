"""Pages and tables of the studies of one workspace, made on request.

A target names a study by its identity or its exact name and is looked up among the recorded ones; no part of it ever
becomes a path. Each request opens the workspace for reading and closes it again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from typing import final

from jinja2 import Environment, PackageLoader, StrictUndefined

from paribus import __version__
from paribus.analysis.results import Results, load
from paribus.analysis.tables import rows
from paribus.analysis.verdicts import claim_outcomes
from paribus.energy.carbon import grid_of_user
from paribus.report.page import Page, html, page_of, policy, progress, scripts, style
from paribus.report.writing import csv_text
from paribus.store.records import StudyRecord
from paribus.store.workspace import Workspace
from paribus.web.guard import NO_CONTENT_POLICY

REFRESH_S = 30
"""Seconds after which a browser reloads the page of a study that is still training."""
MAX_PAGES = 8
"""Pages kept in memory."""

_STUDY = r"(?P<study>[a-z0-9-]{1,60})"
_TARGETS = {
    "index": re.compile(r"/"),
    "page": re.compile(rf"/study/{_STUDY}"),
    "version": re.compile(rf"/study/{_STUDY}/version"),
    "part": re.compile(rf"/study/{_STUDY}/(?P<table>tables/[A-Za-z0-9._-]{{1,200}}\.csv)"),
    "csv": re.compile(rf"/table/{_STUDY}\.csv"),
    "json": re.compile(rf"/table/{_STUDY}\.json"),
}
"""Every target that exists, as written in the request line: nothing is decoded."""


@dataclass(frozen=True)
class Document:
    """A response. `refresh_s` is when a browser should reload it, if the study is still training."""

    kind: str
    content: bytes
    policy: str = NO_CONTENT_POLICY
    refresh_s: int | None = None


@dataclass(frozen=True, eq=False)
class _CachedPage:
    version: str
    page: Page
    content: bytes


@dataclass(frozen=True)
class _Listed:
    """A study's entry on the index page."""

    id: str
    name: str
    title: str
    question: str
    state: str
    outcomes: tuple[str, ...]


@final
class Library:
    """The studies of the workspace at `path`, or those of the given identities only.

    Raises UserError where PARIBUS_GRID_G_PER_KWH is no sensible number.
    """

    def __init__(self, path: Path, studies: Sequence[str] = ()) -> None:
        self._path = path
        self._only = frozenset(studies)
        self._grid = grid_of_user()
        self._pages: dict[str, _CachedPage] = {}
        self._lock = Lock()

    def find(self, target: str) -> Document | None:
        """The response to a request's target, or None if there is none. Raises UserError for a damaged workspace."""
        for kind, form in _TARGETS.items():
            match = form.fullmatch(target)
            if match is not None:
                parts = match.groupdict()
                return self._index() if kind == "index" else self._of_study(kind, parts["study"], parts.get("table"))
        return None

    def _of_study(self, kind: str, name: str, table: str | None) -> Document | None:
        results = self._results(name)
        if results is None:
            return None
        if kind == "page":
            policies = f"{policy(*scripts())}; frame-ancestors 'none'"
            refresh_s = REFRESH_S if _is_training(results) else None
            return Document("text/html; charset=utf-8", self._page(results).content, policies, refresh_s)
        if kind == "version":
            return _json({"version": _version(results), "live": _is_training(results)})
        if kind == "json":
            return _json({"study": results.study.name, "rows": [asdict(row) for row in rows(results)]})
        page = self._page(results).page
        records = page.table if table is None else page.tables().get(table)
        return None if records is None else Document("text/csv; charset=utf-8", csv_text(records).encode())

    def _results(self, name: str) -> Results | None:
        with Workspace.open(self._path) as workspace:
            known = self._shown(workspace)
            found = [record for record in known if record.id == name] or [r for r in known if r.name == name]
            return load(workspace, found[-1].id) if found else None

    def _shown(self, workspace: Workspace) -> list[StudyRecord]:
        return [record for record in workspace.studies() if not self._only or record.id in self._only]

    def _page(self, results: Results) -> _CachedPage:
        """The study's page, from the cache unless the study has changed since."""
        version = _version(results)
        with self._lock:
            cached = self._pages.pop(results.study_id, None)
            if cached is None or cached.version != version:
                page = page_of(results, grid=self._grid, up="/")
                if _is_training(results):
                    page = replace(page, state=f"{page.state} · live: refreshes every {REFRESH_S} s")
                cached = _CachedPage(version, page, html(page, f"/study/{results.study_id}/").encode())
            self._pages[results.study_id] = cached  # the latest requested comes last
            while len(self._pages) > MAX_PAGES:
                del self._pages[next(iter(self._pages))]
        return cached

    def _index(self) -> Document:
        """The studies asked for, or the latest of each name."""
        with Workspace.open(self._path) as workspace:
            shown = {record.id if self._only else record.name: record for record in self._shown(workspace)}
            found = [load(workspace, record.id) for record in shown.values()]
        live = any(map(_is_training, found))
        environment = Environment(
            loader=PackageLoader("paribus.web", "templates"), autoescape=True, undefined=StrictUndefined
        )
        text = environment.get_template("index.html").render(
            studies=[_listed(results) for results in found],
            live=live,
            refresh_s=REFRESH_S,
            style=style(),
            version=__version__,
        )
        policies = f"{policy()}; frame-ancestors 'none'"
        return Document("text/html; charset=utf-8", text.encode(), policies, REFRESH_S if live else None)


def _listed(results: Results) -> _Listed:
    study = results.study
    try:
        outcomes = tuple(case.label for case in claim_outcomes(results))
    except (ArithmeticError, LookupError, ValueError):
        outcomes = ()  # the study's own page says what is wrong
    return _Listed(results.study_id, study.name, study.title, study.question, progress(results), outcomes)


def _json(content: object) -> Document:
    return Document("application/json", json.dumps(content, allow_nan=False).encode())


def _is_training(results: Results) -> bool:
    return any(state not in ("done", "diverged") for state in results.states())


def _version(results: Results) -> str:
    """A hash of everything that a study's page shows: it changes when any of it changes."""
    content = (
        results.study_id,
        [(run.id, run.arm, run.replicate, run.state, run.epochs_done) for run in results.runs],
        results.test_reads,
        results.usage,
        results.forecasts,
        results.namesakes,
        results.latest,
    )
    return hashlib.sha256(repr(content).encode()).hexdigest()[:32]
