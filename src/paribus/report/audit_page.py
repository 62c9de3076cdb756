"""A page for an audit: the suspects as images or rows, what each cut of the list gives, classes, and equal examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from paribus import __version__
from paribus.analysis.wording import plural
from paribus.auditing.result import SUSPECTED_FROM, AuditResult, DuplicatePair, Suspect
from paribus.auditing.sentences import largest_transitions, opening, pair_sentence
from paribus.report.blocks import Block, Cell, Gallery, Picture, Prose, Record, Section, Table
from paribus.report.images import image, is_image, shown_size
from paribus.report.page import Page
from paribus.report.tabulate import Column, plain, table, text, value

IMAGES_SHOWN: Final = 200
ROWS_SHOWN: Final = 500
ROWS_OPEN: Final = 25
"""Suspects that a page shows as rows without being asked; the others are folded."""
FEATURES_SHOWN: Final = 8
FEATURES_NAMED: Final = 50
"""Features up to which the values of a row are shown; embeddings have more, and are shown by their neighbours."""
PAIRS_SHOWN: Final = 60
TRANSITIONS_SHOWN: Final = 20


@dataclass(frozen=True, eq=False)
class ShownExamples:
    """The features (feature,) of the examples that a page shows, by row, with their `shape`; columns have `names`."""

    shape: tuple[int, ...]
    names: tuple[str, ...]
    values: Mapping[int, npt.NDArray[np.float32]]


def rows_shown(result: AuditResult) -> tuple[int, ...]:
    """The rows whose features `audit_page` shows."""
    listed = [*result.suspects[:ROWS_SHOWN], *result.next_ranked]
    rows = [row for one in listed for row in (one.row, *one.neighbours)]
    pairs = [row for pair in result.duplicates[:PAIRS_SHOWN] for row in (pair.first, pair.second)]
    return tuple(dict.fromkeys([*rows, *pairs]))


def audit_page(result: AuditResult, examples: ShownExamples) -> Page:
    """What the page says, without mark-up."""
    sections = (
        _suspects(result, examples),
        Section("cuts", "Where to cut the list", (_cuts(result),), lead=(_CUTS,)),
        Section("classes", "Classes", (_classes(result),)),
        *_errors(result),
        _pairs(result, examples),
        Section("method", "How the audit works", (Prose(_method(result)),)),
    )
    return Page(
        name=result.study,
        file_name=result.study,
        title=f"Labels of {result.source.removeprefix('python:')}",
        question="Which labels are wrong, and how sure is that?",
        answer=opening(result),
        state=f"{result.examples:,} examples, {plural(len(result.classes), 'class')}".replace("classs", "classes"),
        identity=result.study_id,
        version=__version__,
        sections=sections,
        charts=(),
        outcomes=(),
        arms=0,
        table=tuple(result.records()),
        kind="Audit",
    )


_CUTS: Final = (
    "A label is listed if its probability of being wrong is at least the cut. How many of the listed labels are then "
    "wrong is the mean of their probabilities; how many of all wrong labels are listed is what the flips say that the "
    "audit planted itself."
)


def _suspects(result: AuditResult, examples: ShownExamples) -> Section:
    likely, rest = result.suspects, result.next_ranked
    lead = (
        "Each is shown with its label, the most probable other class, the probability that the label is wrong, and its "
        f"row in the data, from 0; the most suspicious first. Those below a probability of "
        f"{100 * SUSPECTED_FROM:.0f} % are no suspects: they only follow in the ranking."
    )
    of_rows = (
        "'Held out' is the probability of the label by networks that have not seen the example. The nearest examples "
        "are given by their labels and rows."
    )
    blocks: list[Block] = []
    for title, found in ((f"Suspects ({len(likely):,})", likely), ("Next in the ranking, not suspect", rest)):
        if found and is_image(examples.shape):
            shown = found[: IMAGES_SHOWN if found is likely else 40]
            blocks.append(_gallery(_first(title, shown, found), shown, examples))
    name_of = {int(row): result.classes[label] for row, label in zip(result.rows, result.labels, strict=True)}
    shown = likely[:ROWS_SHOWN]
    open_rows = 0 if is_image(examples.shape) else ROWS_OPEN
    parts = (
        ("suspects", _first("Suspects", shown[:open_rows], likely), shown[:open_rows], False),
        ("more-suspects", f"Suspects from rank {open_rows + 1}", shown[open_rows:], True),
        ("next", "Next in the ranking", rest, True),
    )
    for name, title, found, fold in parts:
        if found:
            blocks.append(_rows(name, title, found, examples, name_of, fold=fold))
    if not blocks:
        blocks.append(Prose(("No example has been held out and scored.",)))
    return Section("suspects", "Suspects", tuple(blocks), lead=(f"{lead} {of_rows}",))


def _first(title: str, shown: Sequence[Any], found: Sequence[Any]) -> str:
    return title if len(shown) == len(found) else f"{title}: the first {len(shown)}"


def _gallery(title: str, found: Sequence[Suspect], examples: ShownExamples) -> Gallery:
    width, height = shown_size(examples.shape)
    pictures = tuple(
        Picture(
            uri=image(examples.values[one.row], examples.shape),
            alt=f"Row {one.row}: labelled {one.given}, proposed {one.proposed}",
            caption=f"{one.given} → {one.proposed}",
            faint=f"{_per_cent(one.probability)} · row\u00a0{one.row}",
        )
        for one in found
        if one.row in examples.values
    )
    return Gallery(title, pictures, width, height)


def _rows(
    name: str,
    title: str,
    found: Sequence[Suspect],
    examples: ShownExamples,
    name_of: Mapping[int, str],
    *,
    fold: bool,
) -> Table:
    known = examples.names if 0 < len(examples.names) <= FEATURES_NAMED else ()
    records: list[Record] = []
    near = {one.row: [name_of[row] for row in one.neighbours] for one in found}
    for one in found:
        record: dict[str, Any] = {
            "rank": one.rank,
            "row": one.row,
            "label": one.given,
            "proposed": one.proposed,
            "probability_wrong": one.probability,
            "p_label": one.p_given,
            "p_proposed": one.p_proposed,
            "margin": one.margin,
            "neighbours": " ".join(map(str, one.neighbours)),
            "neighbour_labels": ", ".join(near[one.row]),
        }
        if known and one.row in examples.values:
            record |= dict(zip(known, map(float, examples.values[one.row]), strict=False))
        records.append(record)

    def nearest(record: Record) -> Cell:
        return Cell(_nearest(near[record["row"]]), faint=record["neighbours"].replace(" ", "\u00a0"))

    columns = [
        value("rank", "rank", "count"),
        value("row", "row", "count"),
        text("label", "label"),
        text("proposed", "proposed"),
        Column("wrong", lambda record: Cell(_per_cent(record["probability_wrong"])), numeric=True),
        Column("held out", lambda record: Cell(_per_cent(record["p_label"])), numeric=True),
        value("margin", "margin", "ratio"),
        Column("nearest", nearest),
        *(_feature(feature) for feature in known[:FEATURES_SHOWN]),
    ]
    return table(name, title, columns, records, fold=fold)


def _nearest(labels: Sequence[str]) -> str:
    """The labels of the nearest examples, each once with its number, the most frequent first."""
    counts = Counter(labels).most_common()
    return ", ".join(name if number == 1 else f"{number}\u00a0×\u00a0{name}" for name, number in counts)


def _feature(name: str) -> Column:
    return Column(name, lambda record: Cell(plain(record.get(name))), numeric=True)


def _cuts(result: AuditResult) -> Table:
    records: list[Record] = [
        {
            "at_least": cut.at_least,
            "labels": cut.suspects,
            "precision": cut.precision,
            "recall": cut.recall,
            "recall_low": None if cut.recall_interval is None else cut.recall_interval.low,
            "recall_high": None if cut.recall_interval is None else cut.recall_interval.high,
            "false_alarm_rate": cut.false_alarms,
        }
        for cut in result.cuts
    ]

    def recall(record: Record) -> Cell:
        low, high = record["recall_low"], record["recall_high"]
        faint = "" if low is None else f"{100 * low:.0f} to {100 * high:.0f}"
        return Cell(_per_cent(record["recall"]), faint=faint)

    columns = [
        Column("at least", lambda record: Cell(_per_cent(record["at_least"])), numeric=True),
        value("labels", "labels", "count"),
        Column("of these wrong", lambda record: Cell(_per_cent(record["precision"])), numeric=True),
        Column("of all wrong", recall, numeric=True),
        value("of all right", "false_alarm_rate", "share"),
    ]
    return table("cuts", "Cuts", columns, records)


def _classes(result: AuditResult) -> Table:
    records: list[Record] = [
        {
            "class": one.name,
            "examples": one.examples,
            "suspects": one.suspects,
            "expected_wrong": one.expected_wrong,
            "lost": one.lost,
            "lost_low": None if one.lost_interval is None else one.lost_interval.low,
            "lost_high": None if one.lost_interval is None else one.lost_interval.high,
            "accuracy": one.accuracy,
            "often_proposed": one.often_proposed,
        }
        for one in sorted(result.by_class, key=lambda one: -one.expected_wrong)
    ]

    def lost(record: Record) -> Cell:
        if record["lost"] is None:
            return Cell(plain(None))
        return Cell(
            _per_cent(record["lost"]), faint=f"{100 * record['lost_low']:.1f} to {100 * record['lost_high']:.1f}"
        )

    columns = [
        text("class", "class"),
        value("examples", "examples", "count"),
        value("suspects", "suspects", "count"),
        Column("expected wrong", lambda record: Cell(f"{record['expected_wrong']:,.1f}"), numeric=True),
        Column("labelled otherwise", lost, numeric=True),
        value("held-out accuracy", "accuracy", "share"),
        text("often proposed", "often_proposed"),
    ]
    note = (
        "'Labelled otherwise' is the share of the class that has another label, counted among the examples that the "
        "networks are surest of; ambiguous ones count, too. 'Held-out accuracy' is the share of a label's examples "
        "that the networks put into that class."
    )
    return table("classes", "Classes", columns, records, note=note, fold=len(records) > 40)


def _errors(result: AuditResult) -> tuple[Section, ...]:
    found = largest_transitions(result.noise, TRANSITIONS_SHOWN)
    if not found:
        return ()
    records: list[Record] = [
        {
            "class": result.classes[true],
            "label": result.classes[given],
            "share": share,
            "low": low,
            "high": high,
            "examples": int(result.noise.counts[true, given]),
            "of": int(result.noise.counts[true].sum()),
        }
        for true, given, share, low, high in found
    ]

    def share(record: Record) -> Cell:
        return Cell(_per_cent(record["share"]), faint=f"{100 * record['low']:.1f} to {100 * record['high']:.1f}")

    columns = [
        text("class", "class"),
        text("has the label", "label"),
        Column("share", share, numeric=True),
        Column("counted", lambda record: Cell(f"{record['examples']:,} of {record['of']:,}"), numeric=True),
    ]
    lead = "Among the examples that the networks are surest of: which other label a class has, the most frequent first."
    return (Section("errors", "Which classes are confused", (table("errors", "", columns, records),), lead=(lead,)),)


def _pairs(result: AuditResult, examples: ShownExamples) -> Section:
    shown = result.duplicates[:PAIRS_SHOWN]
    blocks: list[Block] = []
    if shown and is_image(examples.shape):
        width, height = shown_size(examples.shape)
        pictures = tuple(picture for pair in shown for picture in _both(pair, examples))
        blocks.append(Gallery(_first("Pairs", shown, result.duplicates), pictures, width, height))
    if result.duplicates:
        records: list[Record] = [
            {
                "first_row": pair.first,
                "first_label": pair.first_label,
                "second_row": pair.second,
                "second_label": pair.second_label,
                "distance": pair.distance,
            }
            for pair in result.duplicates
        ]
        columns = [
            value("row", "first_row", "count"),
            text("label", "first_label"),
            value("row", "second_row", "count"),
            text("label", "second_label"),
            Column("distance", lambda record: Cell(f"{record['distance']:.3g}"), numeric=True),
        ]
        blocks.append(table("pairs", "Pairs", columns, records, fold=bool(blocks)))
    return Section("pairs", "Equal examples with different labels", tuple(blocks), lead=pair_sentence(result))


def _both(pair: DuplicatePair, examples: ShownExamples) -> list[Picture]:
    sides = ((pair.first, pair.first_label), (pair.second, pair.second_label))
    return [
        Picture(
            uri=image(examples.values[row], examples.shape),
            alt=f"Row {row}: labelled {label}",
            caption=label,
            faint=f"row\u00a0{row}",
        )
        for row, label in sides
        if row in examples.values
    ]


def _method(result: AuditResult) -> tuple[str, ...]:
    planted = f"{100 * result.planted_share:g} %"
    scores = (
        "Networks are trained on all folds but one, and give the examples of that fold probabilities. From them, and "
        "from which errors between classes are frequent, follow the held-out odds that a label is wrong. Its training "
        "margin is its output less the largest other one, averaged over the epochs of all runs that trained on it: "
        "wrong labels are learned late. The suspicion is the mean of both, each as the normal score of its rank."
    )
    flips = (
        f"In {plural(result.planted_arms, 'further arm')}, {planted} of all labels are flipped first, other ones in "
        "each arm. From them the audit knows how suspicious wrong labels are. The probability that a label is wrong is "
        "the estimated share of wrong labels times the density of wrong labels at its suspicion over that of all "
        "labels; flips count as often as the estimated errors between the same two classes."
    )
    rate = (
        "The share of wrong labels is estimated twice. One estimate counts wrong labels among the examples that "
        "held-out networks are surest of, a tenth of those put into each class. The other counts how many labels are "
        "as suspicious as the more suspicious part of the flips, seven tenths or more of them, and divides by this "
        "part. Ambiguous examples make both too high: where the second is above the interval of the first, the first "
        "is used."
    )
    limits = (
        "Errors that are more frequent among ambiguous examples are counted too low. An example that is ambiguous by "
        "nature is no error, and this audit cannot tell which of two names is meant."
    )
    return scores, flips, rate, limits


def _per_cent(share: float | None) -> str:
    if share is None or not np.isfinite(share):
        return plain(None)
    return f"{100 * share:.0f}\u00a0%"
