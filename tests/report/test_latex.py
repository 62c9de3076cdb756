from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from paribus.analysis.results import Results
from paribus.report.blocks import Cell, Heading, Table
from paribus.report.latex import LONG, escaped, latex
from paribus.report.page import compose

SPECIAL = '\\input{x} $a_b^c$ & 50 % #1 ~ <b> "q" `r` | {}'


def made(rows: int, text: str = SPECIAL) -> Table:
    headings = (Heading("arm"), Heading("accuracy", numeric=True))
    cells = tuple((Cell(text, strong=True), Cell("85.13 %", faint="± 0.2")) for _ in range(rows))
    return Table("made", text, headings, cells, (), note=text)


@pytest.mark.parametrize("rows", [0, 1, LONG, LONG + 1])
def test_a_table_has_a_line_for_each_row_and_every_group_is_closed(rows: int) -> None:
    text = latex(made(rows), "made")
    assert text.count(r"\textbf{") == rows
    assert ("longtable" in text.splitlines()[1]) == (rows > LONG)
    plain = re.sub(r"\\.", "", text)
    assert plain.count("{") == plain.count("}")
    assert sorted(re.findall(r"\\begin\{(\w+)\}", text)) == sorted(re.findall(r"\\end\{(\w+)\}", text))
    body = [line for line in text.splitlines() if line.endswith(r"\\") and r"\textbf" in line]
    assert all(len(re.findall(r"(?<!\\)&", line)) == 1 for line in body)


def test_nothing_from_outside_is_a_command() -> None:
    assert escaped(r"\input{x}") == r"\textbackslash{}input\{x\}"
    assert escaped("50 % of a_b & c") == r"50 \% of a\_b \& c"
    assert escaped("0.3 ± 0.1") == r"0.3 $\pm$ 0.1"


def test_numbers_stand_at_the_right() -> None:
    assert r"\begin{tabular}{lr}" in latex(made(1), "made")


def test_every_table_of_a_page_has_a_file(selection_results: Results) -> None:
    page = compose(selection_results)
    names = page.latex_tables()
    assert "tables/selection-selection.tex" in names
    assert set(names) <= {name.replace(".csv", ".tex") for name in page.tables()}


def test_latex_takes_the_tables(selection_results: Results, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("LaTeX is not installed")
    tables = [*compose(selection_results).latex_tables().values(), made(2), made(LONG + 1)]
    body = "\n".join(latex(table, str(i)) for i, table in enumerate(tables))
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs,longtable}\begin{document}"
    (tmp_path / "all.tex").write_text(f"{head}\n{body}\n\\end{{document}}\n", encoding="utf-8")
    subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"], cwd=tmp_path, check=True, timeout=60
    )
