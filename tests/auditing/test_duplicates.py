"""Nearest examples, against scikit-learn's; and pairs with different labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from paribus.auditing import duplicates
from paribus.auditing.duplicates import Space, conflicting_pairs
from paribus.data.pool import Pool


def pool(values, shape=None, divisor=1.0):
    return Pool("made", values, divisor, None, shape or (values.shape[1],), "f" * 64)


@pytest.fixture
def random():
    return np.random.default_rng(5)


@pytest.mark.parametrize("of_bytes", [False, True])
def test_the_nearest_examples_are_those_of_scikit_learn(random, of_bytes, monkeypatch):
    monkeypatch.setattr(duplicates, "_BLOCK_VALUES", 1000)  # several blocks
    if of_bytes:
        values = random.integers(0, 256, (300, 16)).astype(np.uint8)
        space, points = Space(pool(values, (4, 4), 255.0)), values / 255
    else:
        values = (random.normal(size=(300, 16)) * random.uniform(0.1, 50, 16)).astype(np.float32)
        space, points = Space(pool(values)), (values - values.mean(0)) / values.std(0)
    queries = np.array([0, 7, 150, 299])
    found = space.nearest(queries, 4)
    distances, places = NearestNeighbors(n_neighbors=5).fit(points).kneighbors(points[queries])
    np.testing.assert_array_equal(found.positions, places[:, 1:])
    np.testing.assert_allclose(found.distances, distances[:, 1:], rtol=1e-3)


def test_every_distance_is_told(random, monkeypatch):
    monkeypatch.setattr(duplicates, "_BLOCK_VALUES", 1000)
    told: list[int] = []
    space = Space(pool(random.normal(size=(300, 16)).astype(np.float32)), told.append)
    space.nearest(np.arange(7), 2)
    assert sum(told) == 7 * 300
    assert len(told) > 1


def test_missing_values_are_at_the_mean(random):
    values = random.normal(size=(50, 3)).astype(np.float32)
    values[4, 1] = np.nan
    found = Space(pool(values)).nearest(np.arange(50), 1)
    assert np.isfinite(found.distances).all()


@pytest.mark.parametrize("all_pairs", [True, False])
def test_pairs_of_equal_and_nearly_equal_examples(random, all_pairs, monkeypatch):
    monkeypatch.setattr(duplicates, "ALL_PAIRS", 1000 if all_pairs else 10)
    values = random.normal(size=(400, 8)).astype(np.float32)
    labels = random.integers(0, 3, 400)
    values[11], labels[10:12] = values[10], (0, 1)  # equal, and called otherwise
    values[21], labels[20:22] = values[20], (2, 2)  # equal, and called alike
    values[31], labels[30:32] = values[30] + np.float32(1e-3), (1, 2)  # nearly equal
    pairs, complete = conflicting_pairs(pool(values), labels, np.array([30]), Space(pool(values)))
    assert [(pair.first, pair.second) for pair in pairs] == [(10, 11), (30, 31)]
    assert pairs[0].distance == 0
    assert 0 < pairs[1].distance < 0.01
    assert complete is all_pairs
