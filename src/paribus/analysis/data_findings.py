"""What a person should know about a study's data before its results, with the counts that each sentence rests on.

Everything comes from the facts that are recorded with each run (`Dataset.inspection`); the limits are those of
`paribus.analysis.thresholds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from paribus.analysis.thresholds import IMBALANCE_RATIO, LARGE_INPUT, SCALE_RATIO
from paribus.analysis.wording import listed, number, plural
from paribus.spec.dataset import Dataset
from paribus.spec.inspection import EqualRows, Inspection, SplitName

DataFindingKind = Literal[
    "shared-examples", "missing-class", "conflicting-labels", "class-imbalance", "different-scales", "large-inputs",
    "zeros-and-ones", "constant-columns", "missing-values",
]  # fmt: skip
DATA_KINDS: tuple[DataFindingKind, ...] = get_args(DataFindingKind)
_NAMED = 4
"""A sentence names at most this many columns, classes or rows, and counts the others."""


@dataclass(frozen=True)
class _Facts:
    dataset: Dataset
    inspection: Inspection


@dataclass(frozen=True)
class DataFinding:
    """One kind of finding about the data of some arms: the replicates that show it, of `of`."""

    kind: DataFindingKind
    arms: tuple[str, ...]
    replicates: tuple[int, ...]
    of: int
    sentence: str


def data_kinds(dataset: Dataset) -> tuple[DataFindingKind, ...]:
    """The kinds of findings about one run's data, the gravest first."""
    if dataset.inspection is None:
        return ()
    facts = _Facts(dataset, dataset.inspection)
    return tuple(kind for kind in DATA_KINDS if _SENTENCES[kind]([facts]) is not None)


def data_findings(by_arm: Mapping[str, Mapping[int, Dataset]]) -> tuple[DataFinding, ...]:
    """The findings about a study's data, the gravest kinds first; `by_arm` has the facts of each arm's data by
    replicate.

    Arms with the same finding are named in one sentence.
    """
    found: list[DataFinding] = []
    for kind in DATA_KINDS:
        arms: dict[tuple[str, tuple[int, ...], int], list[str]] = {}
        for arm, datasets in by_arm.items():
            facts = {r: _Facts(d, d.inspection) for r, d in datasets.items() if d.inspection is not None}
            shown = {replicate: own for replicate, own in facts.items() if _SENTENCES[kind]([own]) is not None}
            sentence = _SENTENCES[kind](list(shown.values())) if shown else None
            if sentence is not None:
                arms.setdefault((sentence, tuple(shown), len(datasets)), []).append(arm)
        for (sentence, replicates, of), names in arms.items():
            subject = "data" if len(names) == len(by_arm) else f"data of {listed(names)}"
            some = "" if len(replicates) == of else f" ({len(replicates)} of {of} replicates)"
            found.append(DataFinding(kind, tuple(names), replicates, of, f"{subject}: {sentence}{some}."))
    return tuple(found)


def _shared(facts: Sequence[_Facts]) -> str | None:
    """Examples with equal features in two splits."""
    parts: list[str] = []
    pairs: tuple[tuple[SplitName, SplitName], ...] = (
        ("train", "test"), ("validation", "test"), ("train", "validation"),
    )  # fmt: skip
    for first, second in pairs:
        overlaps = [o for f in facts for o in f.inspection.overlaps if (o.first, o.second) == (first, second)]
        if overlaps:
            counts = _range(overlap.examples for overlap in overlaps)
            of = _range(getattr(f.dataset, second) for f in facts)
            rows = _rows(overlaps[0].shown[:1])
            parts.append(f"{counts} of {of} {_of(second)} examples have the features of a {_of(first)} example{rows}")
    return "; ".join(parts) or None


def _of(split: SplitName) -> str:
    return "training" if split == "train" else split


def _rows(pairs: Sequence[EqualRows]) -> str:
    """` (such as rows 101 and 142)`; rows count from 0."""
    return "".join(f" (such as rows {pair.second_row} and {pair.first_row}, counted from 0)" for pair in pairs)


def _missing_class(facts: Sequence[_Facts]) -> str | None:
    parts: list[str] = []
    for split in ("train", "validation", "test"):
        absent = {
            facts_of.dataset.classes[place]: None
            for facts_of in facts
            for place, count in enumerate(getattr(facts_of.inspection, f"{split}_counts"))
            if not count
        }
        if absent:
            verb = "has" if len(absent) == 1 else "have"
            noun = "class" if len(absent) == 1 else "classes"
            parts.append(f"{noun} {_named(list(absent))} {verb} no {_of(split)} example")
    return "; ".join(parts) or None


def _conflicting(facts: Sequence[_Facts]) -> str | None:
    counts = [f.inspection.conflicting for f in facts if f.inspection.conflicting]
    if not counts:
        return None
    rows = _rows(next(f.inspection.conflicts[:1] for f in facts if f.inspection.conflicts))
    return f"{_range(counts)} examples have the features of an example with another label{rows}"


def _imbalance(facts: Sequence[_Facts]) -> str | None:
    counts = facts[0].inspection.train_counts
    present = [count for count in counts if count]
    if len(present) < 2 or max(present) < IMBALANCE_RATIO * min(present):
        return None
    classes, total = facts[0].dataset.classes, sum(counts)
    largest, smallest = (classes[counts.index(limit(present))] for limit in (max, min))
    return (
        f"classes are imbalanced: {largest} has {100 * max(present) / total:.0f} % of the training examples and "
        f"{smallest} has {100 * min(present) / total:.2g} %; accuracy alone says little"
    )


def _scales(facts: Sequence[_Facts]) -> str | None:
    one = facts[0].inspection
    if one.scale_ratio is None or one.scale_ratio < SCALE_RATIO:
        return None
    narrow, wide = (_column(facts[0].dataset, feature) for feature in (one.narrow, one.wide))
    return (
        f"columns have very different scales: the values of {wide} vary {number(round(one.scale_ratio))} times as much "
        f'as those of {narrow}; data.scale = "standardise" brings all to one scale'
    )


def _large(facts: Sequence[_Facts]) -> str | None:
    largest = max(facts, key=lambda f: f.inspection.largest_input or 0.0)
    value = largest.inspection.largest_input
    if value is None or value <= LARGE_INPUT:
        return None
    column = _column(largest.dataset, largest.inspection.largest_feature)
    reach = number(float(f"{value:.3g}"))
    return f"inputs reach {reach} in {column}: not scaled, an outlier, or a code for a missing value"


def _zeros_and_ones(facts: Sequence[_Facts]) -> str | None:
    if not facts[0].inspection.zeros_and_ones:
        return None
    return 'values are 0 and 1 only, and are divided by 255; data.scale = "none" uses them as they are'


def _constant(facts: Sequence[_Facts]) -> str | None:
    one = max(facts, key=lambda f: f.inspection.constant_features)
    count = one.inspection.constant_features
    if not count:
        return None
    names = [_column(one.dataset, feature) for feature in one.inspection.constant]
    verb = "has" if count == 1 else "have"
    return f"{plural(count, 'column')} {verb} one value in all training examples ({_named(names, count)})"


def _missing(facts: Sequence[_Facts]) -> str | None:
    one = facts[0].inspection
    if not one.missing_values:
        return None
    names = [f"{_column(facts[0].dataset, feature)} {count}" for feature, count in one.missing]
    values, columns = plural(one.missing_values, "value"), plural(one.missing_features, "feature")
    verb = "is" if one.missing_values == 1 else "are"
    return f"{values} {verb} missing in {columns} ({_named(names, one.missing_features)}), and filled in"


_SENTENCES: dict[DataFindingKind, Callable[[Sequence[_Facts]], str | None]] = {
    "shared-examples": _shared,
    "missing-class": _missing_class,
    "conflicting-labels": _conflicting,
    "class-imbalance": _imbalance,
    "different-scales": _scales,
    "large-inputs": _large,
    "zeros-and-ones": _zeros_and_ones,
    "constant-columns": _constant,
    "missing-values": _missing,
}
"""What is said of the replicates of one arm, all of which show it; None for one that does not."""


def _column(dataset: Dataset, feature: int) -> str:
    return dataset.feature_names[feature] if dataset.feature_names else f"feature {feature}"


def _named(names: Sequence[str], count: int | None = None) -> str:
    """`a and b`, and of many the first few: `a, b, c, d and 6 more`."""
    more = (len(names) if count is None else count) - _NAMED
    return listed([*names[:_NAMED], f"{more} more"] if more > 0 else names)


def _range(counts: Iterable[int]) -> str:
    """`3`, or `3 to 5` where replicates differ."""
    found = sorted(set(counts))
    return f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}"
