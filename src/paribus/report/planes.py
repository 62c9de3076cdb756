"""Decision regions of classifiers of two features."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.analysis.regions import LEVELS, Regions
from paribus.analysis.results import Results
from paribus.report import charts, plane_charts
from paribus.report.blocks import Chart, Section, SideBySide
from paribus.report.classes import SPLITS


def section(results: Results, found: Sequence[Regions]) -> Section | None:
    """One picture an arm: the plane around the training examples, and examples on it."""
    if not found:
        return None
    levels = ", ".join(f"{100 * level:g} %" for level in LEVELS)
    lead = (
        "The class that each arm predicts at each point, by its first replicate at its deploy rule. Colour is stronger "
        f"above a confidence of {levels}. Points are {SPLITS[found[0].split]} examples; a ring marks a wrong one."
    )
    pictures = tuple(_picture(results, one) for one in found)
    return Section("regions", "Decision regions", (SideBySide(pictures),), lead=(lead,))


def _picture(results: Results, one: Regions) -> Chart:
    stretches = [
        {"left": s.left, "right": s.right, "low": s.low, "high": s.high, "class": s.name, "level": s.level}
        for s in one.stretches
    ]
    points = [
        {
            "row": p.row,
            "x": p.across,
            "y": p.up,
            "class": p.name,
            "predicted": p.predicted,
            "wrong": p.name != p.predicted,
        }
        for p in one.points
    ]
    wrong = sum(bool(p["wrong"]) for p in points)
    return charts.figure(
        f"regions-{results.arms.index(one.arm)}",
        f"{one.arm}, replicate {one.replicate}",
        plane_charts.regions(one.classes, x=one.features[0], y=one.features[1]),
        {"stretches": stretches, "points": points},
        f"Decision regions of {one.arm}: {wrong} of {len(points)} points are on the wrong side.",
        height=plane_charts.HEIGHT + 30,
    )
