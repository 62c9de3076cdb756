"""paribus table: print a study's results with their spread and the published figures beside them.

Every metric of every arm at every selection rule, over replicates. Accuracies are fractions.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from paribus.cli.naming import open_to_read, recorded
from paribus.cli.speech import number, talk, tell, tell_columns, tell_csv, tell_json
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


def call(arguments: argparse.Namespace) -> Exit:
    """Print the table."""
    from paribus.analysis.results import load
    from paribus.analysis.tables import rows

    with open_to_read(arguments.workspace) as workspace:
        record = recorded(workspace, arguments.study)
        found = rows(load(workspace, record.id))
    if arguments.json:
        tell_json({"study": record.name, "rows": [_as_json(row) for row in found]})
    elif arguments.csv:
        tell_csv([_FIELDS, *map(_as_line, found)])
    else:
        _tell(found)
        talk("mean ± standard deviation over replicates (n of them), published figure where there is one")
    return Exit.DONE


def _as_json(row: Row) -> dict[str, object]:
    content = asdict(row)
    return {field: content[field] for field in _FIELDS}


def _as_line(row: Row) -> tuple[object, ...]:
    values = " ".join("" if value is None else repr(value) for value in row.values)
    return (row.arm, row.rule, row.metric, row.mean, row.sd, row.n, values, row.published)


def _tell(found: Sequence[Row]) -> None:
    """One block an arm: a heading, then its rows."""
    lines = [("rule", "metric", "mean", "± sd", "n", "published")]
    arms: list[str] = []
    for row in found:
        rule = row.rule or "(the run)"
        lines.append((rule, row.metric, number(row.mean), number(row.sd, 2), str(row.n), number(row.published)))
        arms.append(row.arm)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [tuple(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    for arm in dict.fromkeys(arms):
        tell(arm)
        block = [padded[0], *(line for line, owner in zip(padded[1:], arms, strict=True) if owner == arm)]
        tell_columns(block)
        tell()
