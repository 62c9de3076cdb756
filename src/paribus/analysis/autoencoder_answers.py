"""What the numbers say about autoencoders: error against PCA, idle units, eigenfaces, denoising."""

from __future__ import annotations

from paribus.analysis import wording
from paribus.analysis.denoising import Denoised, denoised
from paribus.analysis.eigenfaces import Floor, Overlap, floors, overlaps
from paribus.analysis.estimates import estimate
from paribus.analysis.results import Results
from paribus.analysis.units import UnitCount, unit_counts
from paribus.spec.metrics import COLLAPSE_VARIATION

MOST = 0.5
"""From this share of the eigenfaces' space on, weights are said to have found most of it."""


def topics(results: Results) -> list[tuple[str, list[str]]]:
    """(topic, sentences) pairs; those without numbers are empty."""
    return [
        ("Error against PCA of the same rank", _errors(results)),
        ("Units that do nothing, and collapse", _idle(results)),
        ("Weights and eigenfaces", _eigenfaces(results)),
        ("Noisy inputs", _noise(results)),
    ]


def headline(results: Results) -> str:
    """How near the arms come to the floor that their rank sets, how many runs collapsed, and what noise does."""
    known = [floor for floor in _deployed(results) if floor.ratio.mean is not None]
    lines: list[str] = []
    if known:
        best = min(known, key=lambda floor: floor.ratio.mean or 0.0)
        each = (f"{floor.ratio.mean or 0.0:.1f} times with {floor.arm}" for floor in known)
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


def _deployed(results: Results) -> list[Floor]:
    return [floor for floor in floors(results) if floor.rule == results.deploy(floor.arm) and floor.mse.n]


def _errors(results: Results) -> list[str]:
    lines = [_error(floor) for floor in _deployed(results)]
    below = [floor for floor in floors(results) if floor.below]
    lines += [
        f"{floor.arm}: {floor.below} of {floor.ratio.n} runs lie below the floor, which no network of that rank can. "
        "Something is wrong with these numbers."
        for floor in below
    ]
    if lines and not below:
        lines.append("No run lies below its floor, as Eckart and Young's theorem demands of a linear decoder.")
    return lines


def _error(floor: Floor) -> str:
    text = f"{floor.arm} {wording.at(floor.rule)}: error {wording.spread('mse', floor.mse)} per pixel"
    if floor.ratio.mean is not None:
        text += f", {wording.number(floor.ratio.mean)} times the {wording.quantity('mse', floor.pca_mse.mean)} that "
        text += f"rank-{floor.rank} PCA leaves"
    if floor.explained.mean is not None:
        share = floor.explained.mean
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


def _idle(results: Results) -> list[str]:
    lines: list[str] = []
    for arm, counts in _units(results).items():
        dead = wording.listed(count.dead for count in counts)
        text = f"{arm}: {dead} of {counts[0].hidden} hidden units never fire on the training images"
        still = [count.unmoved for count in counts if count.unmoved is not None]
        if any(still):
            text += f", and {wording.listed(still)} of the first layer still show their random start"
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
            f"{entry.condition} {wording.quantity('mse', entry.noisy.mean)} to {wording.spread('mse', entry.network)} "
            f"(PCA {wording.quantity('mse', entry.pca.mean)})"
            for entry in shown
        )
        lines.append(f"{arm}, error per pixel from the noisy input to the network's output: {each}.")
        if judged := [entry for entry in shown if entry.gain.interval is not None]:
            worse = sum(entry.gain.interval.high < 0 for entry in judged if entry.gain.interval is not None)
            lines.append(
                f"{arm} by 95 % intervals: nearer to the clean image in {_count_clean(judged)} of {len(judged)} "
                f"conditions, further from it in {worse}, nearer than PCA of its rank in {_count_above_pca(judged)}."
            )
    return lines
