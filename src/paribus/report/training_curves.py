"""Loss and accuracy or RMSE over epochs: charts of bands per arm, thinned for drawing, selected epochs kept."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from paribus.analysis.curves import Band, band
from paribus.analysis.results import Results
from paribus.analysis.tables import shown_rules
from paribus.analysis.wording import capital, listed, number, quantity
from paribus.report import charts
from paribus.report.blocks import Block, Chart, Fold, Record, Section, SideBySide
from paribus.spec.metrics import METRICS, Form, Metric

POINTS = 360
"""About how many epochs of a curve are drawn; selected epochs come on top."""
MAX_DESCRIBED = 6
"""Arms that the description of a chart names."""
_TWIN, _OF_TWIN = "train_loss_end", "train_loss"
"""A curve that is folded away beside the other, which it hardly differs from."""
_MONITORED = ("test_accuracy", "test_rmse")
"""Curves whose best epoch is marked where test data are monitored."""
REACH = 2.5
"""An axis first shows this many times the distance between the best value and all but the worst twentieth of epochs."""
_HINT = "Drag to move, shift and scroll to zoom, double-click to go back; click an arm to show it alone."
LOG_FROM = 3.0
"""A loss whose highest mean is this many times its lowest gets a logarithmic axis."""


def section(results: Results, shown: Collection[str] = ()) -> Section | None:
    """A chart for every metric that some arm has a curve of; those in `shown` stand elsewhere on the page."""
    found = {metric: bands_of(results, metric) for metric in METRICS.values() if metric.chart}
    drawn = {m: chart(results, m, bands, alone=False) for m, bands in found.items() if bands and m.name not in shown}
    if not drawn:
        return None
    twin = next((m for m in drawn if m.name == _TWIN), None) if any(m.name == _OF_TWIN for m in drawn) else None
    charts_shown = tuple(block for metric, block in drawn.items() if not _is_setting(metric) and metric != twin)
    blocks: list[Block] = [SideBySide(charts_shown)] if len(charts_shown) > 1 else list(charts_shown)
    blocks += [block for metric, block in drawn.items() if _is_setting(metric)]
    blocks += [Fold(capital(twin.label), (drawn[twin],))] if twin is not None else []
    cut = any(_first_sight(m, found[m], selected_epochs(results, m.name)) for m in drawn)
    lead = (*_lead(found.values(), cut=cut), *_scaled_losses(results))
    return Section("curves", "Training curves", tuple(blocks), lead=lead, hint=_HINT)


def chart(results: Results, metric: Metric, bands: list[Band], *, name: str = "", alone: bool = True) -> Chart:
    """One metric's chart: data sets `curves` (thinned), `marks` (every selected epoch) and `tails`.

    One that stands `alone` says which part of its axis it shows first.
    """
    marks = [] if _is_setting(metric) else selected_epochs(results, metric.name)
    wanted = [int(mark["epoch"]) for mark in marks] + (_steps(bands) if _is_setting(metric) else [])
    tails = [] if _is_setting(metric) else _tails(results, metric.name, bands, wanted)
    last = max([int(b.epoch[-1]) for b in bands] + [int(tail["epoch"]) for tail in tails])
    keep = drawn_epochs(last, wanted)
    rows = [row for b in bands for row in rows_of(results, b, keep)]
    rules = list(dict.fromkeys(rule for arm in results.arms for rule in shown_rules(results, arm)))
    marked = {str(mark["rule"]) for mark in marks}
    label, percent, sized = metric.label, metric.is_share, metric.form == "quantity"
    log = _is_log(metric, bands)
    domain = _first_sight(metric, bands, marks)
    height = 160 if _is_setting(metric) else 280
    shown = [b.arm for b in bands]
    drawing = charts.curves(
        results.arms,
        shown,
        rules if marks else [],
        y=label + (" (log scale)" if log else ""),
        percent=percent,
        sized=sized,
        log=log,
        domain=domain,
        height=height,
        tails=bool(tails),
    )
    note = ""
    if domain is not None and alone:
        ends = [f"{100 * end:.1f} %" if percent else number(end) if sized else f"{end:.3g}" for end in domain]
        note = f"The axis initially shows {ends[0]} to {ends[1]}; the first epochs lie outside."
    data = {"curves": rows} | ({"marks": marks} if marks else {}) | ({"tails": tails} if tails else {})
    return charts.figure(
        name or f"curve-{metric.name.replace('_', '-')}",
        capital(label),
        drawing,
        data,
        _words(metric, bands),
        note=note,
        height=height,
        legend=[*charts.arm_keys(results.arms, shown), *charts.rule_keys(rules, marked)],
    )


def _is_log(metric: Metric, bands: list[Band]) -> bool:
    return _positive(bands) and (_is_setting(metric) or (metric.form in _LOGARITHMIC and _spans_orders(bands)))


def _first_sight(metric: Metric, bands: list[Band], marks: Sequence[Record]) -> tuple[float, float] | None:
    """The part of a metric's axis that is shown first, or None for all of it."""
    if _is_setting(metric):
        return None
    return first_sight(bands, metric.direction, [float(mark["value"]) for mark in marks], log=_is_log(metric, bands))


def _words(metric: Metric, bands: list[Band]) -> str:
    """What a chart shows, for those who cannot see it: where each curve ends, and its best mean."""
    if _is_setting(metric):
        return f"{capital(metric.label)} over epochs for {listed(b.arm for b in bands)}."
    ends = (f"{b.arm} ends at {quantity(metric.name, float(b.mean[-1]))}" for b in bands[:MAX_DESCRIBED])
    more = f" and {len(bands) - MAX_DESCRIBED} more arms" if len(bands) > MAX_DESCRIBED else ""
    return f"{capital(metric.label)} over {int(max(b.epoch[-1] for b in bands)):,} epochs: {', '.join(ends)}{more}."


def _tails(results: Results, metric: str, bands: list[Band], wanted: list[int]) -> list[Record]:
    """Runs that went on after the first of their arm had stopped, where the mean ends: one line each."""
    ends = {b.arm: int(b.epoch[-1]) for b in bands}
    tails: list[Record] = []
    for run in results.runs:
        curve = run.curves.get(metric)
        end = ends.get(run.arm)
        if run.state != "done" or curve is None or end is None or len(curve) <= end:
            continue
        key = f"a{results.arms.index(run.arm)}"
        for epoch in drawn_epochs(len(curve), [end, *(epoch for epoch in wanted if epoch <= len(curve))]):
            if epoch >= end and np.isfinite(curve[epoch - 1]):
                value = _short(float(curve[epoch - 1]))
                tails.append(
                    {"arm": run.arm, "key": key, "replicate": run.replicate, "epoch": int(epoch), "value": value}
                )
    return tails


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


def first_sight(
    bands: list[Band], direction: int, marked: list[float], *, log: bool = False
) -> tuple[float, float] | None:
    """The part of an axis worth seeing first, or None for all of it. Distances on a logarithmic axis are ratios.

    Training starts far off and then hardly moves: the bad end is cut at `REACH` times the distance between the best
    value and all but the worst twentieth of the epochs. Every selected epoch stays in sight.
    """
    low = np.concatenate([b.low[np.isfinite(b.low)] for b in bands])
    high = np.concatenate([b.high[np.isfinite(b.high)] for b in bands])
    if log:
        low, high, marked = np.log(low), np.log(high), [math.log(value) for value in marked]
    begin, end = float(low.min()), float(high.max())
    if direction > 0:
        first, last = min([end - REACH * (end - float(np.quantile(low, 0.05))), *marked]), end
    else:
        first, last = begin, max([begin + REACH * (float(np.quantile(high, 0.95)) - begin), *marked])
    if begin >= first and last >= end:
        return None
    return (math.exp(first), math.exp(last)) if log else (first, last)


def rows_of(results: Results, found: Band, keep: npt.NDArray[np.int64]) -> list[Record]:
    """A band at the epochs `keep`: arm, key, epoch, mean, lo, hi."""
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


def bands_of(results: Results, metric: Metric) -> list[Band]:
    """The bands of the arms that have a curve of the metric; none of a setting that never changes or never differs."""
    found = [band(results, arm, metric.name) for arm in results.arms]
    bands = [b for b in found if b is not None and np.isfinite(b.mean).any()]
    if _is_setting(metric) and (_is_constant(bands) or _is_shared(bands)):
        return []  # the table of recipes says all of it
    return bands


def _is_constant(bands: list[Band]) -> bool:
    return all(np.ptp(b.mean[np.isfinite(b.mean)]) == 0 for b in bands)


def _is_shared(bands: list[Band]) -> bool:
    """Whether several arms have the same curve."""
    return len(bands) > 1 and all(np.array_equal(b.mean, bands[0].mean) for b in bands)


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


def _lead(found: Iterable[list[Band]], *, cut: bool) -> list[str]:
    last = max(int(b.epoch[-1]) for bands in found for b in bands)
    words = (
        "Line: mean over replicates. Band: lowest to highest replicate. Marks: selected epochs, one per replicate; "
        "ties go to the earliest."
    )
    if last > POINTS:
        words += f" About {POINTS} of {last:,} epochs are drawn."
    if cut:
        words += " At first, the axes leave out the first epochs."
    return [words]
