"""paribus table: print a study's results with their spread and the published figures beside them.

Every metric of every arm at every selection rule, over replicates. Accuracies are fractions.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from paribus.cli.arguments import open_workspace, recorded_study
from paribus.cli.output import format_number, print_columns, print_csv, print_json, print_line, print_message
from paribus.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paribus.analysis.tables import Row

_FIELDS = ("arm", "rule", "metric", "mean", "sd", "n", "values", "published")


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus table STUDY [--json | --csv]`."""
    to.add_argument("study", metavar="STUDY", help="a study of the workspace")
    form = to.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON object with `study` and `rows`")
    form.add_argument("--csv", action="store_true", help="print one line a row, `values` separated by spaces")


def execute(arguments: argparse.Namespace) -> Exit:
    """Print the table."""
    from paribus.analysis.results import load
    from paribus.analysis.tables import rows

    with open_workspace(arguments.workspace) as workspace:
        record = recorded_study(workspace, arguments.study)
        found = rows(load(workspace, record.id))
    if arguments.json:
        print_json({"study": record.name, "rows": [_as_json(row) for row in found]})
    elif arguments.csv:
        print_csv([_FIELDS, *map(_as_line, found)])
    else:
        _print(found)
        print_message("mean ± standard deviation over replicates (n of them), published figure where there is one")
    return Exit.DONE


def _as_json(row: Row) -> dict[str, object]:
    content = asdict(row)
    return {field: content[field] for field in _FIELDS}


def _as_line(row: Row) -> tuple[object, ...]:
    values = " ".join("" if value is None else repr(value) for value in row.values)
    return (row.arm, row.rule, row.metric, row.mean, row.sd, row.n, values, row.published)


def _print(found: Sequence[Row]) -> None:
    """One block an arm: a heading, then its rows."""
    lines = [("rule", "metric", "mean", "± sd", "n", "published")]
    arms: list[str] = []
    for row in found:
        rule = row.rule or "(the run)"
        lines.append(
            (
                rule,
                row.metric,
                format_number(row.mean),
                format_number(row.sd, 2),
                str(row.n),
                format_number(row.published),
            )
        )
        arms.append(row.arm)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [tuple(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    for arm in dict.fromkeys(arms):
        print_line(arm)
        block = [padded[0], *(line for line, owner in zip(padded[1:], arms, strict=True) if owner == arm)]
        print_columns(block)
        print_line()
