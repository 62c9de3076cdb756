"""The locked drawer: how often a study read its test data, and for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paribus.analysis.results import Results
from paribus.analysis.wording import listed, plural


@dataclass(frozen=True)
class TestAccess:
    """Logged readings of a study's test data. Monitoring counts as one reading a run, whatever its number of epochs.

    `images` is the largest number of test images that one reading saw.
    """

    __test__: ClassVar[bool] = False  # to pytest the name reads like a class of tests
    reads: int
    runs: int
    images: int
    by_purpose: Mapping[str, int]
    monitored_arms: tuple[str, ...]
    sentence: str

    @property
    def monitors(self) -> bool:
        """Whether test data were looked at during training: an upper bound drawn so is no estimate of performance."""
        return bool(self.monitored_arms)


def test_access(results: Results) -> TestAccess:
    """What the log of test reads says, with what the recipes declare about monitoring."""
    reads = results.test_reads
    purposes = Counter[str](read.purpose for read in reads)
    monitored = tuple(arm for arm in results.arms if results.monitored(arm))
    runs, images = len({read.run_id for read in reads}), max((read.images for read in reads), default=0)
    return TestAccess(
        len(reads), runs, images, dict(purposes), monitored, _sentence(results, purposes, monitored, images)
    )


def _sentence(results: Results, purposes: Counter[str], monitored: tuple[str, ...], images: int) -> str:
    if not any(results.recipe(arm).has_test for arm in results.arms):
        return "This study has no test data."
    if not purposes:
        return "The test data have not been read."
    text = (
        f"The test data ({plural(images, 'image')}) were read {plural(purposes['selected snapshot'], 'time')} at "
        "selected snapshots, each reading logged."
    )
    if not monitored:
        return f"{text} No arm was monitored on test data during training."
    everyone = len(monitored) == len(results.arms)
    who = "every arm" if everyone else listed(monitored)
    return (
        f"{text} This study also monitors test data during training, in {who} "
        f"({plural(purposes['monitoring'], 'run')}): a best epoch found that way is chosen on the "
        "test data, and is no estimate of what a user would get."
    )
