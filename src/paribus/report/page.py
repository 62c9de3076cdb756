"""A study's report as one page: what it says, section by section, and its HTML, which stands alone."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from importlib import resources
from typing import Any

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from paribus import __version__
from paribus.analysis.answers import answer
from paribus.analysis.results import Results
from paribus.analysis.tables import rows
from paribus.analysis.verdicts import claim_outcomes
from paribus.analysis.wording import plural
from paribus.energy.carbon import Grid
from paribus.errors import printable
from paribus.report.blocks import Block, Chart, Record, Section, Table, tables, within
from paribus.report.charts import theme
from paribus.report.figure_files import named_charts, picture, still_pictures
from paribus.report.legends import grouped
from paribus.report.palette import DARK, LIGHT, arm_colours, arm_lines
from paribus.report.sections import sections_of
from paribus.report.writing import tied

INDEX = "index.html"
ID_DIGITS = 8
"""Digits of a study's id behind its name, where several studies have that name."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChartData:
    """A chart's specification and data as the page carries them."""

    name: str
    json: Markup


@dataclass(frozen=True)
class Page:
    """A study's report before it becomes HTML.

    `identity` is the study's, empty for a page that is not about a study of a workspace.

    `file_name` is the beginning of the names of its files, `name` the study's name as the page shows it. `recorded_at`
    is when the latest of its results was recorded, and `pdf` the file of the same content beside it, if there is one.
    """

    name: str
    file_name: str
    title: str
    question: str
    answer: tuple[str, ...]
    state: str
    identity: str
    version: str
    sections: tuple[Section, ...]
    charts: tuple[ChartData, ...]
    outcomes: tuple[str, ...]
    arms: int
    table: tuple[Record, ...]
    up: str = ""
    kind: str = "Study"
    recorded_at: datetime | None = None
    pdf: str = ""

    @property
    def source(self) -> str:
        """What the page was made from."""
        return f"recorded results, study identity {self.identity}" if self.identity else self.name

    @property
    def file(self) -> str:
        return f"{self.file_name}.html"

    def tables(self) -> dict[str, Sequence[Record]]:
        """Every table by its file's name: the study's whole table, those shown, those that charts are drawn from."""
        found: dict[str, Sequence[Record]] = {_csv_name(self.file_name, "table"): self.table}
        for section in self.sections:
            for name, records in tables(section.blocks):
                found[_csv_name(self.file_name, name)] = records
        return found

    def latex_tables(self) -> dict[str, Table]:
        """Every table that the page shows, by the name of its LaTeX file."""
        shown = (block for section in self.sections for block in within(section.blocks) if isinstance(block, Table))
        return {_latex_name(self.file_name, table.name): table for table in shown}

    def figures(self) -> Iterator[tuple[str, str]]:
        """Every chart as SVG, by the name of its file without the ending. Each takes about a tenth of a second."""
        light = themes()["light"]
        for chart, title in named_charts(self.sections):
            name = f"figures/{self.file_name}-{chart.name}"
            yield name, picture(chart, title, arms=self.arms, config=light)


def page_of(results: Results, *, grid: Grid | None = None, up: str = "", with_id: bool = False) -> Page:
    """A study's page; where its numbers defeat the report, a page that says so, so that other pages are written.

    `up` is the address of the page over all studies. `with_id` names the page and its files with the study's id.
    """
    try:
        page = compose(results, grid)
    except (ArithmeticError, LookupError, ValueError) as error:
        _LOG.warning("study %s: its page could not be made (%s: %s)", results.study.name, type(error).__name__, error)
        page = _broken(results, error)
    if with_id:
        short = results.study_id[:ID_DIGITS]
        page = replace(page, name=f"{page.name} ({short})", file_name=f"{page.file_name}-{short}")
    return replace(page, up=up)


def _broken(results: Results, error: Exception) -> Page:
    """A page that says only that it could not be made."""
    study = results.study
    sentence = f"This page could not be made from what is recorded ({type(error).__name__}: {printable(str(error))})."
    return Page(
        name=study.name,
        file_name=study.name,
        title=study.title,
        question=study.question,
        answer=(sentence,),
        state=progress(results),
        identity=results.study_id,
        version=__version__,
        sections=(),
        charts=(),
        outcomes=(),
        arms=len(results.arms),
        table=(),
        recorded_at=results.recorded_at,
    )


def compose(results: Results, grid: Grid | None = None) -> Page:
    """Everything that a study's page says, without mark-up."""
    study, sections = results.study, sections_of(results, grid)
    whole = tuple(
        {
            "arm": r.arm,
            "reference": r.reference,
            "rule": r.rule,
            "metric": r.metric,
            "mean": r.mean,
            "sd": r.sd,
            "n": r.n,
            "values": " ".join("" if v is None else repr(v) for v in r.values),
            "published": r.published,
        }
        for r in rows(results)
    )
    return Page(
        name=study.name,
        file_name=study.name,
        title=study.title,
        question=study.question,
        answer=answer(results).sentences,
        state=progress(results),
        identity=results.study_id,
        version=__version__,
        sections=sections,
        charts=chart_data(sections),
        outcomes=tuple(case.label for case in claim_outcomes(results)),
        arms=len(results.arms),
        table=whole,
        recorded_at=results.recorded_at,
    )


def chart_data(sections: Sequence[Section]) -> tuple[ChartData, ...]:
    """The charts of a page's sections."""
    return tuple(
        ChartData(chart.name, _inert_json({"spec": chart.spec, "datasets": chart.data}))
        for section in sections
        for chart in within(section.blocks)
        if isinstance(chart, Chart)
    )


@dataclass(frozen=True)
class LiveParts:
    """What a page has more where a server follows a study in training: a panel, its style, and a script for it."""

    panel: Markup
    script: Markup
    style: Markup


def index(pages: Sequence[Page]) -> str:
    """The page over several studies as HTML."""
    template = _environment().get_template("index.html")
    return template.render(studies=pages, policy=policy(), style=style(), version=__version__)


def html(page: Page, folder: str = "", *, live: LiveParts | None = None, still: bool = False) -> str:
    """A page as HTML that stands alone. `folder` goes before the links to its tables, where they lie elsewhere.

    With `live` the page follows its server, and may ask it for what is new. With `still` the charts are there as
    pictures too, for browsers that run no scripts.
    """
    environment = _environment()
    environment.filters["file_names"] = partial(_file_names, page.file_name, folder)
    vega, drawing, areas = scripts()
    return environment.get_template("study.html").render(
        page=page,
        policy=policy(*scripts()) if live is None else policy(live.script, *scripts(), live=True),
        live=live,
        style=style(),
        colours=Markup(_arm_style(page.arms)),
        vega=vega,
        drawing=drawing,
        areas=areas,
        themes=_inert_json(themes()),
        pictures=still_pictures(page.sections, themes()["light"]) if still else {},
    )


def scripts() -> tuple[Markup, Markup, Markup]:
    """The scripts of a study's page: Vega, what draws with it, and what marks areas that scroll."""
    return Markup(_vega()), Markup(_asset("draw.js")), Markup(_asset("areas.js"))


def policy(*allowed: str, live: bool = False) -> str:
    """The Content-Security-Policy of a page: nothing from elsewhere, and of scripts only those `allowed`, by hash.

    A `live` page may ask the server that it came from for more.
    """
    hashes = " ".join(f"'sha256-{_sha256(text)}'" for text in allowed)
    run = f"script-src {hashes} 'unsafe-eval'; " if allowed else ""  # Vega compiles its expressions
    ask = "connect-src 'self'; " if live else ""
    rest = "base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; {run}{ask}{rest}"


def style() -> Markup:
    """The style sheet of every page."""
    return Markup(_asset("style.css"))


def themes() -> dict[str, Any]:
    """The charts' configuration for light and for dark ground."""
    return {
        "light": theme(LIGHT, ink="#1c1d21", faint="#5d6068", line="#dcd9d3"),
        "dark": theme(DARK, ink="#e9e8e4", faint="#a3a6ae", line="#3d4047"),
    }


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("paribus.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tied"] = tied
    environment.filters["grouped"] = grouped
    return environment


@dataclass(frozen=True)
class FileLink:
    """A table's file beside the page, as CSV or LaTeX."""

    href: str
    label: str


def _file_names(page: str, folder: str, block: Block) -> list[FileLink]:
    """Links to the tables of a block, each under its own name's last part."""
    names = [name for name, _ in tables((block,))]
    shared = f"{names[0].rpartition('-')[0]}-" if len(names) > 1 else ""
    links = [FileLink(folder + _csv_name(page, name), name.removeprefix(shared)) for name in names]
    if isinstance(block, Table) and not folder:  # what is served elsewhere are the CSV files alone
        links.append(FileLink(_latex_name(page, block.name), "LaTeX"))
    return links


def _csv_name(study: str, table: str) -> str:
    return f"tables/{study}-{table}.csv"


def _latex_name(study: str, table: str) -> str:
    return f"tables/{study}-{table}.tex"


def progress(results: Results) -> str:
    """How large a study is, how many of its runs have ended, and which study of its name it is, in words."""
    states, planned = results.states(), results.planned
    ended = states.get("done", 0) + states.get("diverged", 0)
    words = f"{plural(len(results.arms), 'arm')} × {plural(results.study.replicates.count, 'replicate')}"
    words += f", {ended} of {plural(planned, 'run')} complete"
    if results.study.search is not None:  # most of its runs are paused for good
        words = f"{plural(len(results.candidates), 'candidate')}, {plural(planned, 'run')}, {ended} of them to the end"
    words += f", {states['diverged']} diverged" if states.get("diverged") else ""
    if results.namesakes > 1:
        which = "the latest" if results.latest else "one"
        words += f" · {which} of {results.namesakes} studies of this name ({results.study_id[:ID_DIGITS]})"
    return words


def _arm_style(arms: int) -> str:
    """The arms' colours as style rules, the same ones that the charts take from their theme."""
    lines = arm_lines(arms)
    light = "".join(f".a{i}{{--arm:{c};--line-style:{lines[i]}}}" for i, c in enumerate(arm_colours(arms)))
    dark = "".join(f".a{i}{{--arm:{c}}}" for i, c in enumerate(arm_colours(arms, DARK)))
    return f"{light}@media screen and (prefers-color-scheme:dark){{{dark}}}"


def _inert_json(value: Any) -> Markup:
    """JSON that cannot end the script element that it stands in, nor be read as mark-up. Raises ValueError for NaN."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@lru_cache(maxsize=1)
def _vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script, as vl-convert ships them."""
    return (
        vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
        .replace("</script", "<\\/script")
        .replace("<!--", "<\\!--")
    )


@lru_cache(maxsize=8)
def _asset(name: str) -> str:
    return resources.files("paribus.report").joinpath("assets", name).read_text(encoding="utf-8")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
