"""A page of the report as a PDF."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from paribus.report.charts import theme
from paribus.report.palette import LIGHT
from paribus.report.pdf.document import Document
from paribus.report.pdf.words import breakable, clean
from paribus.report.writing import tied

if TYPE_CHECKING:
    from paribus.report.page import Page

MAIN: Final = "report.typ"
FONT: Final = "Libertinus Serif"
"""The font of the charts, as of the text: Typst carries it."""
NO_DATE: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands in the file's properties where nothing is recorded yet, so that equal reports have equal bytes."""


def pdf(page: Page) -> bytes:
    """A study's page as a PDF on A4. Equal pages have equal bytes.

    Raises RuntimeError where Typst refuses what it is given, which would be a fault of the template.
    """
    return typeset(sources(page), page.recorded_at)[0]


def typeset(
    files: Mapping[str, bytes], at: datetime | None = None, form: Literal["pdf", "png"] = "pdf", ppi: float = 110.0
) -> Sequence[bytes]:
    """The document of these `sources` as one PDF, made `at` that time as its properties say, or each page as a PNG."""
    import typst

    with tempfile.TemporaryDirectory(prefix="paribus-") as name:
        for file, content in files.items():
            (Path(name) / file).write_bytes(content)
        made = typst.compile(str(Path(name) / MAIN), format=form, ppi=ppi, root=name, timestamp=at or NO_DATE)
    return made if isinstance(made, list) else [made]


def sources(page: Page) -> dict[str, bytes]:
    """Every file that Typst reads, by name: the template `MAIN`, the words as JSON, the pictures."""
    document, files = _document(page)
    return {
        MAIN: resources.files("paribus.report").joinpath("templates", MAIN).read_bytes(),
        "report.json": json.dumps(document, allow_nan=False).encode(),
        **files,
    }


def _document(page: Page) -> tuple[dict[str, Any], dict[str, bytes]]:
    document = Document(page.arms, theme(LIGHT, ink="#1c1d21", faint="#55585f", line="#dedbd5", family=FONT))
    chapters = document.chapters(page.sections)
    day = page.recorded_at
    facts = [
        ("Runs", page.state),
        ("Recorded", f"{day:%Y-%m-%d}" if day else ""),
        ("Identity", page.identity),
        ("Version", f"paribus {page.version}"),
    ]
    content = {
        "kind": page.kind,
        "name": clean(page.name),
        "title": breakable(clean(page.title)),
        "question": breakable(clean(page.question)),
        "day": [day.year, day.month, day.day] if day else None,
        "version": page.version,
        "facts": [[name, clean(value)] for name, value in facts if value],
        "answer": [breakable(tied(clean(words)), 40) for words in page.answer],
        "chapters": chapters,
        "appendix": document.appendix(),
    }
    return content, document.files
