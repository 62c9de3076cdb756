import pytest
from scipy import stats

from paribus.analysis.labels import peaks, ranking

WATCHED = """
[[arms]]
name = "watched"
selection = { rules = ["last"] }
test = { read_at = ["last"], monitor_every = 1 }
"""


def _watch(maker, steady, tests) -> None:
    for replicate, curve in enumerate(tests):
        measured = {("last", "memorised"): 0.6 + 0.1 * replicate, ("last", "test_accuracy"): curve[-1]}
        maker.run("watched", replicate, curves={**steady(replicate), "test_accuracy": curve}, measured=measured)


def test_a_monitored_arm_has_a_peak_an_end_and_a_fall(classifiers, steady) -> None:
    maker = classifiers(replicates=2, more=WATCHED)
    _watch(maker, steady, [[0.5, 0.84, 0.7, 0.66], [0.5, 0.6, 0.82, 0.68]])
    (found,) = peaks(maker.results())
    assert found.arm == "watched"
    assert found.peak.values == (0.84, 0.82)
    assert found.peak_epoch.values == (2.0, 3.0)
    assert found.last.values == (0.66, 0.68)
    assert found.last_epoch.values == (4.0, 4.0)
    assert found.drop.values == pytest.approx((0.18, 0.14))
    expected = stats.ttest_rel([0.84, 0.82], [0.66, 0.68]).confidence_interval(0.95)
    assert (found.drop.interval.low, found.drop.interval.high) == pytest.approx((expected.low, expected.high))
    assert found.memorised.values == (0.6, 0.7)


def test_epochs_at_which_the_test_data_were_not_evaluated_do_not_count(classifiers, steady) -> None:
    maker = classifiers(replicates=1, more=WATCHED.replace("monitor_every = 1", "monitor_every = 2"))
    nan = float("nan")
    _watch(maker, steady, [[nan, 0.8, nan, 0.7]])
    (found,) = peaks(maker.results())
    assert (found.peak_epoch.values, found.last_epoch.values) == ((2.0,), (4.0,))


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0.09, 0.03, 0.05, 0.0801, 0.3], 4),  # 0.0801 is five points above 0.03
        ([0.2, 0.1, 0.14, 0.12, 0.1], None),
        ([0.0, 0.06, 0.0], 2),
        ([float("nan"), 0.02, 0.08], 3),
    ],
)
def test_memorising_begins_where_wrong_labels_are_predicted_more_often_than_at_the_least(
    classifiers, steady, curve, expected
) -> None:
    maker = classifiers(replicates=1, more=WATCHED)
    tests = [0.5] * len(curve)
    curves = {**steady(0), "test_accuracy": tests, "train_accuracy_wrong": curve}
    maker.run("watched", 0, curves=curves, measured={})
    (found,) = peaks(maker.results())
    assert found.onset.values == (expected,)


def test_arms_are_ranked_best_first_each_against_the_control(compared) -> None:
    ranked = ranking(compared([0.80, 0.81, 0.82], [0.85, 0.855, 0.87]), "test_accuracy")
    assert [entry.arm for entry in ranked] == ["dropped", "fixed"]
    assert ranked[0].contrast.mean == pytest.approx(0.0483, abs=1e-4)
    assert ranked[0].contrast.interval.low > 0
    assert ranked[1].contrast is None


def test_less_is_better_for_a_loss_and_unknown_arms_come_last(classifiers, steady) -> None:
    maker = classifiers(more=WATCHED)
    maker.run("dropped", 0, curves=steady(0))
    maker.run("fixed", 0, curves={**steady(0), "train_loss": [0.1] * 4})
    assert [entry.arm for entry in ranking(maker.results(), "train_loss")] == ["fixed", "dropped", "watched"]


def test_what_has_no_better_or_worse_is_not_ranked(compared) -> None:
    with pytest.raises(ValueError, match="epoch"):
        ranking(compared([0.8], [0.9]), "epoch")
