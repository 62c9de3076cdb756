"""Pictures given to the networks and what these make of them, and how rows of pictures are laid out."""

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
LEAST_SIDE = 56
"""Pictures are enlarged to at least this many CSS pixels."""


def section(results: Results) -> Section | None:
    """Inputs and every arm's outputs, in two sets."""
    shown = [
        (run, found)
        for run in firsts(results)
        if (found := run.artifact(results.deploy(run.arm), "reconstructions"))
    ]
    if not shown:
        return None
    first, arrays = shown[0]
    inputs = np.asarray(arrays["inputs"])
    shape = shape_of(results, first, inputs.shape[1])
    blocks: list[Montage] = []
    for number, start in enumerate(range(0, min(len(inputs), SETS * IN_A_SET), IN_A_SET), start=1):
        part = slice(start, start + IN_A_SET)
        given = inputs[part]
        strips = [Strip("input", strip(given, shape), f"Set {number}: the pictures given to the networks", len(given))]
        for run, arrays in shown:
            outputs = np.asarray(arrays["outputs"])[part]
            error = float(np.mean((outputs - np.asarray(arrays["inputs"])[part]) ** 2))
            words = f"Set {number}: what {run.arm} makes of them"
            place = results.arms.index(run.arm)
            strips.append(Strip(run.arm, strip(outputs, shape), words, len(outputs), place, f"error {error:.5f}"))
        blocks.append(montage(f"reconstructions-{number}", f"Set {number}", (), strips, shape))
    lead = (
        f"The same pictures through every arm at its deployed epoch ({results.study.deploy}), first replicate. "
        "The error is the mean squared one per pixel over the row."
    )
    return Section("reconstructions", "Pictures and their reconstructions", (SideBySide(tuple(blocks)),), lead=(lead,))


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
    """Strips of pictures of one shape, small pictures enlarged by a whole factor; `across` to a row in a grid."""
    scale = max(1, -(-LEAST_SIDE // max(shape)))
    height, width = ((side + GAP) * scale for side in shape)
    return Montage(name, title, tuple(columns), tuple(strips), width, height, across, note)


def shape_of(results: Results, run: Run, pixels: int) -> tuple[int, int]:
    """Height and width of a run's pictures; a single row of pixels where they make no picture."""
    return image_shape(results, run, pixels) or (1, pixels)


def firsts(results: Results) -> list[Run]:
    """The first finished run of every arm that has one: those whose pictures are shown."""
    found = (results.first(name) for name in results.arms)
    return [run for run in found if run is not None]
