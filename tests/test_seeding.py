from __future__ import annotations

import math
from collections import Counter
from functools import partial
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from paribus.seeding import PURPOSES, Draws, Stream, Streams, derive, draws, normal_quantile

STREAM = Stream(seed=2021, index=3)
UNLIKELY = 1e-4
"""A test of fixed draws fails where a sample this odd, or odder, would be rarer than this."""


def philox(counter: int, key: int) -> list[int]:
    """One block of Philox 4x64-10: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3 (2011)."""
    word = 2**64 - 1
    c = [counter >> (64 * i) & word for i in range(4)]
    k = [key >> (64 * i) & word for i in range(2)]
    for _ in range(10):
        low, high = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [high >> 64 ^ c[1] ^ k[0], high & word, low >> 64 ^ c[3] ^ k[1], low & word]
        k = [k[0] + 0x9E3779B97F4A7C15 & word, k[1] + 0xBB67AE8584CAA73B & word]
    return c


def test_bits_are_those_of_philox() -> None:
    """The first line is a known answer that its authors publish with their code (Random123, kat_vectors)."""
    assert philox(0, 0) == [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    for key in (0, 5, 2**128 - 3):
        expected = [word for counter in range(1, 4) for word in philox(counter, key)]
        assert Draws(key).bits(12).tolist() == expected


def test_draws_go_on_where_the_last_ones_ended() -> None:
    once, twice = Draws(7), Draws(7)
    assert once.bits(10).tolist() == [*twice.bits(3).tolist(), *twice.bits(7).tolist()]


def first_draws() -> dict[str, Any]:
    numbers = partial(draws, STREAM, "order")
    return {
        "derive": f"{derive(STREAM, 'order', 5):016x}",
        "bits": [f"{word:016x}" for word in numbers(5).bits(2).tolist()],
        "uniform": [value.hex() for value in numbers(5).uniform(2).tolist()],
        "normal": [value.hex() for value in numbers(5).normal(3).tolist()],
        "integers": numbers(5).integers(10, 8).tolist(),
        "gumbel": [value.hex() for value in numbers(5).gumbel(2).tolist()],
        "beta": [value.hex() for value in numbers(5).beta(0.5, 2.0, 2).tolist()],
        "permutation": numbers(5).permutation(8).tolist(),
    }


RECORDED = {
    "derive": "a82e24cccf3961aa",
    "bits": ["a07ffe654fee1823", "6ac8478c18022cc2"],
    "uniform": ["0x1.40fffcca9fdc3p-1", "0x1.ab211e306008ap-2"],
    "normal": ["0x1.4b90aca14741fp-2", "-0x1.ac960906eca9fp-3", "-0x1.9a4d7b2195963p-1"],
    "integers": [6, 4, 2, 6, 5, 4, 1, 3],
    "gumbel": ["0x1.85fa4a3f0aabdp-1", "0x1.12e99cf30400ap-3"],
    "beta": ["0x1.3074165d50bf8p-2", "0x1.b416008b8b49ap-3"],
    "permutation": [6, 2, 7, 1, 5, 4, 0, 3],
}


def test_first_draws_are_as_recorded() -> None:
    """Golden: other draws are other splits, orders and initial weights, and need another NUMERICS."""
    assert first_draws() == RECORDED


def test_numpys_own_methods_change_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("only raw bits are promised to stay")

    for name in ("default_rng", "Generator", "RandomState", "permutation", "standard_normal", "random_sample"):
        monkeypatch.setattr(np.random, name, refused)
    for name in ("log", "log2", "log1p", "exp", "power"):  # rounded differently by different builds
        monkeypatch.setattr(np, name, refused)
    monkeypatch.setattr(np, "sort", partial(np.sort, kind="stable"))
    assert first_draws() == RECORDED


def test_purposes_streams_and_counters_have_draws_of_their_own() -> None:
    keys = [
        derive(Stream(seed, index), purpose, *counters)
        for seed, index in ((1, 23), (12, 3), (1, 2), (2, 1), (0, 0))
        for purpose in PURPOSES
        for counters in ((), (1,), (12,), (1, 2), (2, 1))
    ]
    assert len(set(keys)) == len(keys) == 25 * len(PURPOSES)
    assert all(0 <= key < 2**64 for key in keys)


def test_streams_are_uncorrelated() -> None:
    size = 20_000
    rows = [
        draws(Stream(seed, index), purpose, epoch).uniform(size)
        for seed, index, purpose, epoch in product((0, 1), (0, 1), ("init", "order"), (0, 1))
    ]
    correlations = np.corrcoef(rows)[np.triu_indices(len(rows), 1)]
    limit = stats.norm.ppf(1 - UNLIKELY / len(correlations) / 2) / math.sqrt(size)
    assert np.abs(correlations).max() < limit


def test_an_unknown_purpose_is_a_defect() -> None:
    with pytest.raises(ValueError, match="unknown purpose"):
        draws(STREAM, "weather")


def test_replicates_share_what_does_not_vary() -> None:
    everything = Streams.of_replicate(7, 3)
    assert {getattr(everything, purpose) for purpose in PURPOSES} == {Stream(7, 3)}
    shared = {
        "split": {"init", "order", "dropout", "augmentation", "module"},
        "init": {"split", "label_noise", "pixel_noise", "references", "order", "dropout", "augmentation", "module"},
        "order": {"split", "label_noise", "pixel_noise", "references", "init"},
    }
    for vary, same in shared.items():
        streams = Streams.of_replicate(7, 3, (vary,))
        assert {purpose for purpose in PURPOSES if getattr(streams, purpose) == Stream(7, 0)} == same


@given(st.integers(0, 3000), st.integers(0, 2**128 - 1))
def test_a_permutation_has_every_integer_once(count: int, key: int) -> None:
    assert sorted(Draws(key).permutation(count).tolist()) == list(range(count))


def test_a_permutation_sorts_by_random_bits() -> None:
    count, low = 1000, 10
    high = Draws(3).bits(count) >> np.uint64(low)
    assert Draws(3).permutation(count).tolist() == np.argsort(high, kind="stable").tolist()


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_every_permutation_is_as_likely(count: int) -> None:
    numbers = draws(STREAM, "order", count)
    repeats = 50 * math.factorial(count)
    found = Counter(tuple(numbers.permutation(count).tolist()) for _ in range(repeats))
    observed = [found[order] for order in permutations(range(count))]
    assert sum(observed) == repeats
    assert stats.chisquare(observed).pvalue > UNLIKELY


def test_every_integer_is_as_likely() -> None:
    found = draws(STREAM, "label_noise").integers(10, 20_000)
    assert (found.dtype, int(found.min()), int(found.max())) == (np.int64, 0, 9)
    assert stats.chisquare(np.bincount(found, minlength=10)).pvalue > UNLIKELY


def test_gumbel_numbers_are_of_their_distribution() -> None:
    found = draws(STREAM, "label_noise").gumbel(100, 200)
    assert found.shape == (100, 200)
    assert stats.kstest(found.ravel(), stats.gumbel_r.cdf).pvalue > UNLIKELY


@pytest.mark.parametrize(("a", "b"), [(0.2, 0.2), (1.0, 1.0), (8.0, 8.0), (0.5, 3.0)])
def test_beta_numbers_are_of_their_distribution(a: float, b: float) -> None:
    found = draws(STREAM, "augmentation").beta(a, b, 20_000)
    assert stats.kstest(found, stats.beta(a, b).cdf).pvalue > UNLIKELY


def test_uniform_numbers_are_uniform() -> None:
    found = draws(STREAM, "dropout").uniform(100, 200)
    assert (found.shape, found.dtype) == ((100, 200), np.float64)
    assert found.min() >= 0.0
    assert found.max() < 1.0
    assert stats.kstest(found.ravel(), "uniform").pvalue > UNLIKELY
    assert np.all(found * 2.0**53 % 1.0 == 0.0)


def test_normal_numbers_are_normal() -> None:
    found = draws(STREAM, "init").normal(100, 200)
    assert (found.shape, found.dtype) == ((100, 200), np.float64)
    assert stats.kstest(found.ravel(), "norm").pvalue > UNLIKELY
    assert stats.kstest(found.ravel() ** 2, "chi2", args=(1,)).pvalue > UNLIKELY


def test_one_number_has_no_shape() -> None:
    assert draws(STREAM, "init").normal().shape == ()
    assert draws(STREAM, "init").uniform(0).shape == (0,)


TAILS = [2.0**-53, 1e-300, 1e-100, 1e-20, math.exp(-25), 1e-10, 0.075, 0.0749999, 0.0750001, 1e-3]


def test_normal_quantiles_are_those_of_scipy() -> None:
    p = np.concatenate([TAILS, 1 - np.array([2.0**-53, 1e-10, 1e-3, 0.075]), np.linspace(0.001, 0.999, 4001)])
    np.testing.assert_allclose(normal_quantile(p), special.ndtri(p), rtol=4e-15, atol=1e-300)
    near_half = 0.5 + np.array([-(2.0**-54), 2.0**-53, 1e-10, -1e-5])
    np.testing.assert_allclose(normal_quantile(near_half), special.ndtri(near_half), rtol=4e-15)


@given(st.floats(2.0**-53, 0.5, exclude_max=True))
def test_normal_quantiles_are_odd_about_one_half(p: float) -> None:
    dyadic = max(math.floor(p * 2.0**52), 1) * 2.0**-52  # one minus this is exact
    below, above = normal_quantile(np.array([dyadic, 1.0 - dyadic]))
    assert below == -above
