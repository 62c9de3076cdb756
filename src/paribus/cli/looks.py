"""`--until-decided`: from one declared look to the next, until every claim of a study is decided."""

from __future__ import annotations

import argparse
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paribus.cli.output import print_message
from paribus.errors import UserError
from paribus.units import duration

if TYPE_CHECKING:
    from paribus.analysis.results import Results
    from paribus.spec.study import Study

_SECONDS = {"s": 1, "min": 60, "h": 3600}
_TIME = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(s|min|h)")


@dataclass(frozen=True)
class Looks:
    """How far `--until-decided` goes: `at_most` replicates, and no further look after `budget_s` seconds from
    `started`, a value of `time.monotonic`. None is no limit."""

    at_most: int | None
    budget_s: float | None
    started: float

    def first(self, study: Study) -> int:
        """The replicates of the first look. Raises UserError for a study that declares no looks."""
        looks = study.replicates.looks
        if not study.claims:
            rule, remedy = "needs claims to decide", "add [[claims]], or leave out --until-decided"
            raise UserError(rule, given=0, place=f"study {study.name}, key claims", remedy=remedy)
        if not looks:
            raise UserError(
                "needs declared looks: numbers of replicates at which the claims are judged",
                given=study.replicates.count,
                place=f"study {study.name}, key replicates",
                remedy="write replicates = { count = 8, looks = [8, 12, 20] }, or leave out --until-decided",
            )
        if self.at_most is not None and self.at_most < looks[0]:
            rule = f"must be at least the first look of study {study.name} ({looks[0]})"
            raise UserError(rule, given=self.at_most, place="--at-most", remedy="raise it")
        return looks[0]

    def following(self, results: Results) -> int | None:
        """The replicates of the next look, or None, having said why, where this one was the last."""
        from paribus.analysis.verdicts import claim_outcomes

        study = results.study
        open_claims = sum(case.verdict in (None, "INCONCLUSIVE") for case in claim_outcomes(results))
        more = next((look for look in study.replicates.looks if look > study.replicates.count), None)
        elapsed = time.monotonic() - self.started
        if not open_claims:
            reason = "every claim is decided"
        elif more is None:
            reason = "that was the last look"
        elif self.at_most is not None and more > self.at_most:
            reason = f"the next look has {more} replicates, and --at-most is {self.at_most}"
        elif self.budget_s is not None and elapsed > self.budget_s:
            reason = f"the budget is used up after {duration(elapsed)}"
        else:
            return more
        print_message(f"{study.name}: stopped at {study.replicates.count} replicates: {reason}")
        return None


def parse_looks(arguments: argparse.Namespace) -> Looks | None:
    """The limits of `--until-decided`; None without it. Raises UserError where a limit is none."""
    if not arguments.until_decided:
        for option, value in (("--at-most", arguments.at_most), ("--budget", arguments.budget)):
            if value is not None:
                raise UserError("goes with --until-decided", given=value, place=option, remedy="add it, or drop this")
        return None
    if arguments.replicates is not None:
        given, remedy = arguments.replicates, "drop one of the two"
        raise UserError("does not go with --until-decided", given=given, place="--replicates", remedy=remedy)
    return Looks(_replicates(arguments.at_most), _budget(arguments.budget), time.monotonic())


def _replicates(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text)):
        rule, remedy = "must be a whole number of at least 1", "write --at-most 20"
        raise UserError(rule, given=text, place="--at-most", remedy=remedy)
    return int(text)


def _budget(text: str | None) -> float | None:
    if text is None:
        return None
    found = _TIME.fullmatch(text.strip())
    if found is None:
        rule, remedy = "must be a time with its unit: s, min or h", "write --budget 20min"
        raise UserError(rule, given=text, place="--budget", remedy=remedy)
    return float(found[1]) * _SECONDS[found[2]]
