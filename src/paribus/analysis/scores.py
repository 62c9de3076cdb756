"""Scores from anywhere, compared as paribus compares its own: a table with an arm, a replicate and metrics in each row.

This is the form in which experiment trackers export runs: one row for each run, one column for each setting or metric.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from paribus.analysis.judgement import Judgement, holm, judge, judge_unpaired, mean_and_sd
from paribus.errors import Shown, UserError, nearest

ARM_COLUMNS: Final = ("arm", "group", "model", "method", "name", "run name", "experiment")
"""Names of the column that says which arm a row belongs to, the first choice first; case does not count."""
REPLICATE_COLUMNS: Final = ("replicate", "seed", "fold", "repeat", "repetition", "split", "trial")
MAX_ROWS: Final = 1_000_000


@dataclass(frozen=True)
class Scores:
    """One metric of several arms: a value for each replicate, by arm and by the replicate's label.

    Without replicates' labels, rows are numbered, and nothing is paired.
    """

    metric: str
    labelled: bool
    arms: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class ScoreContrast:
    """An arm compared with the control: `effect` is signed so that + is better.

    `paired` says whether the differences are paired by replicate; `n` counts the pairs, or the arm's values. `left_out`
    counts values without a partner. `each` has the difference of each pair, empty where
    nothing is paired. `holm` is the judgement's p, adjusted for all contrasts: at most 1 where the verdict holds for
    all of them together.
    """

    arm: str
    control: str
    n: int
    control_n: int
    paired: bool
    left_out: int
    mean: float
    control_mean: float
    effect: float
    judgement: Judgement
    each: Mapping[str, float]
    holm: float | None = None


def read_scores(
    text: str, *, place: str, metric: str | None = None, arm: str | None = None, replicate: str | None = None
) -> Scores:
    """The scores of one metric in CSV text with a header.

    `arm`, `replicate` and `metric` name columns. Those that are not given are found: by the usual names, and the metric
    as the only other column of numbers. Raises UserError, with the line, where the table is not of that form.
    """
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    header = [name.strip() for name in rows[0]] if rows else []
    if len(rows) < 2 or len(rows) > MAX_ROWS:
        given = "no header" if not rows else f"{len(rows) - 1} rows below the header"
        raise _refused("must be a CSV file with a header and rows of scores", given, place, "export it with a header")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise _refused("columns must have different names", twice, place, "rename one of them")
    arm_at = _column(header, arm, ARM_COLUMNS, place, "--arm")
    if arm_at is None:
        rule = "needs a column that says which arm each row belongs to"
        raise _refused(rule, ", ".join(header), place, "name it with --arm COLUMN")
    replicate_at = _column(header, replicate, REPLICATE_COLUMNS, place, "--replicate")
    lines = [(number, row) for number, row in enumerate(rows[1:], start=2) if any(cell.strip() for cell in row)]
    for number, row in lines:
        if len(row) != len(header):
            rule = f"must have as many cells as the header ({len(header)})"
            raise _refused(rule, f"{len(row)} cells", f"{place}, line {number}", "correct the line")
    metric_at = _metric_column(header, lines, metric, {arm_at, replicate_at}, place)
    arms: dict[str, dict[str, float]] = {}
    for number, row in lines:
        own = arms.setdefault(row[arm_at].strip(), {})
        label = str(len(own)) if replicate_at is None else row[replicate_at].strip()
        if label in own:
            rule = f"arm {row[arm_at].strip()} must have one row for each {header[replicate_at or 0]}"
            raise _refused(rule, f"{label} again", f"{place}, line {number}", "remove one, or name another --replicate")
        value = finite_number(row[metric_at])
        if value is None:
            rule = f"column {header[metric_at]} must have a finite number in each row"
            raise _refused(
                rule, row[metric_at] or "nothing", f"{place}, line {number}", "correct it, or leave the row out"
            )
        own[label] = value
    return Scores(header[metric_at], replicate_at is not None, arms)


def compare(
    scores: Scores, *, by: float, higher_is_better: bool, control: str | None = None
) -> tuple[ScoreContrast, ...]:
    """Every other arm against the control (the first arm of the table unless named), each judged against `by`.

    Arms are paired where both have labelled replicates of which at least two are the same; otherwise they are compared
    as independent samples. Raises UserError for a table of one arm, and for a control that is none of its arms.
    """
    names = list(scores.arms)
    base = names[0] if control is None else control
    if base not in scores.arms:
        raise UserError("must be an arm of the table", given=base, place="--control", remedy=nearest(base, names))
    if len(names) < 2:
        raise UserError(
            "needs at least two arms", given=names[0], place="the table", remedy="add the rows of another arm"
        )
    found = [_contrast(scores, arm, base, by, 1 if higher_is_better else -1) for arm in names if arm != base]
    adjusted = holm([one.judgement.p for one in found])
    return tuple(replace(one, holm=p) for one, p in zip(found, adjusted, strict=True))


def _contrast(scores: Scores, arm: str, control: str, by: float, sign: int) -> ScoreContrast:
    ours, theirs = scores.arms[arm], scores.arms[control]
    shared = [label for label in ours if label in theirs] if scores.labelled else []
    paired = len(shared) > 1
    first = [ours[label] for label in shared] if paired else list(ours.values())
    second = [theirs[label] for label in shared] if paired else list(theirs.values())
    if paired:
        differences = [sign * (a - b) for a, b in zip(first, second, strict=True)]
        judgement = judge(differences, by)
        each = dict(zip(shared, differences, strict=True))
    else:
        each = {}
        judgement = judge_unpaired([sign * a for a in first], [sign * b for b in second], by)
    mean, control_mean = _mean(first), _mean(second)
    return ScoreContrast(
        arm=arm,
        control=control,
        n=len(first),
        control_n=len(second),
        paired=paired,
        left_out=len(ours) + len(theirs) - len(first) - len(second),
        mean=mean,
        control_mean=control_mean,
        effect=sign * (mean - control_mean),
        judgement=judgement,
        each=each,
    )


def _mean(values: Sequence[float]) -> float:
    return values[0] if len(values) == 1 else mean_and_sd(values)[0]


def _column(header: Sequence[str], name: str | None, usual: Sequence[str], place: str, option: str) -> int | None:
    """Where the column is that the user names, or one of the usual names; None where there is none."""
    if name is not None:
        if name not in header:
            rule = f"{option} must name a column of {place}"
            raise UserError(rule, given=name, place="the command line", remedy=nearest(name, header))
        return header.index(name)
    lower = [known.lower() for known in header]
    return next((lower.index(known) for known in usual if known in lower), None)


def _metric_column(
    header: Sequence[str],
    lines: Sequence[tuple[int, list[str]]],
    metric: str | None,
    taken: set[int | None],
    place: str,
) -> int:
    if metric is not None:
        at = _column(header, metric, (), place, "--metric")
        assert at is not None
        return at
    numeric = [
        at
        for at in range(len(header))
        if at not in taken and all(finite_number(row[at]) is not None for _, row in lines)
    ]
    if len(numeric) != 1:
        rule = "needs one column of numbers beside the arm and the replicate, or --metric"
        given = ", ".join(header[at] for at in numeric) or "none"
        raise _refused(rule, given, place, "name the column of the scores with --metric")
    return numeric[0]


def finite_number(cell: str) -> float | None:
    """What a cell says as a number; None where it says none, or one that is not finite."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _refused(rule: str, given: str, place: str, remedy: str) -> UserError:
    return UserError(rule, given=Shown(given), place=place, remedy=remedy)
