"""Writes an audit's page, and its tables beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from paribus.auditing.examples import Examples
    from paribus.auditing.result import AuditResult


def write_page(target: Path, result: AuditResult, examples: Examples) -> Path:
    """Write the page to `target`, and every table of it into the folder `tables` beside it.

    Raises UserError where the folder cannot be written to.
    """
    from paribus.data.pool import whole
    from paribus.report.audit_page import ShownExamples, audit_page, rows_shown
    from paribus.report.latex import latex
    from paribus.report.page import html
    from paribus.report.writing import csv_text, put

    rows = rows_shown(result)
    place = {int(row): i for i, row in enumerate(result.rows.tolist())}
    chosen = np.array([place[row] for row in rows], np.int64)
    values = whole(examples.pool).take(chosen).inputs
    shown = ShownExamples(examples.pool.shape, examples.feature_names, dict(zip(rows, values, strict=True)))
    page = audit_page(result, shown)
    for name, records in page.tables().items():
        put(target.parent / name, csv_text(records))
    for name, table in page.latex_tables().items():
        put(target.parent / name, latex(table, f"{page.file_name}-{table.name}"))
    put(target, html(page))
    return target
