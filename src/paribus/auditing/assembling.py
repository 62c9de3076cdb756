"""From the recorded runs of an audit's study to what it found: nothing is trained here, and nothing is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

import numpy as np
import numpy.typing as npt

from paribus.analysis.proportions import wilson
from paribus.analysis.results import Results
from paribus.auditing.calibration import cuts_of
from paribus.auditing.duplicates import ALL_PAIRS, SAMPLE, Pair, Space, conflicting_pairs
from paribus.auditing.examples import Examples
from paribus.auditing.judging import Judged, judge, proposals
from paribus.auditing.noise import Noise, estimated_noise
from paribus.auditing.result import SUSPECTED_FROM, AuditResult, ClassSummary, DuplicatePair, Suspect, ranking
from paribus.auditing.scores import Scores, scores_of

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LISTED: Final = 100
"""Labels that follow the suspects in the ranking, and are listed too."""
NEIGHBOURS: Final = 3
MAX_WITH_NEIGHBOURS: Final = 200
MAX_SEARCHED: Final = 1_000
"""Suspects, the most suspicious first, whose nearly equal examples are looked for where not all pairs are."""


def audited(results: Results, examples: Examples, told: Callable[[float], None] | None = None) -> AuditResult:
    """What the study of an audit says of its `examples`.

    `told` is called with the part of the comparisons of examples with each other that is made, from 0 to 1: with many
    examples they take longest. Raises UserError where no run of it has ended.
    """
    scores = scores_of(results, examples.labels, examples.pool.source_rows, len(examples.classes))
    judged = judge(scores, estimated_noise(scores.labels, scores.probabilities))
    noise = judged.noise
    likely = int((np.nan_to_num(judged.probabilities) >= SUSPECTED_FROM).sum())
    listed = ranking(judged.probabilities, judged.suspicion)[: likely + LISTED]
    searched = np.sort(listed[:MAX_SEARCHED])
    watch = None if told is None else _Comparing(len(examples), len(listed), told)
    space = Space(examples.pool, watch)
    near = space.nearest(listed[:MAX_WITH_NEIGHBOURS], NEIGHBOURS).positions
    rows = _rows(examples)
    proposed = proposals(scores)
    suspects = [
        _suspect(int(i), rank, scores, judged, proposed, examples, rows, near)
        for rank, i in enumerate(listed.tolist(), start=1)
    ]
    pairs, complete = conflicting_pairs(examples.pool, scores.labels, searched, space)
    planted = results.study.arms[-1].recipe.data.planted
    return AuditResult(
        study=results.study.name,
        study_id=results.study_id,
        source=str(examples.table["source"]),
        classes=examples.classes,
        rows=rows,
        labels=scores.labels,
        proposed=proposed,
        probabilities=judged.probabilities,
        suspicion=judged.suspicion,
        noise=noise,
        cuts=cuts_of(_known(judged.probabilities), judged.of_planted, judged.weights, noise.rate, judged.right_again),
        suspects=tuple(suspects[:likely]),
        next_ranked=tuple(suspects[likely:]),
        by_class=tuple(_by_class(examples, scores, judged, noise, proposed)),
        duplicates=tuple(_named(pair, examples, rows) for pair in pairs),
        duplicates_complete=complete,
        planted_share=0.0 if planted is None else planted.share,
        planted_arms=sum(bool(arm.planted.any()) for arm in scores.arms),
        unfinished=results.planned - sum(run.state == "done" for run in results.runs),
    )


@final
class _Comparing:
    """Counts the distances between examples that are made, and tells their part of all that are to be made."""

    def __init__(self, examples: int, listed: int, told: Callable[[float], None]) -> None:
        every = examples if examples <= ALL_PAIRS else min(listed, MAX_SEARCHED)
        queries = every + min(listed, MAX_WITH_NEIGHBOURS) + min(examples, SAMPLE)
        self._whole, self._made, self._told = queries * examples, 0, told
        told(0.0)

    def __call__(self, distances: int) -> None:
        self._made += distances
        self._told(min(1.0, self._made / self._whole))


def _known(values: Doubles) -> Doubles:
    return values[np.isfinite(values)]


def _rows(examples: Examples) -> Ints:
    rows = examples.pool.source_rows
    return np.arange(len(examples), dtype=np.int64) if rows is None else np.asarray(rows, np.int64)


def _suspect(
    i: int,
    rank: int,
    scores: Scores,
    judged: Judged,
    proposed: Ints,
    examples: Examples,
    rows: Ints,
    near: Ints,
) -> Suspect:
    """The label of example `i`; `near` (query, neighbour) has the positions of the nearest examples of the first."""
    given, other = int(scores.labels[i]), int(proposed[i])
    margins = [float(arm.margins[i]) for arm in scores.arms if not arm.planted[i] and np.isfinite(arm.margins[i])]
    return Suspect(
        rank=rank,
        row=int(rows[i]),
        given=examples.classes[given],
        proposed=examples.classes[other],
        probability=float(judged.probabilities[i]),
        p_given=float(scores.probabilities[i, given]),
        p_proposed=float(scores.probabilities[i, other]),
        margin=float(np.mean(margins)) if margins else float("nan"),
        neighbours=tuple(rows[near[rank - 1]].tolist()) if rank <= len(near) else (),
    )


def _by_class(examples: Examples, scores: Scores, judged: Judged, noise: Noise, proposed: Ints) -> list[ClassSummary]:
    found: list[ClassSummary] = []
    predicted, likely = scores.predicted, np.nan_to_num(judged.probabilities) >= SUSPECTED_FROM
    known = np.isfinite(scores.probabilities[:, 0])
    for number, name in enumerate(examples.classes):
        members = scores.labels == number
        sure = int(noise.counts[number].sum())
        lost = 1 - noise.counts[number, number] / sure if sure else None
        suspects = members & likely
        often = np.bincount(proposed[suspects], minlength=len(examples.classes)) if suspects.any() else None
        held_out = members & known
        found.append(
            ClassSummary(
                name=name,
                examples=int(members.sum()),
                suspects=int(suspects.sum()),
                expected_wrong=float(np.nansum(judged.probabilities[members])),
                lost=lost,
                lost_interval=None if lost is None else wilson(lost, sure),
                accuracy=float((predicted[held_out] == number).mean()) if held_out.any() else None,
                often_proposed=None if often is None else examples.classes[int(often.argmax())],
            )
        )
    return found


def _named(pair: Pair, examples: Examples, rows: Ints) -> DuplicatePair:
    names = [examples.classes[examples.labels[place]] for place in (pair.first, pair.second)]
    return DuplicatePair(int(rows[pair.first]), int(rows[pair.second]), names[0], names[1], pair.distance)
