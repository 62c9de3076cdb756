"""Examples that are equal, or nearly, and have different labels: one of the two labels is wrong.

Equal features are found among all examples by their hashes. Nearly equal ones are found by distance: among all pairs
where there are at most `ALL_PAIRS` examples, and else among the pairs of a suspect and any other example.

Distances are Euclidean: of images as they are within [0, 1], of rows with each feature divided by its standard
deviation. A pair is nearly equal if it is at most `NEARLY` times as far apart as examples typically are from their
nearest one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from paribus.data.inspection import content_hashes
from paribus.data.pool import Pool

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

ALL_PAIRS: Final = 5_000
"""Examples up to which every pair is looked at."""
NEARLY: Final = 0.25
MAX_LISTED: Final = 1000
_BLOCK_VALUES: Final = 2**24
SAMPLE: Final = 250
"""Examples from which the typical distance is taken."""


@dataclass(frozen=True)
class Pair:
    """Two positions among the examples, and how far apart they are."""

    first: int
    second: int
    distance: float


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest examples of some: `positions` and `distances` (query, neighbour), the nearest first."""

    queries: Ints
    positions: Ints
    distances: Floats


class Space:
    """The examples as points. Made once, its rows are scaled when they are asked for.

    `watch` is told of every block of examples that queries are compared with: of how many distances it was.
    """

    def __init__(self, pool: Pool, watch: Callable[[int], None] | None = None) -> None:
        self._values, self._watch = pool.values, watch
        self._shift, self._factor = _scaling(pool)
        self._squares = np.concatenate([
            np.einsum("ij,ij->i", block, block) for _, block in self._blocks()
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self._values)

    def points(self, chosen: Any) -> Floats:
        """The points (example, feature) of some rows."""
        found = self._values[chosen].astype(np.float32)
        if found.dtype.kind == "f" and self._values.dtype.kind == "f":
            missing = np.isnan(found)
            if missing.any():
                found = np.where(missing, self._shift, found)
        found -= self._shift
        found *= self._factor
        return found

    def _blocks(self) -> Any:
        rows = max(1, _BLOCK_VALUES // max(1, self._values.shape[1]))
        for start in range(0, len(self._values), rows):
            yield start, self.points(slice(start, start + rows))

    def nearest(self, queries: Ints, count: int, forbidden: npt.NDArray[Any] | None = None) -> Neighbours:
        """The `count` nearest other examples of each of `queries` (query,).

        With `forbidden` (example,), examples that have the query's own value there do not count.
        """
        count = min(count, len(self) - 1)
        best = np.full((len(queries), count), np.inf, np.float32)
        places = np.zeros((len(queries), count), np.int64)
        points, squares = self.points(queries), self._squares[queries]
        at_once = max(1, _BLOCK_VALUES // max(1, len(queries)))
        for start, block in self._blocks():
            for inner in range(0, len(block), at_once):
                some = block[inner : inner + at_once]
                first = start + inner
                products = points @ some.T
                products *= 2
                distances = squares[:, None] + self._squares[first : first + len(some)]
                distances -= products
                _exclude(distances, queries, first)
                if forbidden is not None:
                    distances[forbidden[queries][:, None] == forbidden[first : first + len(some)]] = np.inf
                _merge(best, places, distances, first)
                if self._watch is not None:
                    self._watch(distances.size)
        return Neighbours(queries, places, np.sqrt(np.maximum(best, 0)))

    def typical(self) -> float:
        """The median distance of an example to its nearest one, from a sample spread over all."""
        sample = np.unique(np.linspace(0, len(self) - 1, min(len(self), SAMPLE)).astype(np.int64))
        return float(np.median(self.nearest(sample, 1).distances)) if len(self) > 1 else 0.0


def _scaling(pool: Pool) -> tuple[Floats, Floats]:
    """What is taken from each feature, and what it is multiplied by."""
    if len(pool.shape) > 1:
        width = pool.values.shape[1]
        return np.zeros(width, np.float32), np.full(width, 1 / pool.divisor, np.float32)
    sample = pool.values[:: max(1, len(pool) // 20_000)].astype(np.float64)
    present = np.where(np.isnan(sample).all(axis=0), 0.0, sample)
    mean: npt.NDArray[np.float64] = np.asarray(np.nanmean(present, axis=0))
    deviation: npt.NDArray[np.float64] = np.asarray(np.nanstd(present, axis=0))
    factor = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1.0), 0.0)
    return mean.astype(np.float32), factor.astype(np.float32)


def _exclude(distances: Floats, queries: Ints, first: int) -> None:
    """A query is not its own neighbour."""
    here = np.flatnonzero((queries >= first) & (queries < first + distances.shape[1]))
    distances[here, queries[here] - first] = np.inf


def _merge(best: Floats, places: Ints, distances: Floats, first: int) -> None:
    """Take over what is nearer than the `best` so far; of equal distances the earlier row stays. Spoils `distances`."""
    count = best.shape[1]
    if count == 1:
        nearest = distances.argmin(axis=1)
        found = distances[np.arange(len(distances)), nearest]
        nearer = found < best[:, 0]
        best[nearer, 0], places[nearer, 0] = found[nearer], first + nearest[nearer]
        return
    rows, found, from_where = np.arange(len(distances)), [best], [places]
    for _ in range(min(count, distances.shape[1])):  # the least of what is left: a few times, faster than sorting
        nearest = distances.argmin(axis=1)
        found.append(distances[rows, nearest][:, None])
        from_where.append(first + nearest[:, None])
        distances[rows, nearest] = np.inf
    both, from_where = np.concatenate(found, axis=1), np.concatenate(from_where, axis=1)
    order = np.argsort(both, axis=1, kind="stable")[:, :count]
    best[:], places[:] = np.take_along_axis(both, order, 1), np.take_along_axis(from_where, order, 1)


def conflicting_pairs(pool: Pool, labels: Ints, suspects: Ints, space: Space) -> tuple[tuple[Pair, ...], bool]:
    """Pairs of equal or nearly equal examples with different labels, the nearest first, at most `MAX_LISTED`; and
    whether all pairs were looked at."""
    complete = len(pool) <= ALL_PAIRS
    queries = np.arange(len(pool), dtype=np.int64) if complete else suspects
    pairs = {(pair.first, pair.second): pair for pair in _equal_pairs(pool, labels)}
    if len(queries) and len(np.unique(labels)) > 1:
        limit = NEARLY * space.typical()
        for some in np.array_split(queries, max(1, len(queries) // 1024)):
            for pair in _near_pairs(some, labels, space, limit):
                pairs.setdefault((pair.first, pair.second), pair)
    ordered = sorted(pairs.values(), key=lambda pair: (pair.distance, pair.first, pair.second))
    return tuple(ordered[:MAX_LISTED]), complete


def _near_pairs(queries: Ints, labels: Ints, space: Space, limit: float) -> Sequence[Pair]:
    found = space.nearest(queries, 1, forbidden=labels)
    near = np.flatnonzero(found.distances[:, 0] <= limit)
    pairs: list[Pair] = []
    for i in near.tolist():
        first, second = sorted((int(found.queries[i]), int(found.positions[i, 0])))
        pairs.append(Pair(first, second, float(found.distances[i, 0])))
    return pairs


def _equal_pairs(pool: Pool, labels: Ints) -> list[Pair]:
    """Of each group of equal examples with different labels, the first with the first of each other label."""
    hashes = content_hashes(pool)
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, len(ordered)])
    found: list[Pair] = []
    for start, size in zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        group = np.sort(order[start : start + size])
        seen = {int(labels[group[0]])}
        for other in group[1:].tolist():
            if int(labels[other]) not in seen:
                seen.add(int(labels[other]))
                found.append(Pair(int(group[0]), other, 0.0))
    return found
