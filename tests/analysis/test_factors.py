"""Crossed factors: the design found from the recipes, effects and interactions against SciPy on hand-made means."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from paribus.analysis.factors import design, interactions, main_effects

CROSSED = """
format = 1
name = "crossed"
question = "Which settings matter?"
replicates = 4
[data]
source = "fashion-mnist"
split = "scarce"
[network]
hidden = [32]
[optimizer]
kind = "sgd"
lr = 1e-3
[training]
epochs = 4
batch_size = 128
[selection]
rules = ["last"]
[test]
read_at = ["last"]
{arms}
"""
FACTORS = """
[factors]
"optimizer.momentum" = [0.0, 0.9]
"optimizer.weight_decay" = [0.0, 1e-4]
"""
BY_HAND = """
[[arms]]
name = "plain"
[[arms]]
name = "decay"
optimizer = { weight_decay = 1e-4 }
[[arms]]
name = "momentum"
optimizer = { momentum = 0.9 }
[[arms]]
name = "both"
optimizer = { momentum = 0.9, weight_decay = 1e-4 }
"""


@pytest.fixture
def values() -> np.ndarray:
    """Accuracies (momentum, decay, replicate)."""
    rng = np.random.default_rng(5)
    return 0.8 + np.array([[0.0, 0.01], [0.03, 0.06]])[:, :, None] + 0.002 * rng.standard_normal((2, 2, 4))


def _results(classifiers, steady, arms: str, values: np.ndarray):
    maker = classifiers(text=CROSSED.format(arms=arms).replace("{", "{{").replace("}", "}}"))
    for place, arm in enumerate(maker.study.arms):
        for replicate in range(4):
            value = float(values[place // 2, place % 2, replicate])
            maker.run(arm.name, replicate, curves=steady(0), measured={("last", "test_accuracy"): value})
    return maker.results()


@pytest.mark.parametrize("arms", [FACTORS, BY_HAND])
def test_main_effects_are_means_over_the_other_factor(classifiers, steady, values, arms) -> None:
    results = _results(classifiers, steady, arms, values)
    found = design(results)
    assert found is not None
    assert [factor.name for factor in found.factors] == ["momentum", "weight decay"]
    assert [factor.levels for factor in found.factors] == [("0", "0.9"), ("0", "0.0001")]
    momentum, decay = main_effects(results, found, "test_accuracy")
    by_replicate = (values[1] - values[0]).mean(axis=0)
    theirs = stats.ttest_1samp(by_replicate, 0).confidence_interval()
    assert momentum.estimate.values == pytest.approx(tuple(by_replicate))
    assert momentum.estimate.interval is not None
    assert (momentum.estimate.interval.low, momentum.estimate.interval.high) == pytest.approx((theirs.low, theirs.high))
    assert decay.estimate.mean == pytest.approx((values[:, 1] - values[:, 0]).mean())


def test_an_interaction_is_the_change_of_an_effect(classifiers, steady, values) -> None:
    results = _results(classifiers, steady, FACTORS, values)
    found = design(results)
    assert found is not None
    (effect,) = interactions(results, found, "test_accuracy")
    assert (effect.factor, effect.other) == ("momentum", "weight decay")
    assert effect.estimate.mean == pytest.approx((values[1, 1] - values[0, 1] - values[1, 0] + values[0, 0]).mean())


@pytest.mark.parametrize(
    "arms",
    [
        BY_HAND.rpartition("[[arms]]")[0],  # one combination is missing
        '[factors]\n"optimizer.momentum" = [0.0, 0.5, 0.9]',  # one factor
    ],
)
def test_arms_that_cross_nothing_have_no_design(classifiers, steady, values, arms) -> None:
    maker = classifiers(text=CROSSED.format(arms=arms).replace("{", "{{").replace("}", "}}"))
    assert design(maker.results()) is None
