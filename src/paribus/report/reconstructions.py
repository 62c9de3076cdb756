"""Images and what the networks make of them: beside PCA, the best and the worst, and in every replicate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from paribus.analysis.denoising import PREFIX, SplitName
from paribus.analysis.eigenfaces import pca, pca_comparisons, pca_rank, projected
from paribus.analysis.estimates import estimate
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.shown_arms import shown_arms
from paribus.analysis.weights import image_shape
from paribus.analysis.wording import at_each, each_or_range
from paribus.report.blocks import Block, Fold, Montage, Section, SideBySide, Strip
from paribus.report.montage import GAP, strip
from paribus.report.tabulate import shown

FACES = 6
EXTREMES = 6
IN_A_REPLICATE = 3
MIN_SIDE = 56
"""Images are enlarged to at least this many CSS pixels."""
HERO_SCALE = 2
Images = npt.NDArray[np.floating]


def hero(results: Results) -> Block | None:
    """Six images in one grid: the input, PCA of each rank, and every arm, each with its error beside it."""
    return grid(results, "faces", "", scale=HERO_SCALE)


def section(results: Results) -> Section | None:
    """The best and the worst images of each arm, and every replicate."""
    runs, shape = runs_of_images(results)
    best, worst = ([found for run in runs if (found := _extremes(results, run, which, shape))] for which in _EXTREMES)
    every = [found for arm in shown_arms(results) if (found := _every_replicate(results, arm, shape))]
    blocks: list[Block] = [SideBySide((a, b)) for a, b in zip(best, worst, strict=True)]
    if every:
        blocks.append(Fold("Every replicate", tuple(every)))
    if not blocks:
        return None
    lead = (
        "The training images of the smallest and the largest error, each above its reconstruction, in "
        f"the first replicate of each arm {_where(results)}."
    )
    return Section(
        "reconstructions",
        "Best and worst reconstructions",
        tuple(blocks),
        lead=(lead,),
        folded="The images of the smallest and the largest error, and every replicate",
    )


def grid(
    results: Results, name: str, title: str, split: SplitName = "train", *, scale: int | None = None
) -> Montage | None:
    """Images of a split: the input, PCA of each rank, and every shown arm, with the errors over all images beside them.

    The first replicate's images, and means of errors over the replicates. None where no run keeps reconstructions.
    """
    runs, shape = runs_of_images(results)
    name_of_images = f"{PREFIX[split]}reconstructions"
    kept = [(run, arrays) for run in runs if (arrays := run.artifact(results.deploy(run.arm), name_of_images))]
    if not kept:
        return None
    inputs = np.asarray(kept[0][1]["inputs"], np.float64)
    same = [(run, arrays) for run, arrays in kept if np.array_equal(arrays["inputs"], kept[0][1]["inputs"])]
    chosen = spread(len(inputs), FACES)
    errors = {found.arm: found for found in pca_comparisons(results, split) if found.rule == results.deploy(found.arm)}
    strips = [Strip("input", strip(inputs[chosen], shape), "the images given to the networks", len(chosen))]
    first_of_rank: dict[int, Run] = {}
    for run, _ in same:
        first_of_rank.setdefault(pca_rank(results, run.arm), run)
    for rank, run in first_of_rank.items():
        faces = pca(run)
        if faces is not None and rank:
            words = f"what PCA of rank {rank} makes of them"
            mean = errors[run.arm].pca_mse.mean
            images = projected(faces, inputs[chosen], rank)
            beside = "" if mean is None else f"error {shown('error', mean)}"
            strips.append(Strip(f"PCA, rank {rank}", strip(images, shape), words, len(chosen), faint=beside))
    for run, arrays in same:
        words = f"what {run.arm} makes of them"
        uri = strip(np.asarray(arrays["outputs"])[chosen], shape)
        place = results.arms.index(run.arm)
        strips.append(Strip(run.arm, uri, words, len(chosen), place, error_words(results, run.arm, split)))
    note = (
        f"{'Training images' if split == 'train' else 'Images not trained on'}, first replicate of each arm "
        f"{_where(results)}. Errors: mean squared error per pixel over all images, mean over replicates."
    )
    return montage(f"grid-{name}", title, (), strips, shape, note=note, scale=scale)


def error_words(results: Results, arm: str, split: SplitName = "train") -> str:
    """`error 0.00770, 1.04 × PCA`; of an arm with collapsed runs the range, since its mean describes no run."""
    found = next(f for f in pca_comparisons(results, split) if f.arm == arm and f.rule == results.deploy(arm))
    if found.mse.mean is None:
        return ""
    collapsed = [value for value in results.values(arm, found.rule, "collapsed") if value is not None]
    if not any(collapsed):
        ratio = "" if found.ratio.mean is None else f", {found.ratio.mean:.2f} × PCA"
        return f"error {shown('error', found.mse.mean)}{ratio}"
    errors = [value for value in found.mse.values if value is not None]
    ratios = [value for value in found.ratio.values if value is not None]
    words = f"error {each_or_range(errors, lambda error: shown('error', error))}"
    if ratios:
        words += f", {each_or_range(ratios, lambda ratio: f'{ratio:.2f}')} × PCA"
    return f"{words}; {sum(value > 0 for value in collapsed)} of {len(collapsed)} runs collapsed"


def _where(results: Results) -> str:
    """Which epoch's weights made the images."""
    return at_each(map(results.deploy, shown_arms(results)))


_EXTREMES = ("best", "worst")


def _extremes(results: Results, run: Run, which: str, shape: tuple[int, int]) -> Montage | None:
    """The images of one arm with the smallest or the largest errors, above their reconstructions."""
    arrays = run.artifact(results.deploy(run.arm), "extremes")
    if arrays is None:
        return None
    errors = np.asarray(arrays[f"{which}_error"], np.float64)[:EXTREMES]
    span = f"errors {shown('error', errors.min())} to {shown('error', errors.max())}"
    place = results.arms.index(run.arm)
    given, made = (strip(arrays[f"{which}_{name}"][:EXTREMES], shape) for name in ("inputs", "outputs"))
    strips = [
        Strip("input", given, f"the images with the {which} error of {run.arm}", len(errors)),
        Strip(run.arm, made, f"what {run.arm} makes of them", len(errors), place, span),
    ]
    return montage(f"{which}-{place}", f"{run.arm}: {which} reconstructions", (), strips, shape)


def _every_replicate(results: Results, arm: str, shape: tuple[int, int]) -> Montage | None:
    """One arm's reconstructions in each replicate that was trained on the same images, with the error of each."""
    strips: list[Strip] = []
    for run in results.finished(arm):
        arrays = run.artifact(results.deploy(arm), "reconstructions")
        if arrays is None or image_shape(run) != shape:
            continue
        chosen = spread(len(arrays["inputs"]), FACES)
        if not strips:
            strips.append(
                Strip("input", strip(arrays["inputs"][chosen], shape), "the images given to them", len(chosen))
            )
        error = estimate([run.value(results.deploy(arm), "mse")]).mean
        words = f"what replicate {run.replicate} of {arm} makes of them"
        uri = strip(arrays["outputs"][chosen], shape)
        beside = "" if error is None else f"error {shown('error', error)}"
        beside += "; collapsed" if run.value(results.deploy(arm), "collapsed") else ""
        strips.append(Strip(f"replicate {run.replicate}", uri, words, len(chosen), faint=beside))
    return montage(f"replicates-{results.arms.index(arm)}", arm, (), strips, shape) if len(strips) > 2 else None


def spread(count: int, wanted: int) -> list[int]:
    """Positions of at most `wanted` of `count` images, spread evenly."""
    return [i * count // min(wanted, count) for i in range(min(wanted, count))]


def montage(
    name: str,
    title: str,
    columns: Sequence[str],
    strips: Sequence[Strip],
    shape: tuple[int, int],
    *,
    across: int | None = None,
    note: str = "",
    scale: int | None = None,
) -> Montage:
    """Strips of images of one shape, `across` to a row in a grid.

    They are enlarged by the whole factor `scale`, without one only where they are small.
    """
    factor = scale or max(1, -(-MIN_SIDE // max(shape)))
    height, width = ((side + GAP) * factor for side in shape)
    return Montage(name, title, tuple(columns), tuple(strips), width, height, across, note, enlarged=factor > 1)


def runs_of_images(results: Results) -> tuple[list[Run], tuple[int, int]]:
    """The runs whose images are shown, and (height, width) of these images.

    They are the first finished run of every shown arm, as far as examples are images, of the first such arm's shape.
    """
    runs = [run for arm in shown_arms(results) if (run := results.first(arm)) is not None]
    shape = next((shape for run in runs if (shape := image_shape(run)) is not None), (1, 1))
    return [run for run in runs if image_shape(run) == shape], shape
