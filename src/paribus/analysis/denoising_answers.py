"""What networks make of corrupted images, in words: where each helps, where it stops, and how it compares with PCA."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.analysis import wording
from paribus.analysis.denoising import Denoised, SplitName
from paribus.analysis.estimates import LEVEL_TEXT, Interval

_SPLITS: tuple[SplitName, ...] = ("train", "validation")
IMAGES: dict[SplitName, str] = {"train": "training images", "validation": "images not trained on"}


def tally(cases: Sequence[Denoised]) -> str:
    """Counts of cases by their intervals; empty where none has one."""
    if not cases:
        return ""
    better, worse = _counts([case.gain.interval for case in cases])
    above, below = _counts([case.against_pca.interval for case in cases])
    rest = len(cases) - above - below
    return (
        f"In {better} of {wording.plural(len(cases), 'case')} of corruption the {LEVEL_TEXT} interval shows a lower "
        f"error than the noisy image's, in {worse} a higher one; compared with PCA of the same rank, {above} lower, "
        f"{below} higher, {rest} undecided."
    )


def nearer_and_further(cases: Sequence[Denoised]) -> str:
    """How many cases of corruption the networks improve, and how many they make worse, by the intervals."""
    better, worse = _counts([case.gain.interval for case in cases])
    return (
        f"Of {wording.plural(len(cases), 'case')} of corrupted images, the networks bring {better} nearer to the clean "
        f"images and {worse} further from them ({LEVEL_TEXT} intervals)."
    )


def help_sentence() -> str:
    """What it means that a network helps or harms."""
    return (
        "A network helps where its output has a lower error than the corrupted image, and harms where it has a higher "
        f"one ({LEVEL_TEXT} interval of the paired difference). Corrupted images stay within [0, 1]."
    )


NAMES = {"uniform": "uniform noise", "gaussian": "normal noise", "zeroed": "zeroed pixels", "block": "a missing block"}


def _counts(intervals: Sequence[Interval | None]) -> tuple[int, int]:
    """How many lie wholly above 0, and wholly below."""
    known = [one for one in intervals if one is not None]
    return sum(one.low > 0 for one in known), sum(one.high < 0 for one in known)
