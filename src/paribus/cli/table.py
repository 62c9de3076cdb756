"""paribus table: print a study's results: mean and standard deviation over replicates, with published figures.

Prints the main metrics, a row for each arm and selection rule. `--all` prints every metric, a block for each arm, with
a row for each metric and a column for each rule. `--json` and `--csv` give every metric with the value of every
replicate, accuracies as fractions.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from paribus.cli.arguments import open_workspace, recorded_study
from paribus.cli.columns import GAP
from paribus.cli.main_table import DEPLOYED, cell, main_tables, published_cell, replicates
from paribus.cli.output import data_width, print_columns, print_csv, print_json, print_line, print_message
from paribus.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paribus.analysis.results import Results
    from paribus.analysis.tables import Row

_FIELDS = ("arm", "rule", "metric", "mean", "sd", "n", "values", "published", "reference")


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus table STUDY [--all | --json | --csv]`."""
    to.add_argument("study", metavar="STUDY", help="a study of the workspace")
    form = to.add_mutually_exclusive_group()
    form.add_argument("--all", action="store_true", help="print every metric, not only the main ones")
    form.add_argument("--json", action="store_true", help="print a JSON object with `study` and `rows`")
    form.add_argument("--csv", action="store_true", help="print one line for each row, `values` separated by spaces")


def execute(arguments: argparse.Namespace) -> Exit:
    """Print the table."""
    from paribus.analysis.results import load
    from paribus.analysis.tables import rows

    with open_workspace(arguments.workspace) as workspace:
        record = recorded_study(workspace, arguments.study)
        results = load(workspace, record.id)
        found = rows(results)
    if arguments.json:
        print_json({"study": record.name, "rows": [_as_json(row) for row in found]})
    elif arguments.csv:
        print_csv([_FIELDS, *map(_as_line, found)])
    elif arguments.all:
        _print_all(found)
    else:
        _print_main(results, found)
    return Exit.DONE


def _print_main(results: Results, found: Sequence[Row]) -> None:
    tables = main_tables(results, found, data_width())
    for table in tables:
        names = sum(heading in ("arm", "rule") for heading in table[0]) or 1
        print_columns(table, right=range(names, len(table[0])), flexible=(0,))
    deployed = f"; {DEPLOYED} the rule by which weights are deployed" if results.study.deploy else ""
    print_message(f"mean ± standard deviation, n = {replicates(found)}{deployed}; --all prints every metric")
    _print_units(found)


def _print_all(found: Sequence[Row]) -> None:
    networks, lines = [[row for row in found if bool(row.reference) is is_line] for is_line in (False, True)]
    for arm in dict.fromkeys(row.arm for row in networks):
        _print_arm(arm, [row for row in networks if row.arm == arm])
    for arm in dict.fromkeys(row.arm for row in lines):
        _print_references(arm, [row for row in lines if row.arm == arm])
    below = "; published figures below ours" if any(row.published is not None for row in found) else ""
    print_message(f"mean ± standard deviation over n replicates{below}")
    _print_units(found)


def _print_units(found: Sequence[Row]) -> None:
    if any(row.metric.endswith("_rmse") for row in found):
        print_message("losses are those of the scaled targets; RMSE and MAE are in the unit of the target")


def _as_json(row: Row) -> dict[str, object]:
    content = asdict(row)
    return {field: content[field] for field in _FIELDS}


def _as_line(row: Row) -> tuple[object, ...]:
    values = " ".join("" if value is None else repr(value + 0.0) for value in row.values)  # -0.0 + 0.0 is 0.0
    return (row.arm, row.rule, row.metric, row.mean, row.sd, row.n, values, row.published, row.reference)


def _print_arm(arm: str, rows: Sequence[Row]) -> None:
    """A heading, the numbers of the run as a whole, then one table or several where the rules do not fit one."""
    n = replicates(rows)
    print_line(f"{arm} (n = {n})")
    whole = [f"{row.metric} {cell(row, n)}" for row in rows if not row.rule]
    if whole:
        print_line(f"  {', '.join(whole)}")
    _print_blocks({(row.rule, row.metric): row for row in rows if row.rule}, n)


def _print_references(arm: str, rows: Sequence[Row]) -> None:
    """The reference lines on the data of an arm, a column for each."""
    n = replicates(rows)
    print_line(f"reference lines on the data of {arm} (n = {n})")
    _print_blocks({(row.reference, row.metric): row for row in rows}, n)


def _print_blocks(at_rule: dict[tuple[str, str], Row], n: int) -> None:
    """A table with a column for each selection rule or reference, or several where the columns do not fit one."""
    columns = [_column(rule, at_rule, n) for rule in dict.fromkeys(rule for rule, _ in at_rule)]
    metrics = ["metric", *_lines(at_rule)]
    for block in _blocks(metrics, columns):
        lines = [line for line in zip(metrics, *block, strict=True) if any(line[1:])]
        print_columns([("  " + line[0], *line[1:]) for line in lines], right=range(1, len(block) + 1))
    print_line()


def _lines(at_rule: dict[tuple[str, str], Row]) -> Iterator[str]:
    """The heading of each line of an arm's table: each metric, and `published` below those that have such a figure."""
    for metric in dict.fromkeys(metric for _, metric in at_rule):
        yield metric
        if any(row.published is not None for (_, name), row in at_rule.items() if name == metric):
            yield "  published"


def _column(rule: str, at_rule: dict[tuple[str, str], Row], n: int) -> list[str]:
    """A rule's cells, line by line as in `_lines`: empty where a metric is not known at this rule."""
    cells, metric = [rule], ""
    for line in _lines(at_rule):
        metric = metric if line.startswith(" ") else line
        row = at_rule.get((rule, metric))
        if row is None:
            cells.append("")
        elif line != metric:
            cells.append(published_cell(row))
        else:
            cells.append(cell(row, n))
    return cells


def _blocks(metrics: Sequence[str], columns: Sequence[list[str]]) -> Iterator[list[list[str]]]:
    """The columns in groups that fit the terminal beside the metrics, each with at least one."""
    limit = data_width()
    first = 2 + max(map(len, metrics))
    block: list[list[str]] = []
    used = first
    for column in columns:
        width = GAP + max(map(len, column))
        if block and limit is not None and used + width > limit:
            yield block
            block, used = [], first
        block.append(column)
        used += width
    if block:
        yield block
