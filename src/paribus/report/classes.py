"""Which classes are confused: confusion matrices, the most confused pairs, and scores by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from paribus.analysis.class_scores import ClassScore, Score, class_scores
from paribus.analysis.confusion import ConfusedPair, Confusion, most_confused
from paribus.analysis.estimates import LEVEL_TEXT
from paribus.analysis.results import Results
from paribus.analysis.wording import plural
from paribus.report import charts, class_charts
from paribus.report.blocks import Block, Cell, Chart, Record, Section, SideBySide
from paribus.report.tabulate import NONE, Column, arm, estimated, shown, table, text

HEAT_MAP_CLASSES: Final = 20
"""Of more classes only the most confused pairs are shown."""
PAIRS_SHOWN: Final = 5
PAIRS_OF_MANY: Final = 15
ARMS_DRAWN: Final = 6
"""Arms whose scores stand beside each other in one chart."""
SPLITS: Final = {"test": "test", "validation": "validation", "train": "training"}
_SCORES: Final[tuple[Score, ...]] = ("recall", "precision", "F1")


def section(results: Results, matrices: Sequence[Confusion]) -> Section | None:
    """Confusion matrices and scores of the arms that have as many classes as the first of them."""
    alike = [one for one in matrices if one.classes == matrices[0].classes and one.split == matrices[0].split]
    if not alike:
        return None
    ordered = control_first(results, alike)
    few = len(ordered[0].classes) <= HEAT_MAP_CLASSES
    scores = {one.arm: class_scores(one) for one in alike}
    blocks: list[Block] = [_score_chart(results, alike, scores, ordered[0])]
    if few:
        blocks.insert(0, _matrix(results, ordered))
    pairs = most_confused(alike, PAIRS_SHOWN if few else PAIRS_OF_MANY)
    split = SPLITS[ordered[0].split]
    examples, replicates = ordered[0].counts.sum(axis=(1, 2)), len(ordered[0].counts)
    of = f"{_range(examples)} {split} examples in each of {plural(replicates, 'replicate')}"
    body: list[Block] = [SideBySide(tuple(blocks))]
    if pairs:
        body.append(_pairs(alike, pairs))
    body.append(_table(results, alike, scores))
    return Section("classes", "Results by class", tuple(body), lead=(f"{of}, each arm at its deploy rule.",))


def control_first(results: Results, matrices: Sequence[Confusion]) -> list[Confusion]:
    """The control's matrix before the others, which keep the study's order."""
    return sorted(matrices, key=lambda one: one.arm != results.study.control)


def arms_by_key(results: Results, arms: Sequence[str]) -> dict[str, str]:
    """The names of arms by the keys that charts know them by."""
    return {f"a{results.arms.index(name)}": name for name in arms}


def _matrix(results: Results, matrices: Sequence[Confusion]) -> Chart:
    names = matrices[0].classes
    rows = [row for one in matrices for row in _cells(results, one)]
    arms = arms_by_key(results, [one.arm for one in matrices])
    note = "Per cent of the true class, the mean over replicates."
    return charts.figure(
        "confusion",
        "Confusion matrix",
        class_charts.confusion(names, arms),
        {"confusion": rows},
        f"Confusion matrix. {_worst(matrices[0])}",
        note=note,
        height=class_charts.cell_height(len(names)) * len(names),
        legend=charts.arm_keys(results.arms, list(arms.values())) if len(arms) > 1 else (),
        one_at_a_time=True,
        hint="Click an arm's name to show its matrix." if len(arms) > 1 else "",
    )


def _cells(results: Results, matrix: Confusion) -> list[Record]:
    shares, counts, key = matrix.shares, matrix.mean_counts, f"a{results.arms.index(matrix.arm)}"
    return [
        {
            "arm": matrix.arm,
            "key": key,
            "true": true,
            "predicted": predicted,
            "share": float(shares[t, p]) if np.isfinite(shares[t, p]) else None,
            "count": float(counts[t, p]),
            "label": _per_cent(float(shares[t, p])),
        }
        for t, true in enumerate(matrix.classes)
        for p, predicted in enumerate(matrix.classes)
    ]


def _per_cent(share: float) -> str:
    """Per cent as a cell shows them: two digits, and nothing for what rounds to 0."""
    if not np.isfinite(share) or share < 0.0005:
        return ""
    return f"{100 * share:.0f}" if share >= 0.0995 else f"{100 * share:.1f}"


def _worst(matrix: Confusion) -> str:
    found = most_confused([matrix], 1)
    if not found:
        return "No example is misclassified."
    pair = found[0][0]
    return f"Most often confused by {matrix.arm}: {pair.true}, predicted as {pair.predicted}."


def _score_chart(
    results: Results, matrices: Sequence[Confusion], scores: dict[str, tuple[ClassScore, ...]], first: Confusion
) -> Chart:
    drawn = [one.arm for one in control_first(results, matrices)[:ARMS_DRAWN]]
    drawn.sort(key=results.arms.index)
    names = _lowest(scores[first.arm], first.classes)
    recalls = [s for name in drawn for s in scores[name] if s.score == "recall" and s.name in names]
    rows, each = list[Record](), list[Record]()
    indices = {one.arm: one.replicates for one in matrices}
    for score in recalls:
        place: dict[str, Any] = {
            "arm": score.arm,
            "key": f"a{results.arms.index(score.arm)}",
            "class": score.name,
        }
        if score.estimate.mean is None or score.sampling is None:
            continue
        ends = {"low": score.sampling.low, "high": score.sampling.high}
        rows.append({**place, "mean": score.estimate.mean, **ends, "examples": score.examples})
        each += [
            {**place, "replicate": replicate, "value": value}
            for replicate, value in zip(indices[score.arm], score.estimate.values, strict=True)
            if value is not None
        ]
    split = SPLITS[first.split]
    note = (
        f"Stroke: mean. Circles: replicates (other networks, the same {split} examples). Line: {LEVEL_TEXT} Wilson "
        f"interval at the mean (the same networks, other {split} examples)."
    )
    if len(names) < len(first.classes):
        note += f" Only the {len(names)} classes of the lowest recall are drawn."
    if len(drawn) < len(matrices):
        note += f" {len(drawn)} of {len(matrices)} arms are drawn; the table below has all."
    return charts.figure(
        "recall",
        "Recall by class",
        class_charts.class_scores(results.arms, drawn, names, x="share of the class that is predicted right"),
        {"scores": rows, "replicates": each},
        f"Recall of {len(names)} classes by {plural(len(drawn), 'arm')}. {_lowest_words(rows)}",
        note=note,
        height=class_charts.score_height(len(names), len(drawn)),
        legend=charts.arm_keys(results.arms, drawn),
    )


def _lowest(scores: Sequence[ClassScore], classes: Sequence[str]) -> list[str]:
    """The classes to draw: all of few, else those of the lowest recall, in the order of the classes."""
    if len(classes) <= HEAT_MAP_CLASSES:
        return list(classes)
    recalls = [s for s in scores if s.score == "recall" and s.estimate.mean is not None]
    lowest = {s.name for s in sorted(recalls, key=lambda s: s.estimate.mean or 0.0)[:HEAT_MAP_CLASSES]}
    return [name for name in classes if name in lowest]


def _lowest_words(rows: Sequence[Record]) -> str:
    if not rows:
        return "No class has examples."
    low = min(rows, key=lambda row: row["mean"])
    return f"Lowest: {low['class']} with {low['arm']}, {shown('share', low['mean'])}."


def _pairs(matrices: Sequence[Confusion], found: Sequence[Sequence[ConfusedPair]]) -> Block:
    records: list[Record] = []
    for pairs in found:
        record: dict[str, Any] = {"true": pairs[0].true, "predicted": pairs[0].predicted}
        for pair in pairs:
            record |= estimated(f"{pair.arm} count", pair.count) | estimated(f"{pair.arm} share", pair.share)
        records.append(record)

    def cell(name: str) -> Column:
        def show(record: Record) -> Cell:
            mean, sd, n = (record[f"{name} count_{key}"] for key in ("mean", "sd", "n"))
            if not n:
                return Cell(NONE)
            digits = 0 if mean >= 10 else 1
            return Cell(f"{mean:,.{digits}f}{_spread(sd, digits)}", faint=f"{100 * record[f'{name} share_mean']:.1f} %")

        return Column(name, show, numeric=True)

    columns = [text("true class", "true"), text("predicted as", "predicted"), *(cell(one.arm) for one in matrices)]
    note = "Examples per replicate (mean ± standard deviation over replicates), and their share of the true class."
    return table("confused-pairs", "Most confused pairs", columns, records, note=note, fold=True)


def _table(results: Results, matrices: Sequence[Confusion], scores: dict[str, tuple[ClassScore, ...]]) -> Block:
    records: list[Record] = []
    for name in matrices[0].classes:
        for one in matrices:
            record: dict[str, Any] = {"class": name, "arm": one.arm}
            for score in scores[one.arm]:
                if score.name == name:
                    record |= estimated(score.score, score.estimate) | {
                        f"{score.score}_low": score.sampling.low if score.sampling else None,
                        f"{score.score}_high": score.sampling.high if score.sampling else None,
                        f"{score.score}_examples": score.examples,
                    }
            records.append(record)

    def cell(score: Score) -> Column:
        def show(record: Record) -> Cell:
            mean, sd, low = record[f"{score}_mean"], record[f"{score}_sd"], record[f"{score}_low"]
            if mean is None:
                return Cell(NONE)
            between = "" if low is None else f"{100 * low:.1f} to {100 * record[f'{score}_high']:.1f}"
            return Cell(f"{100 * mean:.1f}{_spread(sd and 100 * sd, 1)}", faint=between)

        return Column(f"{score} (%)", show, numeric=True)

    columns = [
        text("class", "class"),
        arm(results.arms),
        Column("examples", lambda r: Cell(shown("count", r["recall_examples"])), numeric=True),
        *(cell(score) for score in _SCORES),
    ]
    note = (
        f"Mean ± standard deviation over replicates, then the {LEVEL_TEXT} Wilson interval for the sampling error of "
        "the examples (of F1: of the share TP / (TP + FP + FN), transformed)."
    )
    return table("class-scores", "Recall, precision and F1 by class", columns, records, note=note, fold=True)


def _spread(sd: float | None, digits: int) -> str:
    """A standard deviation behind its mean; nothing of one replicate, or of equal values."""
    if not sd:
        return ""
    least = 10.0**-digits
    return f" ± <{least:.{digits}f}" if sd < least / 2 else f" ± {sd:,.{digits}f}"


def _range(counts: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
