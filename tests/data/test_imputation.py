"""Missing values: scikit-learn's figures of the training examples, and nothing of the others."""

import numpy as np
import pytest
from sklearn.impute import SimpleImputer

from paribus.data.imputation import filled, fitted, missing_counts, refuse_missing
from paribus.data.pool import Pool, whole
from paribus.errors import UserError

NAN = np.nan


def pool_of(values):
    values = np.asarray(values, np.float32)
    return Pool("t.csv", values, 1.0, None, values.shape[1:], "f" * 64)


@pytest.fixture
def table():
    """60 rows of 5 columns of small whole numbers, a fifth of them missing."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, (60, 5)).astype(np.float32)
    values[rng.random((60, 5)) < 0.2] = NAN
    return pool_of(values)


@pytest.mark.parametrize(
    ("missing", "strategy"), [("median", "median"), ("mean", "mean"), ("most-frequent", "most_frequent")]
)
def test_fill_values_are_those_of_scikit_learn_on_the_training_rows(table, missing, strategy):
    train = whole(table).take(np.arange(7, 40))
    oracle = SimpleImputer(strategy=strategy).fit(table.values[7:40].astype(np.float64))
    fill = fitted(missing, train, ())
    np.testing.assert_allclose(fill, oracle.statistics_, rtol=1e-6)
    found = filled(table, fill)
    np.testing.assert_allclose(found.values, oracle.transform(table.values), rtol=1e-6)
    assert found.values.dtype == np.float32
    assert np.isnan(table.values).any()


@pytest.mark.parametrize("missing", ["median", "mean", "most-frequent"])
def test_a_category_is_the_most_frequent_one(missing):
    values = [[5, 1, 0, 0], [7, 0, 1, 0], [NAN, 0, 1, 0], [3, NAN, NAN, NAN]]
    train = whole(pool_of(values))
    fill = fitted(missing, train, [slice(1, 4)])
    np.testing.assert_array_equal(fill[1:], [0, 1, 0])
    np.testing.assert_array_equal(filled(train.pool, fill).values[3, 1:], [0, 1, 0])


def test_what_validation_or_test_hold_changes_nothing(table):
    changed = table.values.copy()
    changed[40:] = 1000
    rows = np.arange(40)
    one, other = (fitted("mean", whole(pool).take(rows), ()) for pool in (table, pool_of(changed)))
    np.testing.assert_array_equal(one, other)


def test_other_fill_values_are_another_pool(table):
    first, same, other = (filled(table, np.full(5, value, np.float32)) for value in (1, 1, 2))
    assert first is same
    assert len({table.fingerprint, first.fingerprint, other.fingerprint}) == 3


def test_a_column_without_a_known_training_value_is_refused(table):
    values = table.values.copy()
    values[:30, 2] = NAN
    with pytest.raises(UserError, match="none in column c") as caught:
        fitted("median", whole(pool_of(values)).take(np.arange(30)), (), list("abcde"))
    assert caught.value.place == "data.missing"


def test_missing_values_are_refused_by_row_and_column():
    pool = pool_of([[1, 2, 3], [1, NAN, 3], [NAN, NAN, 3]])
    np.testing.assert_array_equal(missing_counts(pool), [1, 2, 0])
    with pytest.raises(UserError, match=r"row 1 .*column b; 2 columns have missing values") as caught:
        refuse_missing(pool, ("a", "b", "c"), "t.csv")
    assert caught.value.place == "t.csv"
    with pytest.raises(UserError, match=r"row 2 .*feature 0; 2 columns"):
        refuse_missing(pool.part(np.array([0, 2])), (), "t.csv")
    refuse_missing(pool.part(np.array([0])), (), "t.csv")
