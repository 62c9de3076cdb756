"""How well each label fits, from what an audit's study recorded: held out, and in training.

Two scores are made for each label. The *held-out odds* are those of the label being wrong, by the probabilities that
networks give the example without having seen it, and by the errors between classes that `noise` has found. Let p be
the mean of these probabilities, and T[k, j] the share of class k that is labelled j. The networks learned from labels
with errors, so p = q T with the probabilities q of the classes themselves, which are found by Richardson's iteration
(1972). A label g is wrong with the odds

    sum over k != g of q[k] T[k, g]  to  q[g] T[g, g].

The *training margin* is the label's output less the largest other one, averaged over the epochs of training and over
the runs that trained on the example: labels that are wrong are learned late, so their margin is low (area under the
margin; Pleiss et al., "Identifying mislabeled data using the area under the margin ranking", 2020). From it is taken
log(T[k, g] / T[g, g]), with the most probable other class k: how frequent such an error is.

The combined *suspicion* is the stated rule: both scores as normal scores of their ranks, averaged, so that the label
that fits worst by both is the most suspicious one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from paribus.analysis.outputs import log_probabilities
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.errors import Shown, UserError
from paribus.seeding import normal_quantile

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

STEPS: Final = 30
"""Steps of Richardson's iteration."""
MAX_UNMIXED: Final = 200
"""Classes up to which it is made."""
_LEAST: Final = 1e-12
_BLOCK_ROWS: Final = 2**16


@dataclass(frozen=True, eq=False)
class ArmScores:
    """The labels of one arm and their margins, each (example,).

    `labels` are those that the arm trained on, and `planted` says which of them the audit has flipped. `margins` are
    the mean training margins, NaN where no finished run has one.
    """

    name: str
    labels: Ints
    planted: Bools
    margins: Doubles


@dataclass(frozen=True, eq=False)
class Scores:
    """What an audit's study recorded of each example.

    `labels` (example,) are those given. `probabilities` (example, class) are the mean over all held-out evaluations of
    the example, of every arm; NaN for an example without any.
    """

    labels: Ints
    probabilities: npt.NDArray[np.float32]
    arms: tuple[ArmScores, ...]

    @property
    def predicted(self) -> Ints:
        """The most probable class (example,) of each example, held out."""
        return np.nan_to_num(self.probabilities, nan=-1.0).argmax(axis=1).astype(np.int64)


def true_probabilities(probabilities: npt.NDArray[np.float32], transitions: Doubles) -> npt.NDArray[np.float32]:
    """q (example, class) from p, and from T (class, label): see the module.

    Each step multiplies q[k] by the sum over j of T[k, j] p[j] / (q T)[j], from q = p on. With more than `MAX_UNMIXED`
    classes it would take too long, and q is p.
    """
    if len(transitions) > MAX_UNMIXED:
        return probabilities
    found = np.empty_like(probabilities)
    matrix = transitions.astype(np.float32)
    for start in range(0, len(found), _BLOCK_ROWS):
        p = probabilities[start : start + _BLOCK_ROWS]
        q = p.copy()
        for _ in range(STEPS):
            q *= (p / np.maximum(q @ matrix, _LEAST)) @ matrix.T
            q /= q.sum(axis=1, keepdims=True)
        found[start : start + _BLOCK_ROWS] = q
    return found


def suspicion_of(labels: Ints, margins: Doubles, true: npt.NDArray[np.float32], transitions: Doubles) -> Doubles:
    """The suspicion (example,) of `labels`, from their margins (example,) and q (example, class); NaN without q.

    `transitions` is T (class, label). An example that no run trained on, as it was drawn for validation each time, has
    no margin: its held-out odds count alone.
    """
    known = np.isfinite(true[:, 0])
    found = np.full(len(labels), np.nan)
    given, q = labels[known], true[known].astype(np.float64)
    weights = q * transitions[:, given].T
    rows = np.arange(len(given))
    right = weights[rows, given].copy()
    weights[rows, given] = 0
    odds = np.log(np.maximum(weights.sum(axis=1), _LEAST)) - np.log(np.maximum(right, _LEAST))
    q[rows, given] = -1
    shift = np.log(transitions[q.argmax(axis=1), given] / transitions[given, given])
    combined, late = normal_scores(odds), shift - margins[known]
    trained = np.isfinite(late)
    combined[trained] = (combined[trained] + normal_scores(late[trained])) / 2
    found[known] = combined
    return found


def normal_scores(values: Doubles) -> Doubles:
    """Values (example,) by the standard normal quantile of (rank - 1/2) / n; equal ones share their mean rank."""
    from scipy.stats import rankdata  # slow to import, and needed here only

    return normal_quantile((rankdata(values) - 0.5) / len(values))


def scores_of(results: Results, labels: Ints, rows: Ints | None, classes: int) -> Scores:
    """The scores of the examples whose labels as given are `labels`.

    `rows` (example,) are their rows in the source, as they were recorded; None where they are all rows, in order.
    Raises UserError where no run of the study has ended.
    """
    places = _Places(len(labels), rows)
    means = _Means(len(labels), classes)
    arms = tuple(_arm_scores(results, arm, labels, places, means) for arm in results.arms)
    if not means.counts.any():
        raise UserError("must have runs that have ended", given=Shown("none"), place=f"study {results.study.name}",
                        remedy="run the audit again; see `paribus status`")  # fmt: skip
    return Scores(labels, means.values(), arms)


class _Places:
    """Where examples are among the audited ones, by their rows in the source."""

    def __init__(self, examples: int, rows: Ints | None) -> None:
        self._of_row: Ints | None = None
        if rows is not None:
            self._of_row = np.full(int(rows.max()) + 1, -1, np.int64)
            self._of_row[rows] = np.arange(examples)

    def of(self, rows: npt.NDArray[Any]) -> Ints:
        wide = np.asarray(rows, np.int64)
        return wide if self._of_row is None else self._of_row[wide]


@dataclass
class _Means:
    """Sums of the probabilities of held-out examples, and how many evaluations each has."""

    examples: int
    classes: int
    sums: npt.NDArray[np.float32] = field(init=False)
    counts: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.sums = np.zeros((self.examples, self.classes), np.float32)
        self.counts = np.zeros(self.examples, np.int64)

    def values(self) -> npt.NDArray[np.float32]:
        with np.errstate(invalid="ignore"):
            return self.sums / self.counts[:, None].astype(np.float32)


def _arm_scores(results: Results, arm: str, given: Ints, places: _Places, means: _Means) -> ArmScores:
    """One arm's labels and margins, run by run; its held-out probabilities are added to `means`."""
    labels, sums, counts = given.copy(), np.zeros(len(given)), np.zeros(len(given))
    for run in results.finished(arm):
        _add_held_out(run, results.deploy(arm), places, labels, means)
        _add_margins(run, places, sums, counts)
    with np.errstate(invalid="ignore"):
        return ArmScores(arm, labels, labels != given, sums / counts)


def _add_held_out(run: Run, rule: str, places: _Places, labels: Ints, means: _Means) -> None:
    outputs, targets = run.artifact(rule, "outputs/test"), run.artifact("", "targets/test")
    if outputs is None or targets is None:
        return
    at = places.of(targets["rows"])
    labels[at] = targets["labels"]
    for start in range(0, len(at), _BLOCK_ROWS):
        some = slice(start, start + _BLOCK_ROWS)
        means.sums[at[some]] += np.exp(log_probabilities(outputs["outputs"][some])).astype(np.float32)
        means.counts[at[some]] += 1


def _add_margins(run: Run, places: _Places, sums: Doubles, counts: Doubles) -> None:
    margins, targets = run.artifact("", "margins/train"), run.artifact("", "targets/train")
    if margins is None or targets is None:
        return
    at = places.of(targets["rows"])
    sums[at] += margins["margins"]
    counts[at] += 1
