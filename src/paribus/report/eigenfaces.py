"""Eigenfaces with the mean removed, the weights beside them, and the floor that they set for every autoencoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from paribus.analysis.eigenfaces import Pca, bottleneck, floors, overlaps, pca
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.weights import first_layer
from paribus.report import charts
from paribus.report.blocks import Block, Cell, Chart, Montage, Section, SideBySide, Strip, Table
from paribus.report.montage import robust_limit, strip
from paribus.report.pictures import montage
from paribus.report.tabulate import Column, arm, estimated, number, shown, spread, table, text

ACROSS = 8
Faces = Sequence[tuple[Run, Pca]]


def section(results: Results) -> Section | None:
    """Mean face, eigenfaces with the weights beside them, the error floor, and how far the subspaces meet."""
    found = [(run, p) for name in results.arms if (run := results.first(name)) and (p := pca(results, run)) is not None]
    if not found:
        return None
    _, first = found[0]
    blocks: list[Block] = [SideBySide((*_mean(first), _floor_chart(results, first)))]
    ranks = dict.fromkeys(bottleneck(results, run.arm) for run, _ in found)
    blocks += [SideBySide((*_eigenfaces(first, rank), *_weights(results, found, rank))) for rank in ranks]
    blocks += _floor_table(results) + _overlap_table(results)
    lead = (
        "Eigenfaces are the principal components of the training pictures with their mean removed, found by singular "
        "value decomposition, strongest first; blue is darker than the mean face, orange lighter (or the other way: "
        "their sign is free). A network with n hidden units and a linear last layer can only add up n pictures, so on "
        "these pictures it cannot come below the error that the first n eigenfaces leave (Eckart and Young, 1936)."
    )
    return Section("eigenfaces", "Eigenfaces beside the weights", tuple(blocks), lead=(lead, *_explained(first)))


def _explained(faces: Pca) -> list[str]:
    errors = faces.mse_by_rank
    if not errors.size or errors[0] <= 0:
        return []
    parts = [f"{100 * (1 - errors[n] / errors[0]):.0f} % at {n}" for n in (16, 64) if n < len(errors)]
    if not parts:
        return []
    explain = " and ".join(parts)
    return [f"The pictures vary by {errors[0]:.4f} per pixel about their mean; the first eigenfaces explain {explain}."]


def _mean(faces: Pca) -> list[Montage]:
    if faces.shape is None:
        return []
    shape = faces.shape
    strips = [Strip("mean face", strip(np.clip(faces.mean[None], 0, 1), shape), "the mean of the training pictures", 1)]
    columns: tuple[str, ...] = ()
    kept = min(4, len(faces.components))
    swings = np.sqrt(np.maximum(faces.variance[:kept], 0))[:, None] * _unit_length(faces.components[:kept])
    for sign, words in ((2.0, "plus"), (-2.0, "minus")):
        pictures = np.clip(faces.mean[None] + sign * swings, 0, 1)
        alt = f"the mean face {words} two standard deviations along each of the first {kept} eigenfaces"
        strips.append(Strip(f"{words} 2 sd", strip(pictures, shape), alt, kept, faint="eigenfaces 1 to 4"))
    return [montage("mean-face", "The mean face, and the first eigenfaces added to it", columns, strips, shape)]


def _unit_length(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _eigenfaces(faces: Pca, rank: int) -> list[Montage]:
    """The first `rank` eigenfaces, each on a scale of its own: only their pattern matters."""
    kept = min(rank, len(faces.components))
    if faces.shape is None or not kept:
        return []
    scaled = np.stack([face / robust_limit(face) for face in faces.components[:kept]])
    uri = strip(scaled, faces.shape, signed=True, limit=1.0, per_row=ACROSS)
    return [
        _grid(
            f"eigenfaces-{rank}", f"The first {kept} eigenfaces", uri, f"the first {kept} eigenfaces", faces.shape, kept
        )
    ]


def _weights(results: Results, found: Faces, rank: int) -> list[Montage]:
    """First-layer weights at the deploy rule of every arm that is `rank` wide, on one scale an arm."""
    blocks: list[Montage] = []
    for run, faces in found:
        weights = first_layer(results, run, results.deploy(run.arm))
        if weights is None or len(weights) != rank or faces.shape is None:
            continue
        uri = strip(weights, faces.shape, signed=True, limit=robust_limit(weights), per_row=ACROSS)
        words = f"first-layer weights of the {rank} units of {run.arm}, replicate {run.replicate}"
        blocks.append(
            _grid(
                f"beside-{results.arms.index(run.arm)}",
                f"{run.arm}: first-layer weights",
                uri,
                words,
                faces.shape,
                rank,
            )
        )
    return blocks


def _grid(name: str, title: str, uri: str, words: str, shape: tuple[int, int], count: int) -> Montage:
    return montage(name, title, (), [Strip("", uri, words, count)], shape, across=ACROSS)


def _floor_chart(results: Results, faces: Pca) -> Chart:
    line = [{"rank": n, "mse": float(mse)} for n, mse in enumerate(faces.mse_by_rank) if mse > 0]
    points = [
        {
            "arm": floor.arm,
            "key": f"a{results.arms.index(floor.arm)}",
            "rule": floor.rule,
            "rank": floor.rank,
            "replicate": i,
            "mse": value,
        }
        for floor in floors(results)
        if floor.rule == results.deploy(floor.arm)
        for i, value in enumerate(floor.mse.values)
        if value is not None
    ]
    names = list(dict.fromkeys(str(point["arm"]) for point in points))
    words = "Error that PCA leaves against its rank, falling; every network's error lies on or above the line."
    note = "Line: PCA of that rank, the floor. Circles: the networks, one a replicate."
    return charts.figure(
        "floor",
        "Reconstruction error against the floor",
        charts.floor(results.arms),
        {"floor": line, "arms": points},
        words,
        note=note,
        height=300,
        legend=charts.arm_keys(results.arms, names),
    )


def _floor_table(results: Results) -> list[Table]:
    found = [floor for floor in floors(results) if floor.mse.n]
    records = [
        {
            "arm": f.arm,
            "rule": f.rule,
            "rank": f.rank,
            **estimated("mse", f.mse),
            **estimated("pca_mse", f.pca_mse),
            **estimated("mean_mse", f.mean_mse),
            **estimated("ratio", f.ratio),
            **estimated("explained", f.explained),
            "below": f.below,
        }
        for f in found
    ]
    columns = [
        arm(results.arms),
        text("rule", "rule"),
        text("n", "rank"),
        spread("network", "mse", "mse"),
        spread("PCA of rank n", "pca_mse", "mse"),
        spread("mean face alone", "mean_mse", "mse"),
        spread("network / PCA", "ratio", "ratio"),
        spread("explained, of what PCA explains", "explained", "memorised"),
    ]
    note = "Mean squared errors per pixel on the training pictures. A ratio of 1 would be the floor itself."
    return [table("floor-table", "Error and floor", columns, records, note=note)] if records else []


def _overlap_table(results: Results) -> list[Table]:
    records = [
        {
            "arm": o.arm,
            "replicate": o.replicate,
            "where": o.where,
            "rule": o.rule,
            "rank": o.rank,
            "share": o.share,
            "chance": o.chance,
            "largest_cosine": float(o.cosines.max()) if o.cosines.size else None,
            "smallest_cosine": float(o.cosines.min()) if o.cosines.size else None,
        }
        for o in overlaps(results)
    ]
    columns = [
        arm(results.arms),
        text("replicate", "replicate"),
        text("weights of", "where"),
        Column("overlap", lambda r: Cell(shown("memorised", r["share"])), numeric=True),
        Column("by chance", lambda r: Cell(shown("memorised", r["chance"])), numeric=True),
        number("largest cosine", "largest_cosine", "ratio"),
        number("smallest cosine", "smallest_cosine", "ratio"),
    ]
    note = (
        "Overlap: how much of the space of the first n eigenfaces lies in the space that the layer's weights span, "
        "from 0 to 100 %; by chance: what random weights would give. Cosines are those of the principal angles."
    )
    return (
        [table("overlap", "Do the weights span the eigenfaces?", columns, records, note=note, fold=True)]
        if records
        else []
    )
