"""Scores from any program, compared as paribus compares its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paribus.analysis.estimates import Interval
from paribus.analysis.score_sentences import contrast_sentence
from paribus.analysis.scores import ScoreContrast, Scores
from paribus.analysis.scores import compare as compare_scores
from paribus.api.judged import Listed
from paribus.errors import Shown, UserError

PLACE = "paribus.compare()"


@dataclass(frozen=True)
class Comparison:
    """An arm against the control. `effect` and `interval` are signed so that + is better."""

    arm: str
    control: str
    n: int
    paired: bool
    mean: float
    control_mean: float
    effect: float
    interval: Interval | None
    verdict: str
    sentence: str

    def row(self) -> tuple[str, ...]:
        """Arm, control, verdict, n and what it rests on."""
        return (self.arm, self.control, self.verdict, str(self.n), self.sentence)


class Comparisons(Listed[Comparison]):
    """Every other arm against the control."""

    headings = ("arm", "against", "verdict", "n", "what it rests on")


def compare(
    scores: Mapping[str, Mapping[Any, float] | Sequence[float]] | Any,
    *,
    metric: str = "score",
    arm: str | None = None,
    replicate: str | None = None,
    control: str | None = None,
    by: float = 0.0,
    lower: bool = False,
) -> Comparisons:
    """Compare arms by their scores: differences with intervals, and verdicts.

    Parameters
    ----------
    scores : by arm, a list of scores (replicate by replicate, in one order for all arms, which pairs them), or scores
        by the label of the replicate; or a data frame with one row for each run.
    metric : what the scores are; of a data frame, the column.
    arm, replicate : of a data frame, the columns of the arm and of the replicate; found by their usual names.
    control : the arm that the others are compared with, by default the first.
    by : the smallest difference that matters.
    lower : less is better.

    Raises UserError, in one line, for a table of another form.

    Examples
    --------
    >>> import paribus
    >>> found = paribus.compare({"old": [0.80, 0.81, 0.79], "new": [0.83, 0.84, 0.82]}, metric="accuracy", by=0.005)
    >>> found[0].verdict
    'SUPPORTED'
    """
    read = _of_mapping(scores, metric) if isinstance(scores, Mapping) else _of_frame(scores, metric, arm, replicate)
    if by < 0:
        raise UserError("must be at least 0", given=by, place=PLACE, remedy="give the difference without a sign")
    found = compare_scores(read, by=by, higher_is_better=not lower, control=control)
    return Comparisons([_comparison(one, metric, by) for one in found])


def _comparison(one: ScoreContrast, metric: str, by: float) -> Comparison:
    return Comparison(
        arm=one.arm,
        control=one.control,
        n=one.n,
        paired=one.paired,
        mean=one.mean,
        control_mean=one.control_mean,
        effect=one.effect,
        interval=one.judgement.interval,
        verdict=one.judgement.verdict,
        sentence=contrast_sentence(one, metric, by),
    )


def _of_mapping(scores: Mapping[str, Any], metric: str) -> Scores:
    arms: dict[str, dict[str, float]] = {}
    for name, values in scores.items():
        pairs = values.items() if isinstance(values, Mapping) else enumerate(values)
        arms[str(name)] = {str(label): _number(value, f"{PLACE}, arm {name}") for label, value in pairs}
        if not arms[str(name)]:
            raise UserError("must have scores", given=Shown("none"), place=f"{PLACE}, arm {name}", remedy="add them")
    if not arms:
        raise UserError("needs at least two arms", given=Shown("none"), place=PLACE, remedy="add them")
    return Scores(metric, labelled=True, arms=arms)


def _of_frame(frame: Any, metric: str, arm: str | None, replicate: str | None) -> Scores:
    from paribus.analysis.scores import read_scores

    if not hasattr(frame, "to_csv"):
        given = Shown(f"an object of type {type(frame).__name__}")
        remedy = 'write {"arm": [scores, ...], ...}'
        raise UserError("must be scores by arm, or a data frame", given=given, place=PLACE, remedy=remedy)
    named = None if metric == "score" and "score" not in frame.columns else metric
    return read_scores(frame.to_csv(index=False), place=PLACE, metric=named, arm=arm, replicate=replicate)


def _number(value: Any, place: str) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = float("nan")
    if found != found or found in (float("inf"), float("-inf")):
        raise UserError("must be finite numbers", given=value, place=place, remedy="correct it, or leave it out")
    return found
