"""What an audit found, as plain records: the same for the terminal, the page, CSV and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from paribus.analysis.estimates import Interval
from paribus.auditing.calibration import Cut
from paribus.auditing.noise import Noise

SUSPECTED_FROM: Final = 0.5
"""The probability of being wrong from which a label is a suspect."""


def ranking(probabilities: npt.NDArray[np.float64], suspicion: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The positions of examples with these values (example,), the suspects first, each kind by its suspicion."""
    ranked = np.argsort(-np.nan_to_num(suspicion, nan=-np.inf), kind="stable")
    is_suspect = np.nan_to_num(probabilities)[ranked] >= SUSPECTED_FROM
    return np.concatenate([ranked[is_suspect], ranked[~is_suspect]])


@dataclass(frozen=True)
class Suspect:
    """A label that may be wrong.

    `row` is the example's in the source, counted from 0, and `rank` its place in the list, from 1: suspects come first,
    each kind by its suspicion. `given` is its
    label, `proposed` the most probable other class, and `probability` that of the label being wrong. `p_given` and
    `p_proposed` are the networks' mean probabilities, held out. `margin` is the mean margin in training. `neighbours`
    are the rows of its nearest examples.
    """

    rank: int
    row: int
    given: str
    proposed: str
    probability: float
    p_given: float
    p_proposed: float
    margin: float
    neighbours: tuple[int, ...] = ()


@dataclass(frozen=True)
class ClassSummary:
    """One class: its examples, how many of them are suspects, the estimated share of its own that lost their label,
    and how many held-out examples of this label the networks put into it."""

    name: str
    examples: int
    suspects: int
    expected_wrong: float
    lost: float | None
    lost_interval: Interval | None
    accuracy: float | None
    often_proposed: str | None


@dataclass(frozen=True)
class DuplicatePair:
    """Two rows with equal or nearly equal features and different labels; `distance` is 0 where they are equal."""

    first: int
    second: int
    first_label: str
    second_label: str
    distance: float


@dataclass(frozen=True, eq=False)
class AuditResult:
    """What an audit found.

    `probabilities`, `suspicion`, `proposed` and `rows` have one value for each audited example (example,), in their
    order. A probability is NaN where too few runs have ended to tell. `suspects` are those of at least
    `SUSPECTED_FROM`, the most suspicious first; `next_ranked` follow them in the ranking.
    """

    study: str
    study_id: str
    source: str
    classes: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    proposed: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    suspicion: npt.NDArray[np.float64]
    noise: Noise
    cuts: tuple[Cut, ...]
    suspects: tuple[Suspect, ...]
    next_ranked: tuple[Suspect, ...]
    by_class: tuple[ClassSummary, ...]
    duplicates: tuple[DuplicatePair, ...]
    duplicates_complete: bool
    planted_share: float
    planted_arms: int
    unfinished: int = 0

    @property
    def examples(self) -> int:
        return len(self.labels)

    @property
    def expected_wrong(self) -> float:
        """How many labels are wrong, as the estimated rate says."""
        return self.noise.rate * self.examples

    def records(self) -> list[dict[str, Any]]:
        """One record for each example, the most suspicious first, for CSV."""
        order = ranking(self.probabilities, self.suspicion)
        return [
            {
                "rank": rank,
                "row": int(self.rows[i]),
                "label": self.classes[self.labels[i]],
                "proposed": self.classes[self.proposed[i]],
                "probability_wrong": None if np.isnan(self.probabilities[i]) else float(self.probabilities[i]),
                "suspicion": None if np.isnan(self.suspicion[i]) else float(self.suspicion[i]),
            }
            for rank, i in enumerate(order.tolist(), start=1)
        ]
