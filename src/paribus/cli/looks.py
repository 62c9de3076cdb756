"""`--until-decided`: from one declared look to the next, until every claim of a study is decided."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paribus.cli.output import print_message
from paribus.errors import UserError

if TYPE_CHECKING:
    from paribus.analysis.results import Results
    from paribus.spec.study import Study


@dataclass(frozen=True)
class Looks:
    """How far `--until-decided` goes: `at_most` replicates. None is no limit."""

    at_most: int | None

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
        if not open_claims:
            reason = "every claim is decided"
        elif more is None:
            reason = "that was the last look"
        elif self.at_most is not None and more > self.at_most:
            reason = f"the next look has {more} replicates, and --at-most is {self.at_most}"
        else:
            return more
        print_message(f"{study.name}: stopped at {study.replicates.count} replicates: {reason}")
        return None


def parse_looks(arguments: argparse.Namespace) -> Looks | None:
    """The limits of `--until-decided`; None without it. Raises UserError where a limit is none."""
    if not arguments.until_decided:
        if arguments.at_most is not None:
            given, remedy = arguments.at_most, "add it, or drop this"
            raise UserError("goes with --until-decided", given=given, place="--at-most", remedy=remedy)
        return None
    if arguments.replicates is not None:
        given, remedy = arguments.replicates, "drop one of the two"
        raise UserError("does not go with --until-decided", given=given, place="--replicates", remedy=remedy)
    return Looks(_replicates(arguments.at_most))


def _replicates(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text)):
        rule, remedy = "must be a whole number of at least 1", "write --at-most 20"
        raise UserError(rule, given=text, place="--at-most", remedy=remedy)
    return int(text)
