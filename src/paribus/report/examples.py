"""The held-out examples that an arm is most wrong about, and on which of them its replicates agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from paribus.analysis.hard_examples import Agreement, HardExample
from paribus.analysis.results import Results
from paribus.report.blocks import Block, Cell, Fold, Gallery, Picture, Record, Section, Table
from paribus.report.classes import SPLITS
from paribus.report.images import image, is_image, shown_size
from paribus.report.tabulate import Column, arm, plain, shown, table, text, value
from paribus.spec.inspection import SplitName

OPEN_SHOWN: Final = 12
"""Images of a kind for the control, which stand open."""
FOLDED_SHOWN: Final = 8
"""Images of a kind for the other arms, which are folded away."""
ROWS_SHOWN: Final = 12
FEATURES_SHOWN: Final = 6
"""Features that a table of examples shows; its CSV file has as many as `FEATURES_KEPT`."""
FEATURES_KEPT: Final = 50


@dataclass(frozen=True, eq=False)
class Hardest:
    """What is known of an arm's single examples; `agreement` is None where no example was held out twice."""

    arm: str
    split: SplitName
    agreement: Agreement | None
    examples: tuple[HardExample, ...]


def section(results: Results, found: Sequence[Hardest]) -> Section | None:
    """Counts by agreement, then the examples of the highest loss: images where they are images, else rows."""
    ordered = sorted(found, key=lambda one: one.arm != results.study.control)
    wrong = [one for one in ordered if one.examples]
    if not wrong:
        return None
    blocks: list[Block] = []
    agreed = [one.agreement for one in found if one.agreement is not None]
    if agreed:
        blocks.append(_agreement(results, agreed))
    for place, one in enumerate(wrong):
        own = _of_arm(results, one, OPEN_SHOWN if place == 0 else FOLDED_SHOWN)
        blocks += own if place == 0 else [Fold(f"{one.arm}: examples with the highest loss", tuple(own))]
    lead = (
        f"Misclassified {SPLITS[ordered[0].split]} examples with the highest log loss, the mean over replicates: the "
        "true and the predicted class, the mean probability of the predicted one, and the row in the data, from 0."
    )
    folded = "Examples with the highest loss, and on which of them the replicates agree"
    return Section("examples", "Hardest examples", tuple(blocks), lead=(lead,), folded=folded)


def _agreement(results: Results, found: Sequence[Agreement]) -> Table:
    records: list[Record] = [
        {
            "arm": one.arm,
            "rule": one.rule,
            "replicates": one.replicates,
            "examples": one.compared,
            "wrong_in_none": one.none,
            "wrong_in_some": one.some,
            "wrong_in_every": one.every,
        }
        for one in found
    ]

    def counted(title: str, key: str) -> Column:
        def show(record: Record) -> Cell:
            return Cell(f"{record[key]:,}", faint=shown("share", record[key] / record["examples"]))

        return Column(title, show, numeric=True)

    columns = [
        arm(results.arms),
        value("examples", "examples", "count"),
        counted("wrong in none", "wrong_in_none"),
        counted("in some", "wrong_in_some"),
        counted("in every one", "wrong_in_every"),
    ]
    note = (
        "Where every replicate is wrong, another start or order did not help: look at the label, the input or the "
        "network."
    )
    return table("agreement", "Agreement of the replicates", columns, records, note=note, fold=True)


def _of_arm(results: Results, one: Hardest, limit: int) -> list[Block]:
    dataset, place = results.dataset(one.arm), results.arms.index(one.arm)
    shape = () if dataset is None else dataset.shape
    every = [example for example in one.examples if example.in_every]
    some = [example for example in one.examples if not example.in_every]
    several = one.agreement is not None
    blocks: list[Block] = []
    if is_image(shape) and any(example.values is not None for example in one.examples):
        kinds = ((f"{one.arm}: wrong in every replicate", every), (f"{one.arm}: wrong in some replicates", some))
        if not several:
            kinds = ((f"{one.arm}: misclassified", [*one.examples]),)
        blocks += [_gallery(title, kind[:limit], shape) for title, kind in kinds if kind]
    names = () if dataset is None else dataset.feature_names
    blocks.append(_table(place, one, names, fold=bool(blocks)))
    return blocks


def _gallery(title: str, found: Sequence[HardExample], shape: tuple[int, ...]) -> Gallery:
    width, height = shown_size(shape)
    pictures = tuple(
        Picture(
            uri=image(one.values, shape),
            alt=f"Row {one.row}: {one.label}, predicted as {one.predicted}",
            caption=f"{one.label} → {one.predicted}",
            faint=_below(one),
        )
        for one in found
        if one.values is not None
    )
    return Gallery(title, pictures, width, height)


def _below(one: HardExample) -> str:
    """The probability of the predicted class, how many replicates are wrong where it is not all, and the row."""
    words = f"{100 * one.predicted_probability:.0f}\u00a0%"
    if not one.in_every:
        words += f" · {one.wrong}\u00a0of\u00a0{one.held_out} wrong"
    return f"{words} · row\u00a0{one.row}"


def _table(place: int, one: Hardest, names: tuple[str, ...], *, fold: bool) -> Table:
    known = len(names) if 0 < len(names) <= FEATURES_KEPT else 0
    records: list[Record] = []
    for example in one.examples:
        record: dict[str, Any] = {
            "row": example.row,
            "true": example.label,
            "predicted": example.predicted,
            "loss": example.loss,
            "own_probability": example.own_probability,
            "predicted_probability": example.predicted_probability,
            "wrong": example.wrong,
            "held_out": example.held_out,
        }
        if example.values is not None:
            record |= dict(zip(names[:known], example.values.tolist(), strict=False))
        records.append(record)
    columns = [
        value("row", "row", "count"),
        text("true class", "true"),
        text("predicted as", "predicted"),
        value("log loss", "loss", "ratio"),
        value("probability of the true class", "own_probability", "share"),
        Column("wrong in", lambda r: Cell(f"{r['wrong']} of {r['held_out']}"), numeric=True),
        *(_feature(name) for name in names[: min(known, FEATURES_SHOWN)]),
    ]
    title = f"{one.arm}: examples with the highest loss"
    return table(f"hard-examples-{place}", title, columns, records, fold=fold or len(records) > ROWS_SHOWN)


def _feature(name: str) -> Column:
    return Column(name, lambda record: Cell(plain(record.get(name))), numeric=True)
