"""How near autoencoders are to PCA of the same rank, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from paribus.analysis import wording
from paribus.analysis.eigenfaces import PcaComparison, pca_comparisons
from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.results import Results
from paribus.analysis.shown_arms import shown_arms
from paribus.analysis.unit_counts import UnitCount, unit_counts

MOST: Final = 0.5
"""From this overlap on, weights span most of the eigenfaces' space."""
OVERLAP: Final = (
    "Overlap: mean squared cosine of the principal angles between the span of the weights and the span of the first n "
    "eigenfaces (100 %: the same subspace)."
)
CHANCE: Final = (
    "By chance a random subspace of the same dimension would give dimension / number of pixels. The dimension can be "
    "smaller than the number of units: weights that have shrunk to nothing span nothing."
)


def relative(results: Results) -> list[str]:
    """The error of each shown arm relative to PCA of its rank, and which arms come nearest to it."""
    known = [found for found in _deployed(results) if found.ratio.mean is not None]
    if not known:
        return []
    units, arms = _units(results), shown_arms(results)
    listed = [found for found in known if found.arm in arms]
    each = "; ".join(f"{found.arm} {_ratios(found.ratio, bool(_bad(units.get(found.arm, []))))}" for found in listed)
    return [
        f"Reconstruction error relative to PCA of the same rank on the same images: {each} times.",
        nearest(known),
    ]


def _ratios(ratio: Estimate, each: bool) -> str:
    """The mean, or each replicate's value: a mean of collapsed and other runs describes none of them."""
    if each:
        return wording.listed(f"{value:.2f}" for value in ratio.values if value is not None)
    return f"{ratio.mean or 0.0:.2f}"


def nearest(known: Sequence[PcaComparison]) -> str:
    """Which arms come nearest to PCA."""
    if len(known) == 1:
        return ""
    best, *unclear = nearest_ones(known)
    if not unclear:
        return f"{best.arm} comes nearest to PCA."
    if len(unclear) == len(known) - 1:
        return "No arm comes clearly nearest to PCA."
    names = [best.arm, *(found.arm for found in unclear)]
    return f"{wording.listed(names)} come nearest to PCA (no clear difference between them)."


def nearest_ones(known: Sequence[PcaComparison]) -> list[PcaComparison]:
    """The arm with the lowest mean ratio, then those whose paired difference from it has 0 in its interval."""
    best = min(known, key=lambda found: found.ratio.mean or 0.0)
    return [best, *(found for found in known if found is not best and not _clearly_further(found, best))]


def _clearly_further(found: PcaComparison, best: PcaComparison) -> bool:
    pairs = zip(found.ratio.values, best.ratio.values, strict=True)
    between = estimate(None if a is None or b is None else a - b for a, b in pairs).interval
    return between is not None and between.low > 0


def _deployed(results: Results) -> list[PcaComparison]:
    return [found for found in pca_comparisons(results) if found.rule == results.deploy(found.arm) and found.mse.n]


def bounds(results: Results) -> list[str]:
    """Whether all errors are at least PCA's, where it is a bound, and for which arms it is none."""
    below = [found for found in pca_comparisons(results) if found.below]
    lines = [
        f"{found.arm}: {found.below} of {found.ratio.n} runs have a smaller error than PCA, which no network of that "
        "rank can have. Something is wrong with these numbers."
        for found in below
    ]
    nonlinear = list(dict.fromkeys(found.arm for found in _deployed(results) if not found.is_bound))
    if nonlinear:
        lines.append(
            f"PCA is no bound for {wording.listed(nonlinear)}: what follows the code is not linear, so that a smaller "
            "error is possible."
        )
    if not below and any(found.ratio.n for found in pca_comparisons(results) if found.is_bound):
        networks = "none of the other networks" if nonlinear else "no network"
        lines.append(f"As the Eckart-Young theorem requires, {networks} has a smaller error than PCA of the same rank.")
    return lines


def _units(results: Results) -> dict[str, list[UnitCount]]:
    """The unit counts of finished runs by arm, at its deploy rule."""
    found: dict[str, list[UnitCount]] = {}
    for count in unit_counts(results):
        if count.state == "done" and count.rule == results.deploy(count.arm):
            found.setdefault(count.arm, []).append(count)
    return found


def _bad(counts: list[UnitCount]) -> list[UnitCount]:
    return [count for count in counts if count.collapsed]
