"""Eigenfaces with the mean removed, the weights beside them, and the error that PCA of the same rank leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from paribus.analysis.autoencoder_answers import CHANCE, OVERLAP, bounds, relative
from paribus.analysis.eigenfaces import Pca, PcaComparison, overlaps, pca, pca_comparisons, pca_rank
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.shown_arms import shown_arms
from paribus.analysis.thresholds import EQUAL_VARIANCE, UNMOVED_COSINE
from paribus.analysis.weight_answers import patterns_in_words, weight_sentences
from paribus.analysis.weights import layer_weights
from paribus.report import charts, eigenface_charts
from paribus.report.blocks import Block, Cell, Chart, Fold, Montage, Prose, Record, Section, SideBySide, Strip, Table
from paribus.report.montage import robust_limit, strip
from paribus.report.reconstructions import montage
from paribus.report.tabulate import NONE, Column, arm, estimated, mean_and_sd, rule, shown, table, text, value

ACROSS = 8
Faces = Sequence[tuple[Run, Pca]]


def section(results: Results) -> Section | None:
    """Mean face, eigenfaces with the weights beside them, the errors, and how far the subspaces overlap."""
    firsts = [run for arm in shown_arms(results) if (run := results.first(arm)) is not None]
    found = [(run, faces) for run in firsts if (faces := pca(run)) is not None and _varies(faces)]
    if not found:
        return None
    _, first = found[0]
    blocks: list[Block] = [SideBySide((*_mean(first), eigenface_charts.spectrum(first, " ".join(_explained(first)))))]
    blocks.append(_error_chart(results, first))
    ranks = dict.fromkeys(pca_rank(results, run.arm) for run, _ in found)
    blocks += [SideBySide((*_eigenfaces(first, rank), *_weights(results, found, rank))) for rank in ranks if rank]
    blocks += _decoders(results, found)
    blocks += _error_table(results)
    over_epochs = eigenface_charts.overlap_over_epochs(results)
    if over_epochs is not None:
        blocks.append(Fold("Overlap of weights and eigenfaces over the epochs", (over_epochs,)))
    angles = eigenface_charts.angles(results)
    if angles:
        blocks.append(Fold("Principal angles between weights and eigenfaces", (SideBySide(tuple(angles)),)))
    blocks += _overlap_table(results)
    lead = (
        "Eigenfaces are the principal components of the training images. Blue is darker than the mean face, orange "
        "lighter; the sign is arbitrary."
    )
    bound = (
        "The outputs of n hidden units and a linear last layer lie in an affine subspace of n dimensions, so their "
        "error on the training images is at least that of the first n eigenfaces (Eckart and Young, 1936)."
    )
    deeper = (
        "A deeper network is compared with PCA of the width of its narrowest layer, the code. Where what follows the "
        "code is not linear, its error can be smaller."
    )
    # the main figure has the errors themselves
    weights = [] if results.study.claims else weight_sentences(results)  # else the answer has them
    found_words = " ".join([*weights, *relative(results)[1:], *bounds(results)])
    why = Prose((bound,) if _all_bounded(results) else (bound, deeper))
    blocks.append(Fold("Why PCA of the same rank is a lower bound", (why,)))
    leads = (*([found_words] if found_words else []), lead)
    return Section("eigenfaces", "Eigenfaces beside the weights", tuple(blocks), lead=leads)


def _all_bounded(results: Results) -> bool:
    return all(found.is_bound for found in pca_comparisons(results))


def _varies(faces: Pca) -> bool:
    """Whether the training images have eigenfaces: one image, or equal ones, have none."""
    return len(faces.components) > 0 and faces.mse_by_rank[0] > EQUAL_VARIANCE


def _explained(faces: Pca) -> list[str]:
    errors = faces.mse_by_rank
    parts = [f"{100 * (1 - errors[n] / errors[0]):.0f} % at {n}" for n in (16, 64) if n < len(errors)]
    if not parts:
        return []
    explain = " and ".join(parts)
    return [f"The variance of the images is {errors[0]:.4f} per pixel; the first eigenfaces explain {explain}."]


def _mean(faces: Pca) -> list[Montage]:
    if faces.shape is None:
        return []
    shape = faces.shape
    strips = [Strip("mean face", strip(np.clip(faces.mean[None], 0, 1), shape), "the mean of the training images", 1)]
    columns: tuple[str, ...] = ()
    kept = min(4, len(faces.components))
    swings = np.sqrt(np.maximum(faces.variance[:kept], 0))[:, None] * _unit_length(faces.components[:kept])
    for sign, words in ((2.0, "plus"), (-2.0, "minus")):
        images = np.clip(faces.mean[None] + sign * swings, 0, 1)
        alt = f"the mean face {words} two standard deviations along each of the first {kept} eigenfaces"
        strips.append(
            Strip(
                f"{words} 2 sd",
                strip(images, shape),
                alt,
                kept,
                faint=f"eigenfaces 1 to {kept}" if kept > 1 else "eigenface 1",
            )
        )
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
        layers = layer_weights(results, run, results.deploy(run.arm))
        if layers is None or len(layers[0]) != rank or faces.shape is None:
            continue
        weights = layers[0]
        layer = run.hidden_layers(results.deploy(run.arm)).get(results.layers(run.arm)[0])
        dead = [] if layer is None else layer.dead.tolist()
        limit = robust_limit(weights)
        uri = strip(weights, faces.shape, signed=True, limit=limit, per_row=ACROSS, framed=dead)
        words = f"first-layer weights of the {rank} units of {run.arm}, replicate {run.replicate}"
        words += f"; {sum(dead)} dead units are framed" if any(dead) else ""
        blocks.append(
            _grid(
                f"first-layer-{results.arms.index(run.arm)}",
                f"{run.arm}: first-layer weights{f', {sum(dead)} dead units framed' if any(dead) else ''}",
                uri,
                words,
                faces.shape,
                rank,
            )
        )
    return blocks


def _decoders(results: Results, found: Faces) -> list[Block]:
    """The last layer's weights of every arm, a column each as an image, folded: what the answer says of decoders."""
    blocks: list[Montage] = []
    for run, faces in found:
        layers = layer_weights(results, run, results.deploy(run.arm))
        if layers is None or faces.shape is None:
            continue
        rows = layers[-1].T
        uri = strip(rows, faces.shape, signed=True, limit=robust_limit(rows), per_row=ACROSS)
        words = f"last-layer weights of the {len(rows)} units of {run.arm}, replicate {run.replicate}"
        name = f"last-layer-{results.arms.index(run.arm)}"
        blocks.append(_grid(name, f"{run.arm}: last-layer weights", uri, words, faces.shape, len(rows)))
    found_words = Prose((patterns_in_words(),))
    return [Fold("Decoder weights as images", (found_words, SideBySide(tuple(blocks))))] if blocks else []


def _grid(name: str, title: str, uri: str, words: str, shape: tuple[int, int], count: int) -> Montage:
    return montage(name, title, (), [Strip("", uri, words, count)], shape, across=ACROSS)


def _error_chart(results: Results, faces: Pca) -> Chart:
    line = [{"rank": n, "mse": float(mse)} for n, mse in enumerate(faces.mse_by_rank) if mse > 0]
    points = [
        {
            "arm": found.arm,
            "key": f"a{results.arms.index(found.arm)}",
            "rule": found.rule,
            "rank": found.rank,
            "replicate": replicate,
            "mse": value,
        }
        for found in _deployed(results)
        for replicate, value in zip(results.study.replicates.indices, found.mse.values, strict=True)
        if value is not None and value > 0
    ]
    names = list(dict.fromkeys(str(point["arm"]) for point in points))
    each = [f"{found.arm} {found.ratio.mean:.2f}" for found in _deployed(results) if found.ratio.mean is not None]
    words = f"Error against rank. Network error relative to PCA of the same rank: {', '.join(each)}."
    note = "Line: PCA of that rank. Circles: the networks, one for each replicate."
    return charts.figure(
        "pca-error",
        "Reconstruction error against PCA",
        charts.pca_error(results.arms),
        {"pca": line, "arms": points},
        words,
        note=note,
        height=300,
        legend=charts.arm_keys(results.arms, names),
    )


def _error_table(results: Results) -> list[Table]:
    found = [comparison for comparison in pca_comparisons(results) if comparison.mse.n]
    records: list[Record] = [
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
        rule(),
        text("n", "rank"),
        mean_and_sd("network", "mse", "error"),
        mean_and_sd("PCA of rank n", "pca_mse", "error"),
        mean_and_sd("mean face alone", "mean_mse", "error"),
        mean_and_sd("network / PCA", "ratio", "ratio"),
        Column("variance explained, relative to PCA", _explained_share, numeric=True),
    ]
    note = (
        "Mean squared errors per pixel on the training images. A ratio of 1 is PCA's own error. A dash: the error is "
        "larger than that of the mean face, so no variance is explained."
    )
    return [table("pca-comparison", "Error beside PCA's", columns, records, note=note, fold=True)] if records else []


def _explained_share(record: Record) -> Cell:
    """The share that the network explains of what PCA explains; negative shares have no meaning."""
    share = record["explained_mean"]
    return Cell(NONE) if share is None or share < 0 else Cell(shown("share", share))


def _deployed(results: Results) -> list[PcaComparison]:
    return [found for found in pca_comparisons(results) if found.rule == results.deploy(found.arm)]


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
        Column("overlap", lambda r: Cell(shown("share", r["share"])), numeric=True),
        Column("by chance", lambda r: Cell(shown("share", r["chance"])), numeric=True),
        value("largest cosine", "largest_cosine", "ratio"),
        value("smallest cosine", "smallest_cosine", "ratio"),
    ]
    note = f"{OVERLAP} {CHANCE}"
    if any(record["where"] == "encoder, moved units" for record in records):
        note += (
            " Moved units: the cosine between their incoming weights and the initial ones is at most "
            f"{UNMOVED_COSINE:g}."
        )
    return (
        [table("overlap", "Overlap of weights and eigenfaces", columns, records, note=note, fold=True)]
        if records
        else []
    )
