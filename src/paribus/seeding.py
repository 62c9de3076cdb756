"""Every random number of paribus: a stream for each purpose, and draws made from raw bits.

A run has one stream, (seed, index), for each purpose. Runs of one replicate share the seed and the index, so arms share
their split, the order of their examples and, where shapes agree, their initial weights: all else equal.

Only the raw bits of Philox are taken from NumPy, which promises to keep them. What NumPy makes of them (permutations,
normal numbers) may change from version to version, so it is made here, by operations that IEEE 754 rounds in one way
only: the same numbers on every processor.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt

Varied = Literal["split", "init", "order"]
"""What replicates can vary."""


@dataclass(frozen=True)
class Stream:
    """A source of random numbers: a study's seed, and the index that tells replicates apart."""

    seed: int
    index: int


@dataclass(frozen=True)
class Streams:
    """The stream of each purpose. A new purpose is a new field: it changes no draw of the others."""

    split: Stream
    label_noise: Stream
    init: Stream
    order: Stream
    dropout: Stream
    pixel_noise: Stream
    augmentation: Stream
    references: Stream
    module: Stream

    @classmethod
    def of_replicate(cls, seed: int, index: int, vary: Sequence[Varied] = ("split", "init", "order")) -> Streams:
        """The streams of the replicate with this index: purposes that `vary` does not list stay at index 0."""
        return cls(**{
            name: Stream(seed, index if varied in vary else 0) for varied, names in _PURPOSES.items() for name in names
        })  # fmt: skip


_PURPOSES: dict[Varied, tuple[str, ...]] = {
    "split": ("split", "label_noise", "pixel_noise", "references"),
    "init": ("init",),
    "order": ("order", "dropout", "augmentation", "module"),
}
"""Which purposes go with what replicates can vary: data, initial weights, and what is random during training."""

PURPOSES: tuple[str, ...] = tuple(field.name for field in fields(Streams))


def derive(stream: Stream, purpose: str, *counters: int) -> int:
    """A 64-bit key for `purpose` in a stream; `counters` (epoch, layer) give independent keys.

    Counting instead of drawing on is what lets an interrupted run resume without a generator's state.
    """
    return int.from_bytes(_digest(stream, purpose, counters)[:8], "little")


def draws(stream: Stream, purpose: str, *counters: int) -> Draws:
    """Random numbers for `purpose`; see `derive` for `counters`."""
    return Draws(int.from_bytes(_digest(stream, purpose, counters)[:16], "little"))


def sampler_seed(seed: int, bracket: int) -> int:
    """The 32-bit seed of what proposes the candidates of a bracket of a search."""
    return int.from_bytes(hashlib.sha256(f"{seed}/search/{bracket}".encode()).digest()[:4], "little")


def _digest(stream: Stream, purpose: str, counters: Sequence[int]) -> bytes:
    if purpose not in PURPOSES:
        raise ValueError(f"unknown purpose {purpose!r}")
    words = "/".join([str(stream.seed), str(stream.index), purpose, *map(str, counters)])
    return hashlib.sha256(words.encode()).digest()


class Draws:
    """Random numbers from the raw bits of Philox 4x64 (Salmon et al. 2011), keyed by 128 bits."""

    def __init__(self, key: int) -> None:
        self._generator = np.random.Philox(key=key)

    def bits(self, count: int) -> npt.NDArray[np.uint64]:
        """`count` words of 64 random bits."""
        return np.asarray(self._generator.random_raw(count), dtype=np.uint64)

    def uniform(self, *shape: int) -> npt.NDArray[np.float64]:
        """Numbers in [0, 1), multiples of 2**-53."""
        return ((self.bits(math.prod(shape)) >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape)

    def integers(self, high: int, count: int) -> npt.NDArray[np.int64]:
        """Integers from 0 to `high` - 1, `high` below 2**31. No value is more frequent than another by over 2**-22."""
        return np.floor(self.uniform(count) * high).astype(np.int64)

    def permutation(self, count: int) -> npt.NDArray[np.int64]:
        """The integers from 0 to `count` - 1 in random order.

        Each integer gets random high bits, and all are sorted: [0, 1, 2] with the high bits 7, 2, 5 gives [1, 2, 0].
        The sorted words are all different, so every sorting algorithm gives the same order.
        """
        mask = np.uint64((1 << max(count - 1, 1).bit_length()) - 1)
        words = self.bits(count)
        words &= ~mask
        words |= np.arange(count, dtype=np.uint64)
        words.sort()
        words &= mask
        return words.view(np.int64)

    def normal(self, *shape: int) -> npt.NDArray[np.float64]:
        """Standard normal numbers: the inverse of the normal distribution function at uniform numbers in (0, 1)."""
        steps = (self.bits(math.prod(shape)) >> np.uint64(12)).astype(np.float64)
        return normal_quantile((steps + 0.5) * 2.0**-52).reshape(shape)

    def gumbel(self, *shape: int) -> npt.NDArray[np.float64]:
        """Standard Gumbel numbers: -log(-log(u)) at uniform numbers u in (0, 1)."""
        steps = (self.bits(math.prod(shape)) >> np.uint64(12)).astype(np.float64)
        return -_log(-_log((steps + 0.5) * 2.0**-52)).reshape(shape)

    def beta(self, a: float, b: float, count: int) -> npt.NDArray[np.float64]:
        """Numbers in [0, 1] of the beta distribution: a gamma number over the sum of two. `a` and `b` from 0.1 on."""
        first, second = self._gamma(a, count), self._gamma(b, count)
        return first / (first + second)

    def _gamma(self, shape: float, count: int) -> npt.NDArray[np.float64]:
        """Gamma numbers of scale 1.

        Marsaglia and Tsang (2000): d (1 + c x)**3 of a normal number x, d = shape - 1/3 and c = 1 / sqrt(9 d), which is
        drawn again as often as their test rejects it. Below a shape of 1, a number of shape + 1 is multiplied by
        u**(1 / shape) with a uniform number u.
        """
        d = (shape if shape >= 1 else shape + 1) - 1 / 3
        c, found = 1 / math.sqrt(9 * d), np.zeros(count)
        waiting = np.arange(count)
        while len(waiting):
            x = self.normal(len(waiting))
            v, u = (1 + c * x) ** 3, 1.0 - self.uniform(len(waiting))
            positive = v > 0
            bound = 0.5 * x * x + d - d * v + d * _log(np.where(positive, v, 1.0))
            taken = positive & (_log(u) < bound)
            found[waiting[taken]] = d * v[taken]
            waiting = waiting[~taken]
        return found if shape >= 1 else found * _exp(_log(1.0 - self.uniform(count)) / shape)


def normal_quantile(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The number below which a standard normal number lies with probability `p`, 0 < p < 1, within 1e-15 relatively.

    Wichura's algorithm AS 241 (1988): a ratio of polynomials in the centre, |p - 1/2| <= 0.425, and two others in the
    tails, in r = sqrt(-log(min(p, 1 - p))).
    """
    q = p - 0.5
    centre = np.abs(q) <= 0.425
    r = np.where(centre, 0.180625 - q * q, 0.0)
    found = q * _ratio(r, *_CENTRE)
    tail = np.sqrt(-_log(np.where(centre, 0.5, np.minimum(p, 1.0 - p))))
    near, far = _ratio(tail - 1.6, *_NEAR_TAIL), _ratio(tail - 5.0, *_FAR_TAIL)
    return np.where(centre, found, np.copysign(np.where(tail <= 5.0, near, far), q))


def _log(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The natural logarithm of positive numbers, by basic operations: log(m 2**e) = e log 2 + 2 artanh(s),
    s = (m - 1) / (m + 1), m in [sqrt(1/2), sqrt(2)), so that |s| < 0.172 and the series ends after 11 terms."""
    m, e = np.frexp(x)
    small = m < 0.5**0.5
    m, e = np.where(small, 2 * m, m), e - small
    s = (m - 1) / (m + 1)
    square, series = s * s, np.zeros_like(s)
    for k in range(21, 0, -2):
        series = series * square + 1 / k
    return e * 0.6931471805599453 + 2 * s * series


def _exp(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """e**x by basic operations: with x = n log 2 + r, |r| <= log(2) / 2, it is 2**n times the Taylor series of r.

    n times the first part of log 2 is exact.
    """
    n = np.rint(x / 0.6931471805599453)
    r, series = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10, np.ones_like(x)
    for k in range(16, 0, -1):
        series = 1.0 + series * r / k
    return np.ldexp(series, n.astype(np.int64))


def _ratio(
    x: npt.NDArray[np.float64], numerator: Sequence[float], denominator: Sequence[float]
) -> npt.NDArray[np.float64]:
    """A ratio of two polynomials, coefficients from the constant term up."""
    above, below = np.zeros_like(x), np.zeros_like(x)
    for a, b in zip(reversed(numerator), reversed(denominator), strict=True):
        above, below = above * x + a, below * x + b
    return above / below


_CENTRE = (
    (3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
     45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727),
    (1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077,
     21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610),
)  # fmt: skip
_NEAR_TAIL = (
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
     1.27045825245236838258, 0.241780725177450611770, 0.0227238449892691845833, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550,
     0.148103976427480074590, 0.0151986665636164571966, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_FAR_TAIL = (
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 0.296560571828504891230,
     0.0265321895265761230930, 0.00124266094738807843860, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 0.599832206555887937690, 0.136929880922735805310, 0.0148753612908506148525,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip
"""The coefficients of AS 241's three ratios: numerator, denominator."""
