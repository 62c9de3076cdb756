"""First-layer weights as images: units as rows, epochs as columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.units import HiddenLayer
from paribus.analysis.weights import History, history
from paribus.report.blocks import Block, Fold, Montage, Section, SideBySide, Strip
from paribus.report.montage import robust_limit, strip
from paribus.report.reconstructions import montage, runs_of_images

UNITS_SHOWN = 16
EPOCHS_SHOWN = 6
ACROSS = 8
ARMS_OF_A_WIDTH = 2
"""Arms of one width whose weights are shown: more of them would make the page heavy."""


def section(results: Results) -> Section | None:
    """Of the first width the arm with the fewest dead units in full sight; the others, and other widths, folded."""
    blocks: list[Block] = []
    runs, shape = runs_of_images(results)
    by_width: dict[int, list[tuple[Run, History]]] = {}
    for run in runs:
        found = history(results, run)
        if found is not None and len(found.epoch) >= 2:
            by_width.setdefault(found.weights.shape[1], []).append((run, found))
    for place, (width, arms) in enumerate(by_width.items()):
        told = arms[:ARMS_OF_A_WIDTH]
        open_one = min(told, key=lambda arm: _dead(results, arm[0]))  # the first of several
        for run, found in sorted(told, key=lambda arm: arm is not open_one):
            side = _side(results, run, found, shape)
            folded = Fold(f"{run.arm}: first-layer weights over the epochs", (side,))
            blocks.append(side if run is open_one[0] and place == 0 else folded)
            if run.artifact("", "pca") is None and width > UNITS_SHOWN:  # else they stand beside the eigenfaces
                units = _all_units(results, run, found, shape)
                blocks.append(Fold(f"{run.arm}: all {width} units at the end", (units,)))
    if not blocks:
        return None
    lead = (
        "Each row is one unit, its weights laid out as an image. Columns are epochs; the first has the initial "
        "weights. Blue is negative, orange positive, on one scale for each epoch of an arm. A frame marks a dead unit, "
        "whose activation is constant on the training images."
    )
    return Section("weights", "First-layer weights over the epochs", tuple(blocks), lead=(lead,))


def _dead(results: Results, run: Run) -> int:
    """How many units of the first layer are dead at the deployed epoch."""
    layer = run.hidden_layers(results.deploy(run.arm)).get(results.layers(run.arm)[0])
    return 0 if layer is None else int(layer.dead.sum())


def _side(results: Results, run: Run, found: History, shape: tuple[int, int]) -> SideBySide:
    """An arm's units over the epochs, in two halves beside each other."""
    total = found.weights.shape[1]
    epochs = drawn_snapshots(found.epoch)
    layer = run.hidden_layers(results.deploy(run.arm)).get(results.layers(run.arm)[0])
    units = shown_units(total, None if layer is None else layer.active)
    limits = [robust_limit(found.weights[e]) for e in epochs]
    half = -(-len(units) // 2)
    title = f"{run.arm}, replicate {run.replicate}"
    note = f"{len(units)} of {total} units, chosen evenly by how often they are active." if len(units) < total else ""
    halves: list[Montage] = []
    for i, part in enumerate(half_ for half_ in (units[:half], units[half:]) if half_):
        strips = [_unit(run, found, unit, epochs, limits, shape, layer) for unit in part]
        words = f"{title}: units {part[0] + 1} to {part[-1] + 1}"
        name = f"weights-{results.arms.index(run.arm)}-{i + 1}"
        columns = [f"{'epoch ' if place == 0 else ''}{int(found.epoch[e]):,}" for place, e in enumerate(epochs)]
        halves.append(montage(name, words, columns, strips, shape, note=note if i == 0 else ""))
    return SideBySide(tuple(halves))


def _unit(
    run: Run,
    found: History,
    unit: int,
    epochs: list[int],
    limits: list[float],
    shape: tuple[int, int],
    layer: HiddenLayer | None,
) -> Strip:
    scaled = np.stack([found.weights[e, unit] / limit for e, limit in zip(epochs, limits, strict=True)])
    is_dead = layer is not None and bool(layer.dead[unit])
    framed = [False] * (len(epochs) - 1) + [is_dead]
    uri = strip(scaled, shape, signed=True, limit=1.0, framed=framed)
    at = ", ".join(str(found.epoch[e]) for e in epochs)
    words = f"{run.arm}: weights of unit {unit + 1} at epochs {at}"
    about = f"unit {unit + 1}"
    if layer is not None:
        about += ", dead" if is_dead else f", active on {100 * layer.active[unit]:.0f} % of the training images"
    return Strip("", uri, words, len(epochs), hover=about)


def _all_units(results: Results, run: Run, found: History, shape: tuple[int, int]) -> Montage:
    last = found.weights[-1]
    layer = run.hidden_layers(results.deploy(run.arm)).get(results.layers(run.arm)[0])
    framed = [] if layer is None else layer.dead.tolist()
    uri = strip(last, shape, signed=True, limit=robust_limit(last), per_row=ACROSS, framed=framed)
    words = f"{run.arm}: weights of all {len(last)} units at epoch {found.epoch[-1]}"
    name = f"weights-all-{results.arms.index(run.arm)}"
    return montage(name, "", (), [Strip("", uri, words, len(last))], shape, across=ACROSS)


def drawn_snapshots(epochs: npt.NDArray[np.int64]) -> list[int]:
    """Positions of about `EPOCHS_SHOWN` epochs: the first, the last, and some between, closer together early on."""
    if len(epochs) <= EPOCHS_SHOWN:
        return list(range(len(epochs)))
    wanted = np.geomspace(1, len(epochs), EPOCHS_SHOWN) - 1
    return sorted({int(i) for i in wanted.round()})


def shown_units(total: int, rates: npt.NDArray[np.floating] | None) -> list[int]:
    """All units of a narrow layer; of a wide one a choice that is even in how often units are active."""
    if total <= UNITS_SHOWN:
        return list(range(total))
    places = np.linspace(0, total - 1, UNITS_SHOWN).round().astype(int)
    order = np.arange(total) if rates is None else np.argsort(-rates, kind="stable")
    return sorted(int(order[i]) for i in places)
