"""paribus lr-range: a learning-rate range test, which suggests a rate for each arm of a study.

Each arm trains once for each replicate while its rate grows from epoch to epoch. The runs are recorded as a study of
their own, NAME-lr-range, whose report has the figure.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import add_change_options, add_device_option, load_study, parse_changes
from paribus.cli.output import print_columns, print_json, print_message
from paribus.cli.run import run_prepared
from paribus.cli.waiting import Waiting
from paribus.cli.where import add_ray_option, where_of
from paribus.errors import Exit, UserError

if TYPE_CHECKING:
    from paribus.analysis.range_test import RangeTest, Rule
    from paribus.analysis.results import Results

_RULES = ("decade-below", "steepest", "largest-stable")


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus lr-range STUDY [--from RATE] [--to RATE] [--epochs N] [--rule NAME] [--set KEY=VALUE]... [--json]`."""
    to.add_argument("study", metavar="STUDY", help="a built-in study or the path of a study file")
    to.add_argument(
        "--from", dest="first", metavar="RATE", default="1e-6", help="the first rate (default: %(default)s)"
    )
    to.add_argument("--to", dest="last", metavar="RATE", default="1", help="the last rate (default: %(default)s)")
    to.add_argument("--epochs", metavar="N", default="100", help="rates that are tried (default: %(default)s)")
    rules = "what is suggested: decade-below (the default), steepest or largest-stable"
    to.add_argument("--rule", metavar="NAME", choices=_RULES, default=_RULES[0], help=rules)
    add_change_options(to)
    add_device_option(to)
    add_ray_option(to)
    to.add_argument("--json", action="store_true", help="print a JSON list, one object for each arm")


def execute(arguments: argparse.Namespace) -> Exit:
    """Train the range test's study, and print what it suggests."""
    with Waiting() as waiting:
        waiting("loading paribus")
        from paribus.analysis.results import load
        from paribus.execution.runner import prepare
        from paribus.searching.range_study import range_study, refuse_no_range
        from paribus.spec.study import parse
        from paribus.store.workspace import Workspace
        from paribus.training.cpu.compiling import skip_blas

        first, last, epochs = _rate(arguments.first, "--from"), _rate(arguments.last, "--to"), _epochs(arguments.epochs)
        refuse_no_range(first, last, epochs, ("--from", "--to", "--epochs"))
        skip_blas()
        study = load_study(arguments.study, parse_changes(arguments))
        name, text = range_study(study, first=first, last=last, epochs=epochs)
        waiting(f"{study.name}: reading the data and checking the study")
        where, again = where_of(arguments), parse(text, place=f"study {name}", folder=study.folder)
        prepared = prepare(again, device=arguments.device, workers=where.workers)
        with Workspace.open(arguments.workspace, create=True, write=True) as workspace:
            outcome = run_prepared(prepared, workspace, waiting, where, debug=arguments.debug)
            results = load(workspace, prepared.id)
    _print(arguments, results)
    print_message(f"next: paribus report {name}")
    return Exit.FAILED_RUNS if outcome.failed else Exit.DONE


def _epochs(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise UserError("must be a whole number", given=text, place="--epochs", remedy="write --epochs 100")
    return int(text)


def _rate(text: str, place: str) -> float:
    try:
        return float(text)
    except ValueError:
        remedy = f"write {place} 1e-3"
        raise UserError("must be a number above 0", given=text, place=place, remedy=remedy) from None


def _print(arguments: argparse.Namespace, results: Results) -> None:
    from paribus.analysis.range_answers import range_sentences, rules_in_words
    from paribus.analysis.range_test import RULES, range_tests

    rule: Rule = arguments.rule
    tests = range_tests(results)
    if arguments.json:
        print_json([as_json(test, rule) for test in tests])
        return
    rows: list[tuple[str, ...]] = [("arm", *RULES, "unstable", "constant")]
    for test in tests:
        rates = [*(test.suggestion(one) for one in RULES), test.unstable, test.collapsed]
        rows.append((test.arm, *("-" if rate is None else f"{rate:.2g}" for rate in rates)))
    print_columns(rows, flexible=(0,))
    for sentence in range_sentences(results, rule):
        print_message(sentence.removesuffix("."))
    print_message(rules_in_words().removesuffix("."))


def as_json(test: RangeTest, rule: Rule) -> dict[str, Any]:
    """One arm's test for programs: what each rule suggests, the regions, and the curves."""
    from paribus.analysis.range_answers import suggested
    from paribus.analysis.range_test import RULES

    found, used = suggested(test, rule)
    return {
        "arm": test.arm,
        "suggested": found,
        "rule": used,
        **{one: test.suggestion(one) for one in RULES},
        "unstable": test.unstable,
        "collapsed": test.collapsed,
        "rates": test.rates.tolist(),
        "mean": test.mean.tolist(),
        "low": test.low.tolist(),
        "high": test.high.tolist(),
    }
