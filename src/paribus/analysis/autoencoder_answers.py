"""What the numbers say about autoencoders: error against PCA, dead units, eigenfaces, denoising."""

from __future__ import annotations

from paribus.analysis import wording
from paribus.analysis.denoising import Denoised, denoised
from paribus.analysis.eigenfaces import Overlap, PcaComparison, overlaps, pca_comparisons
from paribus.analysis.estimates import LEVEL_TEXT, estimate
from paribus.analysis.results import Results
from paribus.analysis.thresholds import COLLAPSE_VARIATION
from paribus.analysis.unit_counts import UnitCount, unit_counts

MOST = 0.5
"""From this share of the eigenfaces' space on, weights span most of it."""


def topics(results: Results) -> list[tuple[str, list[str]]]:
    """(topic, sentences) pairs; those without numbers are empty."""
    return [
        ("Error against PCA of the same rank", _errors(results)),
        ("Dead and unmoved units, and collapse", _dead_units(results)),
        ("Weights and eigenfaces", _eigenfaces(results)),
        ("Noisy inputs", _noise(results)),
    ]


def headline(results: Results) -> str:
    """How near the arms come to the error that PCA of their rank leaves, how many runs collapsed, what noise does."""
    known = [found for found in _deployed(results) if found.ratio.mean is not None]
    lines: list[str] = []
    if known:
        best = min(known, key=lambda found: found.ratio.mean or 0.0)
        each = (f"{found.ratio.mean or 0.0:.1f} times with {found.arm}" for found in known)
        lines.append(
            f"Beside the error that PCA of the same rank leaves on the same images: {wording.listed(each)}; "
            f"{best.arm} comes nearest to what its rank allows."
        )
    units = _units(results)
    collapsed = [f"{len(_bad(own))} of {len(own)} of {arm}" for arm, own in units.items() if _bad(own)]
    if collapsed:
        lines.append(f"Collapsed runs, printing one image for every input: {wording.listed(collapsed)}.")
    shown = [entry for entry in _shown(results) if entry.gain.interval is not None]
    if shown:
        clean, rivals = _count_clean(shown), _count_above_pca(shown)
        lines.append(
            f"Of {wording.plural(len(shown), 'case')} of noise, the network brings the image nearer to the clean one "
            f"in {clean}, and nearer than PCA does in {rivals}."
        )
    return " ".join(lines)


def _deployed(results: Results) -> list[PcaComparison]:
    return [found for found in pca_comparisons(results) if found.rule == results.deploy(found.arm) and found.mse.n]


def _errors(results: Results) -> list[str]:
    lines = [_error(found) for found in _deployed(results)]
    below = [found for found in pca_comparisons(results) if found.below]
    lines += [
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


def _error(found: PcaComparison) -> str:
    text = f"{found.arm} {wording.at(found.rule)}: error {wording.mean_and_sd('mse', found.mse)} per pixel"
    if found.ratio.mean is not None:
        text += f", {wording.number(found.ratio.mean)} times the {wording.quantity('mse', found.pca_mse.mean)} that "
        text += f"rank-{found.rank} PCA leaves"
    if found.explained.mean is not None:
        share = found.explained.mean
        worse = "; that is worse than the mean image for every input"
        text += (
            worse if share < 0 else f"; of the variance that PCA of that rank explains it explains {100 * share:.0f} %"
        )
    return f"{text}."


def _units(results: Results) -> dict[str, list[UnitCount]]:
    """The unit counts of finished runs by arm, at its deploy rule."""
    found: dict[str, list[UnitCount]] = {}
    for count in unit_counts(results):
        if count.state == "done" and count.rule == results.deploy(count.arm):
            found.setdefault(count.arm, []).append(count)
    return found


def _bad(counts: list[UnitCount]) -> list[UnitCount]:
    return [count for count in counts if count.collapsed]


def _dead_units(results: Results) -> list[str]:
    lines: list[str] = []
    for arm, counts in _units(results).items():
        dead = wording.listed(count.dead for count in counts)
        text = f"{arm}: {dead} of {counts[0].hidden} hidden units are dead: constant on the training examples"
        still = [count.unmoved for count in counts if count.unmoved is not None]
        if any(still):
            text += f"; {wording.listed(still)} are close to their initial weights"
        lines.append(f"{text}{' (by replicate)' if len(counts) > 1 else ''}.")
        if bad := _bad(counts):
            shares = wording.listed(f"{100 * (count.output_variation or 0):.2g} %" for count in bad)
            lines.append(
                f"{arm}: {len(bad)} of {wording.plural(len(counts), 'run')} collapsed: the output varies {shares} as "
                f"much as the input (below {100 * COLLAPSE_VARIATION:g} % counts), so every input gives the same image."
            )
    return lines


def _eigenfaces(results: Results) -> list[str]:
    grouped: dict[tuple[str, str], list[Overlap]] = {}
    for overlap in overlaps(results):
        grouped.setdefault((overlap.arm, overlap.where), []).append(overlap)
    if not grouped:
        return []
    lines = [_overlap(arm, where, own) for (arm, where), own in grouped.items()]
    what = (
        "The link is the share of the first eigenfaces' space that lies in the space which the weights span (mean "
        "squared cosine of the principal angles): 100 % is the same space, and chance is units over pixels."
    )
    return [what, *lines]


def _overlap(arm: str, where: str, own: list[Overlap]) -> str:
    share = estimate(overlap.share for overlap in own)
    chance = sum(overlap.chance for overlap in own) / len(own)
    text = f"{arm}, {where}: {100 * (share.mean or 0.0):.1f} % of the space of the first {own[0].rank} eigenfaces"
    text += "" if share.sd is None else f" (sd {100 * share.sd:.1f}, n = {share.n})"
    text += f", {100 * chance:.2g} % by chance"
    widest = estimate(float(overlap.cosines[0]) for overlap in own if len(overlap.cosines))
    if widest.mean is not None:
        text += f"; the best matched direction has a cosine of {widest.mean:.3f}"
    if min(overlap.share for overlap in own) >= MOST:
        return f"{text}: every run found most of what PCA finds."
    if share.interval is not None and share.interval.low > chance:
        return f"{text}: more than chance, but not most of it in every run."
    return f"{text}{'' if share.interval is None else ': no clear difference from chance'}."


def _shown(results: Results) -> list[Denoised]:
    """The corruptions shown to the networks that the arms deploy."""
    return [entry for entry in denoised(results) if entry.rule == results.deploy(entry.arm)]


def _count_clean(shown: list[Denoised]) -> int:
    return sum(entry.gain.interval is not None and entry.gain.interval.low > 0 for entry in shown)


def _count_above_pca(shown: list[Denoised]) -> int:
    return sum(entry.against_pca.interval is not None and entry.against_pca.interval.low > 0 for entry in shown)


def _noise(results: Results) -> list[str]:
    by_arm: dict[str, list[Denoised]] = {}
    for entry in _shown(results):
        by_arm.setdefault(entry.arm, []).append(entry)
    if not by_arm:
        return []
    made = dict.fromkeys(f"{entry.condition}: {entry.made}" for shown in by_arm.values() for entry in shown)
    lines = [f"The noise was made so: {'; '.join(made)}."]
    for arm, shown in by_arm.items():
        each = "; ".join(
            f"{entry.condition} {wording.quantity('mse', entry.noisy.mean)} to "
            f"{wording.mean_and_sd('mse', entry.network)} (PCA {wording.quantity('mse', entry.pca.mean)})"
            for entry in shown
        )
        lines.append(f"{arm}, error per pixel from the noisy input to the network's output: {each}.")
        if known := [entry for entry in shown if entry.gain.interval is not None]:
            worse = sum(entry.gain.interval.high < 0 for entry in known if entry.gain.interval is not None)
            lines.append(
                f"{arm} by {LEVEL_TEXT} intervals: nearer to the clean image in {_count_clean(known)} of {len(known)} "
                f"conditions, further from it in {worse}, nearer than PCA of its rank in {_count_above_pca(known)}."
            )
    return lines
