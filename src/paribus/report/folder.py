"""The report as files: a page for each study, an index, tables; PDFs and charts as pictures where they are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from paribus.analysis.results import Results, load
from paribus.energy.carbon import Grid, grid_of_user
from paribus.report.figure_files import png
from paribus.report.latex import latex
from paribus.report.page import INDEX, html, index, page_of
from paribus.report.writing import csv_text, put
from paribus.store.workspace import Workspace


@dataclass(frozen=True)
class Written:
    """The page to open first, and the PDF of each study where they were asked for."""

    page: Path
    pdfs: tuple[Path, ...] = ()


def write_report(
    workspace: Workspace,
    studies: Sequence[str],
    folder: Path,
    *,
    pdf: bool = False,
    figures: bool = False,
    still: bool = True,
) -> Written:
    """Write the report on `studies` (names or ids) into `folder`.

    `pdf` adds a PDF for each study, and `figures` every chart as SVG and PNG; without `still` the pages need a browser
    that runs scripts, and are written sooner. Nothing but the workspace is read, and of
    the environment PARIBUS_GRID_G_PER_KWH, for CO2. Raises UserError for a study that the workspace does not know, for
    a senseless grid, and for a folder that cannot be written to.
    """
    grid = grid_of_user()
    results = [load(workspace, study) for study in studies]
    return write_pages(results, folder, grid, pdf=pdf, figures=figures, still=still)


def write_pages(
    results: Sequence[Results],
    folder: Path,
    grid: Grid | None = None,
    *,
    pdf: bool = False,
    figures: bool = False,
    still: bool = False,
) -> Written:
    """`write_report` from results at hand: `<study>.html` for each, `index.html` over them, `tables/*.csv` and `*.tex`.

    With `pdf` also `<study>.pdf`, with `figures` also `figures/*.svg` and `*.png`; with `still` the pages have pictures
    for browsers that run no scripts. Studies of one name are named with their ids. `grid` is where the electricity came
    from, if the user says so.
    """
    names = Counter(one.study.name for one in results)
    pages = [page_of(one, grid=grid, up=INDEX, with_id=names[one.study.name] > 1) for one in results]
    if pdf:
        pages = [replace(page, pdf=f"{page.file_name}.pdf") for page in pages]
    for page in pages:
        for name, records in page.tables().items():
            put(folder / name, csv_text(records))
        for name, table in page.latex_tables().items():
            put(folder / name, latex(table, f"{page.file_name}-{table.name}"))
        put(folder / page.file, html(page, still=still))
    put(folder / INDEX, index(pages))
    if pdf:
        from paribus.report.pdf import typesetting

        for page in pages:
            put(folder / page.pdf, typesetting.pdf(page))
    for page in pages if figures else ():
        for name, svg in page.figures():
            put(folder / f"{name}.svg", svg)
            put(folder / f"{name}.png", png(svg))
    first = folder / (INDEX if len(pages) != 1 else pages[0].file)
    return Written(first, tuple(folder / page.pdf for page in pages if page.pdf))
