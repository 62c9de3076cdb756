"""Predictions of a regression beside the true numbers, and what is left over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from paribus.analysis.outputs import Doubles
from paribus.analysis.residuals import MAX_POINTS, Residuals, cells, largest
from paribus.analysis.results import Results
from paribus.report import charts, plane_charts
from paribus.report.blocks import Block, Cell, Chart, Fold, Record, Section, SideBySide
from paribus.report.classes import SPLITS, arms_by_key
from paribus.report.tabulate import Column, arm, table, value
from paribus.spec.inspection import SplitName

OPEN_TARGETS: Final = 3
"""Targets whose figures stand open; those of more are folded away."""
LARGEST_SHOWN: Final = 10


def section(results: Results, found: Sequence[Residuals], split: SplitName) -> Section | None:
    """Predicted against true numbers and residuals against predictions, target by target, in the target's units."""
    targets = list(dict.fromkeys(one.target for one in found))
    if not targets:
        return None
    blocks: list[Block] = []
    for place, target in enumerate(targets):
        own = sorted((one for one in found if one.target == target), key=lambda one: one.arm != results.study.control)
        charts_of_target = SideBySide((_predicted(results, own, place), _residuals(results, own, place)))
        body: list[Block] = [charts_of_target, _largest(results, own, place)]
        blocks += body if place < OPEN_TARGETS else [Fold(target, tuple(body))]
    lead = (
        f"{SPLITS[split].capitalize()} examples of each arm's first replicate at its deploy rule, in the units of the "
        "data. Residual: true minus predicted."
    )
    return Section("regression", "Predicted and true values", tuple(blocks), lead=(lead,))


def _predicted(results: Results, found: Sequence[Residuals], place: int) -> Chart:
    ends = [float(end(np.concatenate([*(o.true for o in found), *(o.predicted for o in found)]))) for end in (min, max)]
    line = {"x": ends[0], "y": ends[0], "x2": ends[1], "y2": ends[1]}
    target = found[0].target
    return _chart(
        results,
        found,
        f"predicted-{place}",
        f"{target}: predicted against true",
        [(one.true, one.predicted) for one in found],
        (f"true {target}", f"predicted {target}"),
        line,
        f"Predicted against true {target}. {_words(found[0])}",
    )


def _residuals(results: Results, found: Sequence[Residuals], place: int) -> Chart:
    given = np.concatenate([one.predicted for one in found])
    line = {"x": float(given.min()), "y": 0.0, "x2": float(given.max()), "y2": 0.0}
    target = found[0].target
    return _chart(
        results,
        found,
        f"residuals-{place}",
        f"{target}: residuals",
        [(one.predicted, one.residual) for one in found],
        (f"predicted {target}", f"true − predicted {target}"),
        line,
        f"Residuals against predicted {target}. {_words(found[0])}",
    )


def _chart(
    results: Results,
    found: Sequence[Residuals],
    name: str,
    title: str,
    planes: Sequence[tuple[Doubles, Doubles]],
    axes: tuple[str, str],
    line: Record,
    words: str,
) -> Chart:
    keys = arms_by_key(results, [one.arm for one in found])
    place = {arm_name: key for key, arm_name in keys.items()}
    few = all(len(one.rows) <= MAX_POINTS for one in found)
    rows: list[Record] = []
    for one, (across, up) in zip(found, planes, strict=True):
        own = {"arm": one.arm, "key": place[one.arm]}
        if few:
            points = zip(one.rows.tolist(), across.tolist(), up.tolist(), strict=True)
            rows += [{**own, "row": row, "x": x, "y": y} for row, x, y in points]
        else:
            rows += [
                {**own, "left": c.left, "right": c.right, "low": c.low, "high": c.high, "count": c.count}
                for c in cells(across, up)
            ]
    draw = plane_charts.scatter if few else plane_charts.binned
    note = "" if few else "Colour: examples in a cell (log scale)."
    return charts.figure(
        name,
        title,
        draw(keys, x=axes[0], y=axes[1]),
        {"points" if few else "cells": rows, "line": [line]},
        words,
        note=note,
        height=plane_charts.HEIGHT,
        legend=charts.arm_keys(results.arms, list(keys.values())) if len(keys) > 1 else (),
        one_at_a_time=True,
        hint="Click an arm's name to show it." if len(keys) > 1 else "",
    )


def _words(one: Residuals) -> str:
    rmse = float(np.sqrt(np.mean(one.residual**2)))
    return f"{one.arm}: {len(one.rows):,} examples, root mean squared error {rmse:.4g}."


def _largest(results: Results, found: Sequence[Residuals], place: int) -> Block:
    records: list[Record] = [
        {
            "arm": one.arm,
            "replicate": one.replicate,
            "target": one.target,
            "row": int(one.rows[at]),
            "true": float(one.true[at]),
            "predicted": float(one.predicted[at]),
            "residual": float(one.residual[at]),
        }
        for one in found
        for at in largest(one, LARGEST_SHOWN).tolist()
    ]
    columns = [
        arm(results.arms),
        value("row", "row", "count"),
        *(
            _number(title, key)
            for title, key in (("true", "true"), ("predicted", "predicted"), ("residual", "residual"))
        ),
    ]
    title = f"{found[0].target}: the largest residuals"
    note = "Rows are counted from 0 in the data's own order."
    return table(f"largest-residuals-{place}", title, columns, records, note=note, fold=True)


def _number(title: str, key: str) -> Column:
    return Column(title, lambda record: Cell(f"{record[key]:.5g}"), numeric=True)
