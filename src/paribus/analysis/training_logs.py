"""Training logs of other programs as arms: CSV files with a row for each epoch, reduced to one score for each run.

Such files are written by the CSV loggers of Keras, Lightning, fastai and others. A file is one run, or holds several
with a column for the arm and one for the replicate. In files that log training and validation in rows of their own, the
last value of an epoch counts.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from paribus.analysis.results import Results
from paribus.analysis.scores import ARM_COLUMNS, MAX_ROWS, REPLICATE_COLUMNS, Scores, finite_number
from paribus.errors import Shown, UserError, nearest

EPOCH_COLUMNS: Final = ("epoch",)
_STEM: Final = re.compile(r"(.+?)[-_. ]*(?:seed|run|fold|replicate|repeat|version|v|s|r)?[-_. ]*(\d+)", re.IGNORECASE)
_RULE: Final = re.compile(r"last|epoch:(\d{1,9})|(min|max)-(.+)")


@dataclass(frozen=True)
class Log:
    """The epochs of one run: for each, the metrics that it has."""

    arm: str
    replicate: str
    epochs: Mapping[int, Mapping[str, float]]
    place: str


def is_log(text: str, epoch: str | None = None) -> bool:
    """Whether a CSV text is a training log: it has a column of epochs, and several rows for some run."""
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    header = [name.strip() for name in rows[0]] if rows else []
    if _named(header, (epoch,) if epoch else EPOCH_COLUMNS) is None:
        return False
    named = [at for names in (ARM_COLUMNS, REPLICATE_COLUMNS) if (at := _named(header, names)) is not None]
    runs = [tuple(row[at] for at in named) for row in rows[1:] if len(row) == len(header)]
    return len(set(runs)) < len(runs)


def read_logs(texts: Sequence[tuple[str, str]], *, epoch: str | None = None) -> tuple[Log, ...]:
    """The runs of some files, given as (text, name of the file).

    Where a file has no column for them, its name tells the arm and the replicate: `deep_seed3.csv` is replicate 3 of
    `deep`. Raises UserError, with the line, where a file is not of that form.
    """
    found: dict[tuple[str, str], Log] = {}
    for text, place in texts:
        for log in _logs_in(text, place, epoch):
            key = (log.arm, log.replicate)
            if key in found:
                rule = f"arm {log.arm} must have one run for each replicate"
                given = f"{log.replicate} in {found[key].place}, too"
                raise _refused(rule, given, place, "give the files names that end in different numbers")
            found[key] = log
    return tuple(found.values())


def scores_of_logs(logs: Sequence[Log], metric: str, rule: str) -> Scores:
    """One score for each run: the metric at the epoch that `rule` chooses.

    Rules are `last`, `epoch:N` (as the file counts epochs), `min-METRIC` and `max-METRIC`; of equal values the first
    counts. Raises UserError for another rule, and for a run that has no such value.
    """
    parsed = _RULE.fullmatch(rule)
    if parsed is None:
        raise UserError("must be last, epoch:N, min-METRIC or max-METRIC", given=rule, place="--rule",
                        remedy=f"write --rule max-{metric}")  # fmt: skip
    arms: dict[str, dict[str, float]] = {}
    for log in logs:
        at = _chosen(log, rule, parsed)
        value = log.epochs[at].get(metric)
        if value is None:
            known = dict.fromkeys(name for values in log.epochs.values() for name in values)
            if metric in known:
                raise _refused(f"must have {metric} at epoch {at}", "no value", log.place, "choose another --rule")
            raise UserError("must be a column of numbers", given=metric, place=f"--metric, {log.place}",
                            remedy=nearest(metric, known))  # fmt: skip
        arms.setdefault(log.arm, {})[log.replicate] = value
    return Scores(metric, labelled=True, arms=arms)


def with_study(scores: Scores, results: Results, metric: str) -> Scores:
    """`scores` with the arms of a recorded study, `STUDY/ARM`, each at the rule at which it is compared.

    Runs of other programs share neither splits nor orders with ours, so the labels differ and nothing is paired.
    """
    arms = dict(scores.arms)
    for arm in results.arms:
        values = results.values(arm, results.deploy(arm), metric)
        known = {
            f"{results.study.name} {replicate}": value
            for replicate, value in zip(results.study.replicates.indices, values, strict=True)
            if value is not None
        }
        if known:
            arms[f"{results.study.name}/{arm}"] = known
    if len(arms) == len(scores.arms):
        rule, remedy = f"must have recorded {metric}", "name the metric as both have it, or run the study first"
        raise UserError(rule, given=Shown("none"), place=f"study {results.study.name}", remedy=remedy)
    return Scores(scores.metric, scores.labelled, arms)


def _chosen(log: Log, rule: str, parsed: re.Match[str]) -> int:
    if rule == "last":
        return max(log.epochs)
    if parsed[1] is not None:
        at = int(parsed[1])
        if at not in log.epochs:
            given = f"epochs {min(log.epochs)} to {max(log.epochs)}"
            raise _refused(f"must have epoch {at}", given, log.place, "choose another --rule")
        return at
    known = [(values[parsed[3]], epoch) for epoch, values in sorted(log.epochs.items()) if parsed[3] in values]
    if not known:
        names = dict.fromkeys(name for values in log.epochs.values() for name in values)
        raise UserError("must name a column of numbers", given=parsed[3], place=f"--rule, {log.place}",
                        remedy=nearest(parsed[3], names))  # fmt: skip
    best = min(known)[0] if parsed[2] == "min" else max(known)[0]
    return next(epoch for value, epoch in known if value == best)


def _logs_in(text: str, place: str, epoch: str | None) -> list[Log]:
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    header = [name.strip() for name in rows[0]] if rows else []
    at = _named(header, (epoch,) if epoch else EPOCH_COLUMNS)
    if at is None or not 2 <= len(rows) <= MAX_ROWS:
        given = ", ".join(header) or "an empty file"
        raise _refused("must be a training log: a CSV file with a column of epochs", given, place,
                       "name the column with --epoch")  # fmt: skip
    if len(set(header)) < len(header):
        raise _refused("columns must have different names", ", ".join(header), place, "rename one of them")
    arm_at, replicate_at = _named(header, ARM_COLUMNS), _named(header, REPLICATE_COLUMNS)
    stem = PurePath(place).stem
    of_name = _STEM.fullmatch(stem)
    arm, replicate = (of_name[1], of_name[2]) if of_name else (stem, "0")
    found: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            rule = f"must have as many cells as the header ({len(header)})"
            raise _refused(rule, f"{len(row)} cells", f"{place}, line {number}", "correct the line")
        moment = finite_number(row[at])
        if moment is None or moment != int(moment) or moment < 0:
            rule = f"column {header[at]} must have a whole number"
            raise _refused(rule, row[at] or "nothing", f"{place}, line {number}", "correct the line")
        key = (
            arm if arm_at is None else row[arm_at].strip(),
            replicate if replicate_at is None else row[replicate_at].strip(),
        )
        values = found.setdefault(key, {}).setdefault(int(moment), {})
        others = (
            (name, finite_number(cell)) for i, (name, cell) in enumerate(zip(header, row, strict=True)) if i != at
        )
        values |= {name: value for name, value in others if value is not None}
    return [Log(*key, epochs, place) for key, epochs in found.items()]


def _named(header: Sequence[str], usual: Sequence[str]) -> int | None:
    lower = [name.lower() for name in header]
    return next((lower.index(name.lower()) for name in usual if name.lower() in lower), None)


def _refused(rule: str, given: str, place: str, remedy: str) -> UserError:
    return UserError(rule, given=Shown(given), place=place, remedy=remedy)
