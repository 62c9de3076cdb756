"""Tables as LaTeX with the rules of the package booktabs, to be pasted into a paper as they are."""

from __future__ import annotations

from typing import Final

from paribus.report.blocks import Cell, Heading, Table
from paribus.report.pdf.words import clean

LONG: Final = 40
"""Tables of more rows break over pages, with the package longtable."""
_ESCAPES: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "\u00a0": "~",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "·": r"$\cdot$",
    "²": r"\textsuperscript{2}",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
}


def escaped(text: str) -> str:
    """Text that LaTeX prints as it is: nothing in it is a command."""
    return "".join(_ESCAPES.get(letter, letter) for letter in clean(text))


def latex(table: Table, label: str) -> str:
    """A table with its title as the caption, and `label` to refer to it by. What the page shows faintly stays beside.

    A table of more than `LONG` rows is a `longtable`. The note stands below the table.
    """
    columns = "".join("r" if heading.numeric else "l" for heading in table.headings)
    head = f"{' & '.join(_heading(heading) for heading in table.headings)} \\\\"
    rows = [f"{' & '.join(map(_cell, row))} \\\\" for row in table.cells]
    caption = [f"\\caption{{{escaped(table.title)}}}", f"\\label{{tab:{label}}}"]
    note = [f"\\par\\smallskip\\footnotesize {escaped(table.note)}"] if table.note else []
    if len(rows) > LONG:
        lines = [
            "% needs \\usepackage{booktabs,longtable}",
            f"\\begin{{longtable}}{{{columns}}}",
            f"{''.join(caption)} \\\\",
            *("\\toprule", head, "\\midrule", "\\endfirsthead"),
            *("\\toprule", head, "\\midrule", "\\endhead"),
            *("\\bottomrule", "\\endlastfoot"),
            *rows,
            "\\end{longtable}",
            *(f"{{{line}\\par}}" for line in note),
        ]
    else:
        lines = [
            "% needs \\usepackage{booktabs}",
            "\\begin{table}",
            "\\centering",
            *caption,
            f"\\begin{{tabular}}{{{columns}}}",
            *("\\toprule", head, "\\midrule"),
            *rows,
            *("\\bottomrule", "\\end{tabular}"),
            *note,
            "\\end{table}",
        ]
    return "\n".join(lines) + "\n"


def _heading(heading: Heading) -> str:
    return escaped(heading.title)


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    if cell.strong:
        text = f"\\textbf{{{text}}}"
    if not cell.faint:
        return text
    return f"{text} ({escaped(cell.faint)})" if cell.below else f"{text} {escaped(cell.faint)}"
