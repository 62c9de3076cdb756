"""What the weights of autoencoders show, in words: the space that they span, and what single units look like."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.analysis import wording
from paribus.analysis.autoencoder_answers import MOST
from paribus.analysis.eigenfaces import Where, overlaps
from paribus.analysis.estimates import estimate
from paribus.analysis.results import Results
from paribus.analysis.thresholds import EIGENFACE_COSINE, NOISE_CORRELATION, SMOOTH_CORRELATION
from paribus.analysis.weight_patterns import weight_patterns


def weight_sentences(results: Results) -> list[str]:
    """The eigenfaces' share in the span of decoders and encoders, then what single units look like.

    Nothing without eigenfaces.
    """
    decoders, encoders = _shares(results, "decoder"), _shares(results, "encoder")
    if not decoders:
        return []
    near = [arm for arm in decoders if decoders[arm] >= MOST]
    far = [arm for arm in decoders if arm not in near]
    first, *rest = [(_range(decoders, arms), wording.listed(arms)) for arms in (near, far) if arms]
    span = f"Decoder weights span {first[0]} of the space of as many eigenfaces with {first[1]}"
    span += "".join(f", and {shares} with {arms}" for shares, arms in rest)
    return [f"{span}; encoder weights span {_range(encoders, list(encoders))}.", _single(results)]


def patterns_in_words() -> str:
    """From which numbers on a unit counts as what."""
    return (
        f"A unit is a smooth image where neighbouring pixels of its weights correlate by {SMOOTH_CORRELATION:g} or "
        f"more, and looks like noise where they correlate by less than {NOISE_CORRELATION:g}. It resembles an "
        f"eigenface where the cosine of both is at least {EIGENFACE_COSINE:g}, or at most −{EIGENFACE_COSINE:g}."
    )


def _shares(results: Results, where: Where) -> dict[str, float]:
    """The mean overlap of each arm over its replicates."""
    found: dict[str, list[float]] = {}
    for overlap in overlaps(results):
        if overlap.where == where:
            found.setdefault(overlap.arm, []).append(overlap.share)
    return {arm: estimate(shares).mean or 0.0 for arm, shares in found.items()}


def _range(shares: dict[str, float], arms: Sequence[str]) -> str:
    low, high = (f"{100 * end:.0f}" for end in (min(shares[a] for a in arms), max(shares[a] for a in arms)))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _single(results: Results) -> str:
    """How many units resemble one eigenface, and how many are smooth or noise."""
    units = [found for found in weight_patterns(results) if found.where == "decoder"]
    total, alike = sum(found.units for found in units), sum(found.eigenfaces for found in units)
    words = f"Of {wording.plural(total, 'decoder unit')}, "
    like = f"{alike:,} resemble{'s' if alike == 1 else ''} a single eigenface (cosine of {EIGENFACE_COSINE:g} or more)"
    images = [found for found in weight_patterns(results) if found.smooth is not None]
    if not images:
        return f"{words}{like}."
    smooth = sum(found.smooth or 0 for found in images if found.where == "decoder")
    noise: dict[str, list[int]] = {}
    for found in images:
        if found.where == "encoder":
            counts = noise.setdefault(found.arm, [0, 0])
            counts[0] += found.noise or 0
            counts[1] += found.units
    noisy = [f"{count:,} of {of:,} with {arm}" for arm, (count, of) in noise.items() if count]
    told = (
        f"encoder units that look like noise: {wording.listed(noisy)}" if noisy else "no encoder unit looks like noise"
    )
    return f"{words}{smooth:,} {'is a smooth image' if smooth == 1 else 'are smooth images'}, {like}; {told}."
