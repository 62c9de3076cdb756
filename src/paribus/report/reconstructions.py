"""Inputs and reconstructions of the networks, and how rows of images are laid out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.weights import image_shape
from paribus.report.blocks import Montage, Section, SideBySide, Strip
from paribus.report.montage import GAP, strip

IN_A_SET = 6
SETS = 2
MIN_SIDE = 56
"""Images are enlarged to at least this many CSS pixels."""


def section(results: Results) -> Section | None:
    """Inputs and every arm's outputs, in two sets."""
    runs, shape = runs_of_images(results)
    shown = [(run, found) for run in runs if (found := run.artifact(results.deploy(run.arm), "reconstructions"))]
    if not shown:
        return None
    inputs = np.asarray(shown[0][1]["inputs"])
    blocks: list[Montage] = []
    for number, start in enumerate(range(0, min(len(inputs), SETS * IN_A_SET), IN_A_SET), start=1):
        part = slice(start, start + IN_A_SET)
        given = inputs[part]
        strips = [Strip("input", strip(given, shape), f"Set {number}: the images given to the networks", len(given))]
        for run, arrays in shown:
            outputs = np.asarray(arrays["outputs"])[part]
            error = float(np.mean((outputs - np.asarray(arrays["inputs"])[part]) ** 2))
            words = f"Set {number}: what {run.arm} makes of them"
            place = results.arms.index(run.arm)
            strips.append(Strip(run.arm, strip(outputs, shape), words, len(outputs), place, f"error {error:.5f}"))
        blocks.append(montage(f"reconstructions-{number}", f"Set {number}", (), strips, shape))
    lead = (
        f"The same images through every arm at its deployed epoch ({results.study.deploy}), first replicate. "
        "The error is the mean squared one per pixel over the row."
    )
    return Section("reconstructions", "Images and their reconstructions", (SideBySide(tuple(blocks)),), lead=(lead,))


def montage(
    name: str,
    title: str,
    columns: Sequence[str],
    strips: Sequence[Strip],
    shape: tuple[int, int],
    *,
    across: int | None = None,
    note: str = "",
) -> Montage:
    """Strips of images of one shape, small images enlarged by a whole factor; `across` to a row in a grid."""
    scale = max(1, -(-MIN_SIDE // max(shape)))
    height, width = ((side + GAP) * scale for side in shape)
    return Montage(name, title, tuple(columns), tuple(strips), width, height, across, note)


def runs_of_images(results: Results) -> tuple[list[Run], tuple[int, int]]:
    """The runs whose images are shown, and (height, width) of these images.

    They are the first finished run of every arm, as far as examples are images, of the first such arm's shape.
    """
    runs = [run for arm in results.arms if (run := results.first(arm)) is not None]
    shape = next((shape for run in runs if (shape := image_shape(run)) is not None), (1, 1))
    return [run for run in runs if image_shape(run) == shape], shape
