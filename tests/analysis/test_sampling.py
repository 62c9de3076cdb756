from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from paribus.analysis.contrasts import ArmAtRule, contrast
from paribus.analysis.sampling import sampling
from paribus.analysis.verdicts import claim_outcomes, claim_sentence, with_sampling
from paribus.store.records import Artifact

RULE = "max-val-accuracy"
EXAMPLES, REPLICATES = 400, 3
CLAIM = """
[[claims]]
statement = "Dropping helps."
metric = "test_accuracy"
better = {{ arm = "dropped", rule = "max-val-accuracy" }}
than = {{ arm = "fixed", rule = "max-val-accuracy" }}
by = {by}
"""


@pytest.fixture
def recorded(classifiers, steady):
    """Results of two arms with outputs for the same test examples, and by whom each example is put into its class."""

    def make(*, same_rows: bool = True, more: str = "", worse: float = 0.90):
        draws = np.random.default_rng(5)
        hard = draws.random(EXAMPLES) < 0.2
        maker = classifiers(replicates=REPLICATES, more=more)
        right = {}
        for arm, skill in (("fixed", worse), ("dropped", 0.95)):
            for replicate in range(REPLICATES):
                hits = (draws.random(EXAMPLES) < skill) & ~(hard & (draws.random(EXAMPLES) < 0.8))
                right[arm, replicate] = hits
                logits = np.zeros((EXAMPLES, 10), np.float16)
                logits[np.arange(EXAMPLES), np.where(hits, 3, 4)] = 5
                rows = np.arange(EXAMPLES) + (0 if same_rows else replicate)
                artifacts = [
                    Artifact(RULE, "outputs/test", maker.keep(outputs=logits)),
                    Artifact("", "targets/test", maker.keep(rows=rows, labels=np.full(EXAMPLES, 3))),
                ]
                measured = {(RULE, "test_accuracy"): float(hits.mean())}
                maker.run(arm, replicate, curves=steady(replicate), measured=measured, artifacts=artifacts)
        return maker.results(), right

    return make


def found_contrast(results):
    return contrast(results, "test_accuracy", ArmAtRule("dropped", RULE), ArmAtRule("fixed", RULE))


def test_the_error_over_examples_is_that_of_their_mean_differences(recorded) -> None:
    results, right = recorded()
    difference = found_contrast(results)
    found = sampling(results, difference)
    each = np.mean([right["dropped", r].astype(float) - right["fixed", r] for r in range(REPLICATES)], axis=0)
    assert found is not None
    assert found.examples == EXAMPLES
    assert difference.mean == pytest.approx(each.mean())
    assert found.error == pytest.approx(stats.sem(each))


def test_the_interval_for_new_examples_holds_that_for_these(recorded) -> None:
    """Both variances add up; with the degrees of freedom of the replicates, it is never the narrower one."""
    results, _ = recorded()
    difference = found_contrast(results)
    found = sampling(results, difference)
    assert found is not None
    over_replicates = difference.sd / REPLICATES**0.5
    error = np.hypot(over_replicates, found.error)
    expected = stats.t.interval(0.95, REPLICATES - 1, difference.mean, error)
    assert (found.interval.low, found.interval.high) == pytest.approx(expected)
    assert found.interval.low < difference.interval.low
    assert found.interval.high > difference.interval.high


def test_test_sets_that_differ_between_replicates_have_no_shared_error(recorded) -> None:
    results, _ = recorded(same_rows=False)
    assert sampling(results, found_contrast(results)) is None


def test_the_sampling_error_is_said_where_it_takes_in_the_margin(recorded) -> None:
    """Margins are put between the two intervals' lower ends, and below both of them."""
    results, _ = recorded(worse=0.6)
    narrow, wider = found_contrast(results).interval, sampling(results, found_contrast(results)).interval
    between, below = (narrow.low + wider.low) / 2, wider.low / 2
    assert 0 < below < between
    results, _ = recorded(worse=0.6, more="".join(CLAIM.format(by=by) for by in (between, below)))
    doubtful, sure = claim_outcomes(results)
    assert (doubtful.verdict, sure.verdict) == ("SUPPORTED", "SUPPORTED")
    words = "With the sampling error of the test set, the interval is"
    assert f"{words} {with_sampling(results, doubtful)} and contains the margin of" in claim_sentence(results, doubtful)
    assert words not in claim_sentence(results, sure)
