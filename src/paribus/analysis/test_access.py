"""The locked test set: how often a study read its test data, and for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paribus.analysis.results import Results
from paribus.analysis.wording import listed, plural


@dataclass(frozen=True)
class TestAccess:
    """Logged reads of a study's test data. Monitoring counts as one read a run, whatever its number of epochs.

    `examples` is the largest number of test examples of one read.
    """

    __test__: ClassVar[bool] = False  # to pytest the name reads like a class of tests
    reads: int
    runs: int
    examples: int
    by_purpose: Mapping[str, int]
    monitored_arms: tuple[str, ...]
    sentence: str

    @property
    def monitors(self) -> bool:
        """Whether test data were evaluated during training: the best epoch found so is no estimate of performance."""
        return bool(self.monitored_arms)


def test_access(results: Results) -> TestAccess:
    """What the log of test reads says, with what the recipes declare about monitoring."""
    reads = results.test_reads
    purposes = Counter[str](read.purpose for read in reads)
    monitored = tuple(arm for arm in results.arms if results.monitored(arm))
    examples = max((read.examples for read in reads), default=0)
    return TestAccess(
        reads=len(reads),
        runs=len({read.run_id for read in reads}),
        examples=examples,
        by_purpose=dict(purposes),
        monitored_arms=monitored,
        sentence=_sentence(results, purposes, monitored, examples),
    )


def has_test_data(results: Results) -> bool:
    """Whether an arm's data have a test split, as far as runs are recorded."""
    datasets = (results.dataset(arm) for arm in results.arms)
    return any(dataset is not None and dataset.test > 0 for dataset in datasets)


def _sentence(results: Results, purposes: Counter[str], monitored: tuple[str, ...], examples: int) -> str:
    if results.runs and not has_test_data(results):
        return "This study has no test data."
    if not purposes:
        return "The test data have not been read."
    text = (
        f"The test data ({plural(examples, 'example')}) were read {plural(purposes['selected snapshot'], 'time')} at "
        "selected snapshots, each read logged."
    )
    if purposes["reference line"]:
        text += f" For reference lines they were read {plural(purposes['reference line'], 'time')}, logged, too."
    if not monitored:
        return f"{text} No arm was monitored on test data during training."
    everyone = len(monitored) == len(results.arms)
    who = "every arm" if everyone else listed(monitored)
    return f"{text} In {who}, test data were also monitored during training: {_monitoring(results, monitored)}."


def _monitoring(results: Results, monitored: tuple[str, ...]) -> str:
    """How often monitoring evaluated test data, on how many examples, and what that means."""
    evaluations = sum(
        run.epochs_done // results.recipe(arm).test.monitor_every for arm in monitored for run in results.of(arm)
    )
    parts = {results.recipe(arm).test.monitor_examples for arm in monitored}
    part = parts.pop() if len(parts) == 1 else None
    which = "" if part is None else f" of the first {plural(part, 'example')}"
    return (
        f"{plural(evaluations, 'evaluation')}{which}. An epoch chosen by them uses the test data, and its accuracy is "
        "optimistically biased"
    )
