"""Which class a network gives to each point of a plane: decision regions of data with two features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from paribus.analysis.outputs import Doubles, Ints
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.spec.inspection import SplitName

LEVELS: Final = (0.6, 0.8, 0.95)
"""Confidence is told in four levels: up to 0.6, to 0.8, to 0.95, and above."""


@dataclass(frozen=True)
class Stretch:
    """A part of a grid row in which class and level of confidence stay the same, in units of the features."""

    left: float
    right: float
    low: float
    high: float
    name: str
    level: int


@dataclass(frozen=True, eq=False)
class Point:
    """An example on the plane: its features, its class, and the class that the network puts it into."""

    row: int
    across: float
    up: float
    name: str
    predicted: str


@dataclass(frozen=True, eq=False)
class Regions:
    """The plane of two features as the first finished replicate of an arm divides it, at the arm's deploy rule.

    `split` says where the points come from: the validation split, or the training split where there is no other.
    """

    arm: str
    rule: str
    replicate: int
    features: tuple[str, str]
    classes: tuple[str, ...]
    split: SplitName
    stretches: tuple[Stretch, ...]
    points: tuple[Point, ...]


def regions(results: Results, arm: str) -> Regions | None:
    """The regions of an arm; None where its data have another number of features, or nothing was recorded."""
    rule = results.deploy(arm)
    for run in results.finished(arm):
        grid = run.artifact(rule, "regions")
        if grid is None:
            continue
        names = run.dataset.feature_names
        split, points = _points(run, rule)
        return Regions(
            arm=arm,
            rule=rule,
            replicate=run.replicate,
            features=(names[0], names[1]) if len(names) == 2 else ("feature 1", "feature 2"),
            classes=run.dataset.classes,
            split=split,
            stretches=tuple(
                _stretches(
                    np.asarray(grid["x"], np.float64),
                    np.asarray(grid["y"], np.float64),
                    np.asarray(grid["predicted"], np.int64),
                    np.asarray(grid["confidence"], np.float64),
                    run.dataset.classes,
                )
            ),
            points=points,
        )
    return None


def _points(run: Run, rule: str) -> tuple[SplitName, tuple[Point, ...]]:
    """The recorded points, each with the class that the snapshot puts it into."""
    names = run.dataset.classes
    for split in ("validation", "train"):
        found = run.artifact("", f"points/{split}")
        if found is None:
            continue
        predicted = run.artifact(rule, f"predicted/{split}")
        labels: list[int] = found["labels"].tolist()
        given: list[int] = labels if predicted is None else predicted["predicted"].tolist()
        rows: list[int] = found["rows"].tolist()
        values: list[list[float]] = found["values"].tolist()
        columns = zip(rows, values, labels, given, strict=True)
        return split, tuple(Point(row, v[0], v[1], names[true], names[guess]) for row, v, true, guess in columns)
    return "validation", ()


def _stretches(
    x: Doubles, y: Doubles, predicted: Ints, confidence: Doubles, names: tuple[str, ...]
) -> Iterator[Stretch]:
    """Runs of equal class and level along each row of the grid. `x` and `y` are the middles of its cells; `predicted`
    and `confidence` are (y, x). A row 0 0 1 1 1 becomes two stretches, one of 2 cells and one of 3."""
    levels: npt.NDArray[np.int64] = np.digitize(confidence, LEVELS)
    across, up = _edges(x), _edges(y)
    for j in range(len(y)):
        change = (np.diff(predicted[j]) != 0) | (np.diff(levels[j]) != 0)
        starts = np.concatenate([[0], np.flatnonzero(change) + 1])
        ends = np.concatenate([starts[1:], [len(x)]])
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            yield Stretch(
                left=float(across[start]),
                right=float(across[end]),
                low=float(up[j]),
                high=float(up[j + 1]),
                name=names[int(predicted[j, start])],
                level=int(levels[j, start]),
            )


def _edges(middles: Doubles) -> Doubles:
    """The ends of evenly spaced cells with these middles."""
    half = (middles[1] - middles[0]) / 2
    return np.concatenate([middles - half, [middles[-1] + half]])
