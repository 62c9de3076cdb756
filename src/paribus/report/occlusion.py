"""Occlusion maps: the images, and where hiding a patch of them changes the prediction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paribus.analysis.occlusion import Occluded, OccludedImage, occluded
from paribus.analysis.results import Results
from paribus.report.blocks import Block, Cell, Gallery, Picture, Record, Section, Table
from paribus.report.images import image, is_image, shown_size
from paribus.report.montage import robust_limit, strip
from paribus.report.tabulate import Column, arm, plain, table, text, value


def section(results: Results) -> Section | None:
    """The images of each arm above their maps, and the largest change for each image; None where nothing is hidden."""
    found = occluded(results)
    if not found:
        return None
    blocks: list[Block] = []
    for one in found:
        dataset = results.dataset(one.arm)
        if dataset is not None and is_image(dataset.shape):
            blocks.append(_maps(one, dataset.shape))
    blocks.append(_table(results, found))
    classes = any(map(_of_classes, found))
    first = next((name for one in found if (name := _first_target(results, one.arm))), "the target")
    what = "the probability of the predicted class" if classes else f"the prediction of {first}"
    lead = (
        f"How {what} changes when a square of the image is hidden: orange where it falls, blue where it rises. "
        "A hidden pixel has its mean over the training images. Each pixel shows the mean over the squares that cover "
        "it. First replicate of each arm, at the epoch by which the arm is compared."
    )
    return Section("occlusion", "Occlusion maps", tuple(blocks), lead=(lead,))


def _first_target(results: Results, name: str) -> str:
    dataset = results.dataset(name)
    return dataset.targets[0] if dataset is not None and dataset.targets else ""


def _maps(one: Occluded, shape: tuple[int, ...]) -> Gallery:
    """Each image, and its map beside it; all maps of an arm have one scale of colours."""
    limit = robust_limit(np.stack([found.change for found in one.images]))
    pictures: list[Picture] = []
    for found in one.images:
        what = f"row {found.row}" if found.label is None else f"row {found.row}, {_classes(found)}"
        given = _number(found.given, of_classes=found.predicted is not None)
        fall = _difference(found.largest, of_classes=found.predicted is not None)
        caption = _classes(found) if found.label is not None else given
        faint = f"{given} · row\u00a0{found.row}" if found.label is not None else f"row\u00a0{found.row}"
        drawn = strip(found.change.reshape(1, -1), (shape[-2], shape[-1]), signed=True, limit=limit, gap=0)
        words = f"{what}: where hiding a square changes the prediction"
        pictures.append(Picture(image(found.values, shape), f"{what}: the whole image", caption, faint))
        pictures.append(Picture(drawn, words, f"down by up to {fall}", f"at row\u00a0{found.y}, column\u00a0{found.x}"))
    scale = _difference(limit, of_classes=_of_classes(one))
    title = f"{one.arm}: squares of {one.patch} × {one.patch} pixels, colours up to ±{scale}"
    return Gallery(title, tuple(pictures), *shown_size(shape))


def _of_classes(one: Occluded) -> bool:
    return any(found.predicted is not None for found in one.images)


def _classes(found: OccludedImage) -> str:
    """The true class, and the predicted one where it is another."""
    return f"{found.label}" if found.label == found.predicted else f"{found.label} → {found.predicted}"


def _table(results: Results, found: Sequence[Occluded]) -> Table:
    records: list[Record] = [
        {
            "arm": one.arm,
            "rule": one.rule,
            "replicate": one.replicate,
            "patch": one.patch,
            "row": of_image.row,
            "true": of_image.label,
            "predicted": of_image.predicted,
            "given": of_image.given,
            "largest_fall": of_image.largest,
            "y": of_image.y,
            "x": of_image.x,
        }
        for one in found
        for of_image in one.images
    ]
    of_classes = any(record["predicted"] is not None for record in records)
    classes = [text("true class", "true"), text("predicted as", "predicted")] if of_classes else []
    columns = [
        arm(results.arms),
        value("row", "row", "count"),
        *classes,
        Column("whole image", lambda r: Cell(_number(r["given"], of_classes=of_classes)), numeric=True),
        Column("largest fall", lambda r: Cell(_difference(r["largest_fall"], of_classes=of_classes)), numeric=True),
        Column("with the square at", lambda r: Cell(f"row {r['y']}, column {r['x']}")),
    ]
    return table("occlusion", "The square that matters most", columns, records, fold=True)


def _number(found: float, *, of_classes: bool) -> str:
    return f"{100 * found:.1f} %" if of_classes else plain(float(f"{found:.4g}"))


def _difference(found: float, *, of_classes: bool) -> str:
    """Of two probabilities: in percentage points."""
    return f"{100 * found:.1f} points" if of_classes else _number(found, of_classes=False)
