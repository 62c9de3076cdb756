import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from paribus.analysis.proportions import f1_interval, wilson


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_scipys(case):
    right, examples = case
    theirs = binomtest(right, examples).proportion_ci(0.95, method="wilson")
    ours = wilson(right / examples, examples)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert right / examples in ours


def test_all_right_leaves_room_for_error():
    found = wilson(1.0, 20)
    assert found.high == 1
    assert 0.8 < found.low < 0.9
    assert wilson(0.5, 0) is None


def test_f1_lies_within_the_transformed_interval_of_its_share():
    true, predicted = [1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0]
    f1 = f1_score(true, predicted)
    union = 5  # 3 right, 1 missed, 1 false
    found, share = f1_interval(f1, union), binomtest(3, union).proportion_ci(0.95, method="wilson")
    assert f1 == pytest.approx(2 * 0.6 / 1.6)
    assert found.low == pytest.approx(2 * share.low / (1 + share.low))
    assert found.high == pytest.approx(2 * share.high / (1 + share.high))
    assert f1 in found
    assert f1_interval(0.0, 0) is None
