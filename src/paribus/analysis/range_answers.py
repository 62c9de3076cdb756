"""What a learning-rate range test says, in words."""

from __future__ import annotations

from paribus.analysis.faults import UNSTABLE_IN_WORDS
from paribus.analysis.range_test import IN_WORDS, RangeTest, Rule, range_tests
from paribus.analysis.results import Results
from paribus.analysis.thresholds import CONSTANT_LOSS_SHARE

DEFAULT: Rule = "decade-below"


def range_sentences(results: Results, rule: Rule = DEFAULT) -> list[str]:
    """What is suggested for each arm, where it becomes unstable, and where it does no better than a constant."""
    return [range_sentence(test, rule) for test in range_tests(results)]


def range_sentence(test: RangeTest, rule: Rule = DEFAULT) -> str:
    """One arm's test."""
    found, used = suggested(test, rule)
    first, last = test.rates[0], test.rates[-1]
    if found is None:
        what = f"{test.arm}: the range {first:.2g} to {last:.2g} suggests no learning rate"
    else:
        what = f"{test.arm}: the suggested learning rate is {found:.2g} ({used})"
    if test.unstable is None:
        what += f"; stable in all replicates up to {last:.2g}"
    else:
        what += f"; unstable from {test.unstable:.2g} on"
    if test.collapsed is not None:
        what += f"; no better than a constant output from {test.collapsed:.2g} on"
    return f"{what}."


def suggested(test: RangeTest, rule: Rule = DEFAULT) -> tuple[float | None, Rule]:
    """The rate that a rule suggests, with the rule; where the range shows none, that of the first rule that has one."""
    for one in (rule, "steepest", "largest-stable"):
        found = test.suggestion(one)
        if found is not None:
            return found, one
    return None, rule


def rules_in_words() -> str:
    """What each rule and each region means."""
    rules = "; ".join(f"{rule}: {words}" for rule, words in IN_WORDS.items())
    return (
        f"Rules: {rules}. Unstable: {UNSTABLE_IN_WORDS}, or it is not finite. No better than a constant "
        f"output: the loss is at least {100 * CONSTANT_LOSS_SHARE:g} % of that of the best constant output."
    )
