"""Single examples: which are wrong in every replicate, which in some, and which have the highest loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from paribus.analysis.outputs import Classified, ClassOutputs, Doubles, Ints
from paribus.analysis.results import Results

LISTED: Final = 24
"""Examples of the highest loss that are listed where a run has not recorded any."""


@dataclass(frozen=True)
class Agreement:
    """How many examples the replicates of an arm get wrong.

    `compared` examples were held out in two replicates or more, as they are where replicates share the split. Of them
    `none` are wrong in no replicate that held them out, `every` in each, `some` in at least one and not in each.
    """

    arm: str
    rule: str
    replicates: int
    compared: int
    none: int
    some: int
    every: int


@dataclass(frozen=True, eq=False)
class HardExample:
    """An example with a high loss.

    `row` is its place in its source, counted from 0, and `label` the name of its class. `predicted` is the class into
    which it is put most often where it is wrong. It is wrong in `wrong` of the `held_out` replicates that held it out.
    `loss` (log loss in nats) and the probabilities, of its own class and of `predicted`, are means over these. `values`
    are its features (feature,) before scaling; None where they were not recorded.
    """

    row: int
    label: str
    predicted: str
    wrong: int
    held_out: int
    loss: float
    own_probability: float
    predicted_probability: float
    values: Doubles | None

    @property
    def in_every(self) -> bool:
        """Whether every replicate that held it out gets it wrong."""
        return self.wrong == self.held_out


@dataclass(frozen=True, eq=False)
class _Pooled:
    """The examples of an arm by row: sorted distinct `rows` (row,), and for each how often it was held out and wrong,
    and its summed loss. `places` has for each replicate the position of each of its examples in `rows`."""

    rows: Ints
    held_out: Ints
    wrong: Ints
    loss: Doubles
    places: tuple[Ints, ...]


def agreement(found: Classified) -> Agreement | None:
    """How many examples are wrong in no, in some and in every replicate; None where none was held out twice."""
    pooled = _pooled(found.replicates)
    several = pooled.held_out > 1
    if not several.any():
        return None
    wrong, held_out = pooled.wrong[several], pooled.held_out[several]
    none, every = int((wrong == 0).sum()), int((wrong == held_out).sum())
    compared = len(wrong)
    return Agreement(found.arm, found.rule, len(found.replicates), compared, none, compared - none - every, every)


def hard_examples(results: Results, found: Classified) -> tuple[HardExample, ...]:
    """The misclassified examples of the highest mean loss: of those that runs recorded with their features, or, where
    no run did, of all. From the highest loss to the lowest, of equal ones by row."""
    pooled = _pooled(found.replicates)
    values = _recorded_values(results, found)
    if values:
        places = np.searchsorted(pooled.rows, np.array(sorted(values.keys() & set(pooled.rows.tolist())), np.int64))
    else:
        places = np.arange(len(pooled.rows))
    places = places[pooled.wrong[places] > 0]
    mean_loss = pooled.loss / pooled.held_out
    order = places[np.argsort(-mean_loss[places], kind="stable")]
    if not values:
        order = order[:LISTED]
    return tuple(_example(found, pooled, int(place), values) for place in order)


def _pooled(replicates: Iterable[ClassOutputs]) -> _Pooled:
    each = tuple(replicates)
    alike = all(np.array_equal(one.rows, each[0].rows) for one in each)
    rows = np.unique(each[0].rows if alike else np.concatenate([one.rows for one in each]))
    places = tuple(np.searchsorted(rows, one.rows) for one in each)
    together, size = np.concatenate(places), len(rows)
    wrong = np.concatenate([one.wrong for one in each])
    return _Pooled(
        rows=rows,
        held_out=np.bincount(together, minlength=size).astype(np.int64),
        wrong=np.bincount(together[wrong], minlength=size).astype(np.int64),
        loss=np.bincount(together, np.concatenate([one.loss for one in each]), size).astype(np.float64),
        places=places,
    )


def _example(found: Classified, pooled: _Pooled, place: int, values: Mapping[int, Doubles]) -> HardExample:
    seen = [
        (one, int(np.flatnonzero(at == place)[0]))
        for one, at in zip(found.replicates, pooled.places, strict=True)
        if (at == place).any()
    ]
    label = int(seen[0][0].labels[seen[0][1]])
    votes = np.bincount([int(one.predicted[i]) for one, i in seen if one.predicted[i] != label])
    predicted = int(votes.argmax())
    probabilities = np.mean([one.probabilities[i] for one, i in seen], axis=0)
    row = int(pooled.rows[place])
    return HardExample(
        row=row,
        label=found.classes[label],
        predicted=found.classes[predicted],
        wrong=int(pooled.wrong[place]),
        held_out=int(pooled.held_out[place]),
        loss=float(pooled.loss[place] / pooled.held_out[place]),
        own_probability=float(probabilities[label]),
        predicted_probability=float(probabilities[predicted]),
        values=values.get(row),
    )


def _recorded_values(results: Results, found: Classified) -> dict[int, Doubles]:
    """Features (feature,) by row, of the examples that the arm's runs recorded as their hardest."""
    kept: dict[int, Doubles] = {}
    for run in results.finished(found.arm):
        arrays: Mapping[str, Any] | None = run.artifact(found.rule, f"hardest/{found.split}")
        if arrays is not None:
            features = np.asarray(arrays["values"], np.float64) / np.asarray(arrays["divisor"]).item()
            kept |= dict(zip(np.asarray(arrays["rows"]).tolist(), features, strict=True))
    return kept
