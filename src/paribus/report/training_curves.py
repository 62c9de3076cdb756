"""Loss and accuracy or RMSE over epochs: charts of bands per arm, thinned for drawing, selected epochs kept."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from paribus.analysis.curves import Band, band
from paribus.analysis.results import Results
from paribus.analysis.tables import shown_rules
from paribus.analysis.wording import listed, number
from paribus.report import charts
from paribus.report.blocks import Block, Chart, Record, Section, SideBySide
from paribus.report.tabulate import capital
from paribus.spec.metrics import METRICS, Form, Metric

POINTS = 360
"""About how many epochs of a curve are drawn; selected epochs come on top."""
_KINDS: dict[Form, str] = {"loss": "loss", "share": "accuracy", "quantity": "RMSE"}
_MONITORED = ("test_accuracy", "test_rmse")
"""Curves whose best epoch is marked where test data are monitored."""
LOG_FROM = 3.0
"""A loss whose highest mean is this many times its lowest gets a logarithmic axis."""


def section(results: Results) -> Section | None:
    """A chart for every metric that some arm has a curve of."""
    found = {metric: _bands(results, metric) for metric in METRICS.values() if metric.chart}
    drawn = {metric: chart(results, metric, bands) for metric, bands in found.items() if bands}
    if not drawn:
        return None
    losses = tuple(block for metric, block in drawn.items() if metric.form == "loss")
    blocks: list[Block] = [SideBySide(losses)] if len(losses) > 1 else list(losses)
    blocks += [block for metric, block in drawn.items() if metric.form != "loss"]
    kinds = dict.fromkeys(_KINDS[metric.form] for metric in drawn if not _is_setting(metric))
    title = f"{capital(listed(kinds))} over the epochs" if kinds else "Over the epochs"
    return Section("curves", title, tuple(blocks), lead=(*_lead(found.values()), *_scaled_losses(results)))


def chart(results: Results, metric: Metric, bands: list[Band]) -> Chart:
    """One metric's chart: data sets `curves` (thinned) and `marks` (every selected epoch)."""
    marks = [] if _is_setting(metric) else selected_epochs(results, metric.name)
    wanted = [int(mark["epoch"]) for mark in marks] + (_steps(bands) if _is_setting(metric) else [])
    keep = drawn_epochs(max(int(b.epoch[-1]) for b in bands), wanted)
    rows = [row for b in bands for row in _rows(results, b, keep)]
    rules = list(dict.fromkeys(rule for arm in results.arms for rule in shown_rules(results, arm)))
    marked = {str(mark["rule"]) for mark in marks}
    name, percent, sized = metric.label, metric.is_share, metric.form == "quantity"
    log = _positive(bands) and (_is_setting(metric) or (metric.form in _LOGARITHMIC and _spans_orders(bands)))
    domain = None if log else first_sight(bands, metric.direction, [float(mark["value"]) for mark in marks])
    height = 360 if percent or sized else 160 if _is_setting(metric) else 280
    shown = [b.arm for b in bands]
    drawing = charts.curves(
        results.arms,
        shown,
        rules if marks else [],
        y=name + (" (log scale)" if log else ""),
        percent=percent,
        sized=sized,
        log=log,
        domain=domain,
        height=height,
    )
    note = ""
    if domain is not None:
        ends = [f"{100 * end:.1f} %" if percent else number(end) if sized else f"{end:.3g}" for end in domain]
        note = f"At first sight the axis runs from {ends[0]} to {ends[1]}: the first epochs lie beyond it."
    data = {"curves": rows, "marks": marks} if marks else {"curves": rows}
    words = f"{name} over epochs, a line and a band for each of {len(shown)} arms: {', '.join(shown)}."
    return charts.figure(
        f"curve-{metric.name.replace('_', '-')}",
        capital(name),
        drawing,
        data,
        words,
        note=note,
        height=height,
        legend=[*charts.arm_keys(results.arms, shown), *charts.rule_keys(rules, marked)],
    )


_LOGARITHMIC: tuple[Form, ...] = ("loss", "quantity")


def selected_epochs(results: Results, metric: str) -> list[Record]:
    """Where each finished run's selection rules point on a metric's curve: arm, key, rule, replicate, epoch, value."""
    marks: list[Record] = []
    for run in results.runs:
        curve = run.curves.get(metric)
        rules = shown_rules(results, run.arm) if metric in _MONITORED else results.rules(run.arm)
        for rule in rules if run.state == "done" else ():
            epoch = run.epoch(rule)
            if curve is None or epoch is None or not 1 <= epoch <= len(curve) or not np.isfinite(curve[epoch - 1]):
                continue
            marks.append(
                {
                    "arm": run.arm,
                    "key": f"a{results.arms.index(run.arm)}",
                    "rule": rule,
                    "replicate": run.replicate,
                    "epoch": epoch,
                    "value": float(curve[epoch - 1]),
                }
            )
    return marks


def drawn_epochs(last: int, wanted: list[int]) -> npt.NDArray[np.int64]:
    """Epochs to draw out of 1..last: about `POINTS` evenly thinned, the first, the last and `wanted` always kept."""
    step = max(1, -(-last // POINTS))
    return np.unique(np.concatenate([np.arange(1, last + 1, step), [last], np.asarray(wanted, dtype=np.int64)]))


def first_sight(bands: list[Band], direction: int, marked: list[float]) -> tuple[float, float] | None:
    """The part of a linear axis worth seeing first, or None for all of it.

    Training starts far off and then hardly moves: the bad end is cut at four times the distance between the best value
    and all but the worst twentieth of the epochs. Every selected epoch stays in sight.
    """
    low = np.concatenate([b.low[np.isfinite(b.low)] for b in bands])
    high = np.concatenate([b.high[np.isfinite(b.high)] for b in bands])
    least, most = float(low.min()), float(high.max())
    if direction > 0:
        cut = min([most - 4 * (most - float(np.quantile(low, 0.05))), *marked])
        return (cut, most) if cut > least else None
    cut = max([least + 4 * (float(np.quantile(high, 0.95)) - least), *marked])
    return (least, cut) if cut < most else None


def _rows(results: Results, found: Band, keep: npt.NDArray[np.int64]) -> list[Record]:
    key = f"a{results.arms.index(found.arm)}"
    inside = np.isin(found.epoch, keep) & np.isfinite(found.mean)
    columns = zip(
        found.epoch[inside].tolist(),
        found.mean[inside].tolist(),
        found.low[inside].tolist(),
        found.high[inside].tolist(),
        strict=True,
    )
    return [
        {"arm": found.arm, "key": key, "epoch": int(epoch), "mean": _short(mean), "lo": _short(low), "hi": _short(high)}
        for epoch, mean, low, high in columns
    ]


def _steps(bands: list[Band]) -> list[int]:
    """The epochs around each fall or rise of a learning rate held between them, so that steps look like steps."""
    found: set[int] = set()
    for b in bands:
        turns = np.flatnonzero(np.diff(b.mean))
        if len(turns) < POINTS // 10:
            found |= {int(b.epoch[i + side]) for i in turns for side in (0, 1)}
    return sorted(found)


def _short(value: float) -> float:
    """Six significant digits: beyond what a chart can show, and a third of the page's size."""
    return float(f"{value:.6g}")


def _is_setting(metric: Metric) -> bool:
    """Whether a curve is one that the recipe sets, the learning rate."""
    return not metric.direction


def _bands(results: Results, metric: Metric) -> list[Band]:
    found = [band(results, arm, metric.name) for arm in results.arms]
    bands = [b for b in found if b is not None and np.isfinite(b.mean).any()]
    if _is_setting(metric) and all(np.ptp(b.mean[np.isfinite(b.mean)]) == 0 for b in bands):
        return []  # a constant says nothing that the method's table does not
    return bands


def _positive(bands: list[Band]) -> bool:
    return all(bool((b.low > 0).all()) for b in bands)


def _spans_orders(bands: list[Band]) -> bool:
    means = np.concatenate([b.mean for b in bands])
    return bool(means.max() > LOG_FROM * means.min())


def _scaled_losses(results: Results) -> list[str]:
    """What the losses of a regression are losses of."""
    if not any(results.recipe(arm).task == "regression" for arm in results.arms):
        return []
    return ["Losses are those of the scaled targets, which networks learn; RMSE is in the unit of the target."]


def _lead(found: Iterable[list[Band]]) -> list[str]:
    last = max(int(b.epoch[-1]) for bands in found for b in bands)
    words = (
        "A line is the mean over replicates, its band runs from the lowest to the highest, and a mark stands at every "
        "epoch that a selection rule chose, one a replicate."
    )
    if last > POINTS:
        words += f" Of {last:,} epochs about {POINTS} are drawn, every selected one too; the workspace has them all."
    return [words, "Drag to move, shift and scroll to zoom, double-click to go back; an arm's name shows it alone."]
