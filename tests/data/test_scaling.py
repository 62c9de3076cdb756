import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from paribus.data.pool import Pool, whole
from paribus.data.scaling import fitted


def split_of(values, divisor):
    return whole(Pool("small", values, divisor, None, (values.shape[1],), "f" * 64))


@pytest.fixture(params=["bytes", "floats"])
def train(request):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (3000, 5), dtype=np.uint8)
    values[:, 2] = 77
    if request.param == "bytes":
        return split_of(values, 255.0)
    return split_of((values / 255).astype(np.float32), 1.0)


@pytest.mark.parametrize("scale", ["none", "unit"])
def test_features_may_stay_as_they_are(scale, train):
    scaling = fitted(scale, train)
    assert (scaling.centre, scaling.factor) == (None, None)


def test_a_centred_feature_has_the_mean_zero(train):
    scaling = fitted("centre", train)
    assert scaling.factor is None
    assert scaling.centre.dtype == np.float32
    np.testing.assert_allclose(scaling.centre, train.inputs.mean(axis=0, dtype=np.float64), rtol=1e-7)


def test_standardised_features_are_those_of_scikit_learn(train):
    scaling = fitted("standardise", train)
    found = (train.inputs - scaling.centre) * scaling.factor
    oracle = StandardScaler().fit_transform(train.inputs.astype(np.float64))
    assert scaling.factor.dtype == np.float32
    np.testing.assert_allclose(found, oracle, atol=1e-6)


def test_a_constant_feature_has_the_factor_one(train):
    assert fitted("standardise", train).factor[2] == 1


def test_one_example_and_hardly_differing_examples_give_finite_figures():
    for values in ([[0.1, 0.7]], [[0.1, 1e-45], [0.1, 0]]):
        scaling = fitted("standardise", split_of(np.array(values, np.float32), 1.0))
        np.testing.assert_array_equal(scaling.factor, [1, 1])
        assert np.isfinite(scaling.centre).all()


def test_only_the_rows_of_the_split_are_fitted(train):
    part = train.take(np.array([5, 1, 4]))
    oracle = StandardScaler().fit(train.inputs[[5, 1, 4]].astype(np.float64))
    np.testing.assert_allclose(fitted("standardise", part).factor, 1 / oracle.scale_, rtol=1e-6)
