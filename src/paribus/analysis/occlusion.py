"""How the predictions for single images change when a patch of them is hidden, from what runs recorded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paribus.analysis.results import Results
from paribus.analysis.run import Run

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OccludedImage:
    """One image of an arm's first finished run, at the rule by which the arm is compared.

    `given` is what the network gives for the whole image: the probability of the class `predicted`, or a number, and
    then `label` and `predicted` are None. `largest` is the greatest fall of it, with the patch at `y`, `x`. `change`
    (height, width) is the fall at each pixel: the mean over the patches that cover it, NaN where none does. `values`
    (feature,) is the image before scaling.
    """

    row: int
    label: str | None
    predicted: str | None
    given: float
    largest: float
    y: int
    x: int
    change: Floats
    values: Floats


@dataclass(frozen=True, eq=False)
class Occluded:
    """The maps of one arm, with a square of `patch` pixels a side."""

    arm: str
    rule: str
    replicate: int
    patch: int
    images: tuple[OccludedImage, ...]


def occluded(results: Results) -> tuple[Occluded, ...]:
    """The maps of each arm that asks for them and has recorded them, in the study's order."""
    return tuple(
        found
        for arm in results.arms
        if results.recipe(arm).occlusion.patch
        if (run := results.first(arm)) is not None
        if (found := _of_run(run, results.deploy(arm), results.recipe(arm).occlusion.name)) is not None
    )


def pixel_map(change: Floats, y: npt.NDArray[np.int64], x: npt.NDArray[np.int64], patch: int, height: int,
              width: int) -> Floats:  # fmt: skip
    """`change` (row, column) of squares that begin at `y` and `x` as one value for each pixel (height, width): the mean
    over the squares that cover it, NaN where none does."""
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for i, top in enumerate(y):
        for j, left in enumerate(x):
            total[top : top + patch, left : left + patch] += change[i, j]
            count[top : top + patch, left : left + patch] += 1
    return np.divide(total, count, out=np.full((height, width), np.nan), where=count > 0)


def _of_run(run: Run, rule: str, name: str) -> Occluded | None:
    arrays = run.artifact(rule, name)
    if arrays is None:
        return None
    patch, (height, width) = int(name.partition("/")[2].partition("-")[0]), run.dataset.shape[-2:]
    y, x = (np.asarray(arrays[axis], np.int64) for axis in ("y", "x"))
    changes = np.asarray(arrays["change"], np.float64)
    features = np.asarray(arrays["values"], np.float64) / np.asarray(arrays["divisor"]).item()
    classes = run.dataset.classes
    images: list[OccludedImage] = []
    for i, change in enumerate(changes):
        if not np.isfinite(change).all():  # outputs beyond float32
            continue
        top, left = np.unravel_index(int(np.argmax(change)), change.shape)
        images.append(
            OccludedImage(
                row=int(np.asarray(arrays["rows"])[i]),
                label=classes[int(np.asarray(arrays["labels"])[i])] if "labels" in arrays else None,
                predicted=classes[int(np.asarray(arrays["predicted"])[i])] if "predicted" in arrays else None,
                given=float(np.asarray(arrays["given"])[i]),
                largest=float(change[top, left]),
                y=int(y[top]),
                x=int(x[left]),
                change=pixel_map(change, y, x, patch, height, width),
                values=features[i],
            )
        )
    return Occluded(run.arm, rule, run.replicate, patch, tuple(images)) if images else None
