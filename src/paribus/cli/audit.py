"""paribus audit: find labels that are probably wrong, in data of your own or in those of a study.

A network is trained on every fold of the data, with their labels as given and with some that are flipped on purpose, so
that the audit knows how well it finds wrong labels. All runs are recorded: after an interruption, the same command goes
on. Test examples of data with splits of their own are left alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import add_device_option, parse_path
from paribus.cli.output import print_message
from paribus.cli.waiting import Waiting
from paribus.cli.where import Where, add_ray_option, where_of
from paribus.errors import Exit, UserError

if TYPE_CHECKING:
    from paribus.auditing.examples import Examples
    from paribus.auditing.plan import Settings
    from paribus.auditing.result import AuditResult
    from paribus.execution.runner import PreparedStudy, StudyOutcome
    from paribus.store.records import Forecast
    from paribus.store.workspace import Workspace


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus audit DATA [--target COLUMN] [--folds N] ... [--ray ADDRESS] [--csv | --json] [--html PAGE]`."""
    to.add_argument("data", metavar="DATA", help="a data file, a folder, a built-in source, or a study file (.toml)")
    to.add_argument("--target", metavar="COLUMN", help="the column or the array of the labels")
    to.add_argument("--split", metavar="NAME", help="which split of a source that has several (default: its first)")
    to.add_argument("--groups", metavar="COLUMN", help="keep examples with one value of this column in one fold")
    how = to.add_argument_group("how it trains")
    how.add_argument("--folds", metavar="N", type=int, help="parts of the data, each held out once (default: 5)")
    how.add_argument("--repetitions", metavar="N", type=int, help="how often that is repeated (default: 1)")
    how.add_argument("--planted", metavar="SHARE", type=float, help="labels that an arm flips (default: 0.05)")
    how.add_argument("--hidden", metavar="N,N", help="units of the hidden layers (default: 128)")
    how.add_argument("--epochs", metavar="N", type=int, help="epochs; the best by validation counts (default: 6 to 60)")
    how.add_argument("--seed", metavar="N", type=int, help="of all random numbers (default: 0)")
    add_device_option(to)
    add_ray_option(to)
    form = to.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print every example, the most suspicious first, as CSV")
    form.add_argument("--json", action="store_true", help="print a JSON object of all that was found")
    to.add_argument("--html", metavar="PAGE", help="write a page with the suspects that opens without a network")
    to.add_argument("--clean", metavar="FILE", help="write a copy without the suspects: .npz, or .csv of a CSV table")
    to.add_argument("--relabel", action="store_true", help="with --clean: give suspects the proposed label")


def execute(arguments: argparse.Namespace) -> Exit:
    """Train what is not recorded yet, and say what was found."""
    from paribus.cli.audit_clean import check_clean
    from paribus.cli.audit_text import print_audit, print_audit_csv, print_audit_json

    if arguments.relabel and arguments.clean is None:
        raise UserError("goes with --clean", given="--relabel", place="paribus audit", remedy="add --clean FILE")
    clean = None if arguments.clean is None else parse_path(arguments.clean, "--clean")
    with Waiting() as waiting:
        waiting("loading paribus")
        where = where_of(arguments)
        examples, prepared = _prepared(arguments, where, waiting)
        if clean is not None:
            check_clean(clean, examples)
        result, outcome = _audited(arguments, examples, prepared, where, waiting)
        waiting.over()
    if arguments.html is not None:
        from paribus.cli.audit_page import write_page

        print_message(f"wrote {write_page(parse_path(arguments.html, '--html'), result, examples)}")
    if arguments.json:
        print_audit_json(result)
    elif arguments.csv:
        print_audit_csv(result)
    else:
        print_audit(result)
    if clean is not None:
        from paribus.cli.audit_clean import write_clean

        print_message(write_clean(clean, result, examples, relabel=arguments.relabel))
    return Exit.FAILED_RUNS if outcome.diverged or outcome.failed else Exit.DONE


def _prepared(arguments: argparse.Namespace, where: Where, waiting: Waiting) -> tuple[Examples, PreparedStudy]:
    from paribus.cli.audit_data import examples_and_study, subject_of
    from paribus.execution.runner import prepare

    waiting(f"{arguments.data}: reading the data")
    subject = subject_of(arguments.data, arguments.target, arguments.split)
    settings = _settings(arguments, subject.seed)
    examples, study = examples_and_study(subject, settings, arguments.groups)
    waiting(f"{study.name}: checking the study")
    return examples, prepare(study, device=arguments.device, workers=where.workers, told=waiting.further)


def _settings(arguments: argparse.Namespace, seed: int | None) -> Settings:
    from paribus.auditing.plan import Settings

    given: dict[str, Any] = {
        name: getattr(arguments, name)
        for name in ("folds", "repetitions", "planted", "epochs", "seed")
        if getattr(arguments, name) is not None
    }
    if seed is not None:
        given.setdefault("seed", seed)
    if arguments.hidden is not None:
        given["hidden"] = _widths(arguments.hidden)
    return Settings(**given)


def _widths(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isascii() and part.isdecimal() and 0 < int(part) <= 65_536 for part in parts):
        raise UserError("must be numbers of units", given=text, place="--hidden", remedy="write --hidden 128,64")
    return tuple(map(int, parts))


def _audited(
    arguments: argparse.Namespace, examples: Examples, prepared: PreparedStudy, where: Where, waiting: Waiting
) -> tuple[AuditResult, StudyOutcome]:
    from paribus.analysis.results import load
    from paribus.auditing.assembling import audited
    from paribus.store.workspace import Workspace
    from paribus.training.cpu.compiling import skip_blas

    skip_blas()
    with Workspace.open(Path(arguments.workspace), create=True, write=True) as workspace:
        outcome = _trained(prepared, workspace, where, waiting)
        waiting(f"{prepared.study.name}: ranking {len(examples):,} labels")
        return audited(load(workspace, prepared.id), examples, waiting.further), outcome


def _trained(prepared: PreparedStudy, workspace: Workspace, where: Where, waiting: Waiting) -> StudyOutcome:
    """Train what is not recorded, with progress."""
    from paribus.cli.lines import total
    from paribus.cli.run import display_of, ending, progress_before, say
    from paribus.execution.runner import run_study

    progress = progress_before(prepared, workspace)
    if progress.runs_done < len(prepared.runs):
        waiting(f"{total(progress)}; timing a few steps of each cohort", told=True)

    def expecting(forecast: Forecast) -> None:
        progress.remaining_s = forecast.wall_s
        waiting(f"{total(progress)} by a timing run", told=True)

    with display_of(progress) as listener:
        outcome = run_study(
            prepared, workspace, ending(waiting, listener), executor=where.executor, expecting=expecting
        )
    waiting.over()
    say(prepared.study, outcome, debug=False)
    return outcome
