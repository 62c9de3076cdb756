"""The main figures of a study: a row for each arm and selection rule, a column for each metric that fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from paribus.cli.columns import GAP
from paribus.cli.formatting import format_mean

if TYPE_CHECKING:
    from paribus.analysis.results import Results
    from paribus.analysis.tables import Row

MAX_METRICS = 5
"""Columns of metrics, on a terminal of any width."""
MIN_METRICS = 2
"""Where fewer fit beside the arms, each arm has a table of its own."""
DEPLOYED = "*"
"""Marks the rule that an arm deploys by."""

Table = list[tuple[str, ...]]
"""Rows of cells, the headings first."""


class _Line(NamedTuple):
    """One line: its arm and its rule as they are shown, and its cells by metric, those of ours or published ones."""

    arm: str
    rule: str
    cells: dict[str, str]


def main_tables(results: Results, found: Sequence[Row], width: int | None) -> list[Table]:
    """One table with all arms, or one for each arm, for a terminal of `width` characters; None is no limit."""
    lines = [*_of_arms(results, found), *_of_references(found)]
    names = [name for name in _important(found) if any(name in line.cells for line in lines)]
    beside = _fitting(lines, names, width, with_arms=True)
    if len(beside) - 1 >= min(MIN_METRICS, len(names)):
        return [_table(lines, beside)]
    below = _fitting(lines, names, width, with_arms=False)
    arms = dict.fromkeys(line.arm for line in lines)
    return [_table_of(arm, [line for line in lines if line.arm == arm], below) for arm in arms]


def _table(lines: Sequence[_Line], names: Sequence[str]) -> Table:
    """A table whose first column names the arm, once above its rules."""
    body: Table = [("arm", *_headings("rule", names))]
    before = ""
    for line in lines:
        arm, before = ("" if line.arm == before else line.arm), line.arm
        body.append((arm, line.rule, *(line.cells.get(name, "") for name in names)))
    return body


def _table_of(arm: str, lines: Sequence[_Line], names: Sequence[str]) -> Table:
    """A table whose heading names its arm."""
    return [
        _headings(arm, names),
        *((f"  {line.rule}", *(line.cells.get(name, "") for name in names)) for line in lines),
    ]


def _headings(first: str, names: Sequence[str]) -> tuple[str, ...]:
    from paribus.spec.metrics import METRICS

    return (first, *(METRICS[name].short for name in names))


def replicates(found: Sequence[Row]) -> int:
    """The largest number of replicates behind a row."""
    return max((row.n for row in found), default=0)


def _important(found: Sequence[Row]) -> list[str]:
    """Metrics by their importance: those that arms are compared in, those of the report's table, training losses."""
    from paribus.spec.metrics import METRICS, by_priority

    names = [metric.name for metric in by_priority()]
    others = [metric for metric in METRICS.values() if metric.column and metric.name not in ("epoch", *names)]
    others.sort(key=lambda metric: (metric.form == "loss" and metric.split == "train", metric.name == "train_loss_end"))
    there = {row.metric for row in found if row.n}
    return [name for name in (*names, *(metric.name for metric in others)) if name in there]


def _of_arms(results: Results, found: Sequence[Row]) -> list[_Line]:
    """For each arm and rule our figures, and below them those that were published."""
    ours = [row for row in found if row.rule and not row.reference]
    most = replicates(found)
    lines: list[_Line] = []
    for arm, rule in dict.fromkeys((row.arm, row.rule) for row in ours):
        rows = [row for row in ours if (row.arm, row.rule) == (arm, rule)]
        mark = f" {DEPLOYED}" if rule == results.deploy(arm) else ""
        lines.append(_Line(arm, f"{rule}{mark}", {row.metric: cell(row, most) for row in rows if row.n}))
        published = {row.metric: published_cell(row) for row in rows if row.published is not None}
        if published:
            lines.append(_Line(arm, "  published", published))
    return lines


def _of_references(found: Sequence[Row]) -> list[_Line]:
    """A line for each reference on the data of some arms; these are named where there are several."""
    lines = [row for row in found if row.reference]
    several = len({row.arm for row in lines}) > 1
    most = replicates(found)
    shown: list[_Line] = []
    for arm, reference in dict.fromkeys((row.arm, row.reference) for row in lines):
        cells = {row.metric: cell(row, most) for row in lines if (row.arm, row.reference) == (arm, reference)}
        shown.append(_Line("reference", f"{reference} ({arm})" if several else reference, cells))
    return shown


def _fitting(lines: Sequence[_Line], names: Sequence[str], width: int | None, *, with_arms: bool) -> list[str]:
    """The epoch and as many of the metrics, the most important first, as fit beside the rules, in METRICS' order."""
    from paribus.spec.metrics import METRICS

    def wide(name: str) -> int:
        return GAP + max(len(METRICS[name].short), *(len(line.cells.get(name, "")) for line in lines))

    if not lines:
        return []
    rules, arms = (max(map(len, texts)) for texts in zip(*((line.rule, line.arm) for line in lines), strict=True))
    used = (arms + GAP + rules if with_arms else max(arms, 2 + rules)) + wide("epoch")
    chosen = ["epoch"]
    for name in names[:MAX_METRICS]:
        used += wide(name)
        if width is not None and used > width:
            break
        chosen.append(name)
    return [name for name in METRICS if name in chosen]


def cell(row: Row, most: int) -> str:
    """Mean and standard deviation, and the number of replicates where it is not `most`."""
    from paribus.spec.metrics import metric_named

    if not row.n:
        return "-"
    metric = metric_named(row.metric)
    if row.metric == "epoch" and row.mean is not None:
        value = f"{row.mean:,.0f}" + (f" ± {row.sd:,.0f}" if row.sd and row.sd >= 0.5 else "")
    else:
        value = format_mean(row.mean, row.sd, share=metric.is_share, sized=metric.form == "quantity")
    return value if row.n == most else f"{value} (n = {row.n})"


def published_cell(row: Row) -> str:
    """A published figure; empty where there is none."""
    from paribus.spec.metrics import METRICS

    return "" if row.published is None else format_mean(row.published, None, share=METRICS[row.metric].is_share)
