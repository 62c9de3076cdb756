"""paribus run: train the runs of a study that are not recorded yet, and record them.

After an interruption or a crash, run the same command again to resume. A study that is recorded trains nothing.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import add_change_options, add_device_option, default_workspace, load_study, parse_changes
from paribus.cli.formatting import plural
from paribus.cli.looks import Looks, parse_looks
from paribus.cli.output import print_json, print_message
from paribus.cli.plan import print_data_findings, print_notes
from paribus.cli.reuse import note_unused_runs
from paribus.errors import Exit
from paribus.units import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paribus.analysis.results import Results
    from paribus.cli.study_progress import StudyProgress
    from paribus.execution.runner import PreparedStudy, StudyOutcome
    from paribus.spec.study import Study
    from paribus.store.workspace import Workspace


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus run STUDY... [--set KEY=VALUE]... [--replicates N] [--device NAME] [--until-decided] [--report]`."""
    to.add_argument("studies", metavar="STUDY", nargs="+", help="a built-in study or the path of a study file")
    add_change_options(to)
    add_device_option(to)
    looks = to.add_argument_group("replicates until the claims are decided")
    looks.add_argument(
        "--until-decided",
        action="store_true",
        help="train as many replicates as the first of replicates.looks, and go on to the next while a claim is open",
    )
    looks.add_argument("--at-most", metavar="N", help="stop at this number of replicates")
    looks.add_argument("--budget", metavar="TIME", help="begin no further look after this time, such as 20min or 2h")
    to.add_argument("--report", action="store_true", help="write the report anew as soon as each study has ended")
    to.add_argument("--json", action="store_true", help="print a JSON list of what was done, for programs")


def execute(arguments: argparse.Namespace) -> Exit:
    """Check every study first, then train them one after the other."""
    looks = parse_looks(arguments)
    studies = _prepared(arguments, looks)
    from paribus.analysis.results import load
    from paribus.store.workspace import Workspace
    from paribus.training.cpu.compiling import skip_blas

    skip_blas()

    done: list[dict[str, Any]] = []
    diverged = failed = 0
    ended: list[str] = []
    with Workspace.open(arguments.workspace, create=True, write=True) as workspace:
        for name, first in studies.items():
            prepared = first
            while True:
                outcome = _run(prepared, workspace, done)
                results = load(workspace, prepared.id)
                print_verdicts(results)
                more = None if looks is None else looks.following(results)
                if more is None:
                    break
                prepared = _prepare(arguments, name, more)
            diverged += outcome.diverged
            failed += len(outcome.failed)
            ended.append(prepared.id)
            if arguments.report:
                _report(workspace, ended)
    if arguments.json:
        print_json(done)
    if not arguments.report:
        names = list(dict.fromkeys(prepared.study.name for prepared in studies.values()))
        where = [] if arguments.workspace == default_workspace() else ["--workspace", str(arguments.workspace)]
        print_message(f"next: {shlex.join(['paribus', 'report', *names, *where])}")
    return Exit.FAILED_RUNS if diverged or failed else Exit.DONE


def _prepared(arguments: argparse.Namespace, looks: Looks | None) -> dict[str, PreparedStudy]:
    """The studies by their names on the command line, all checked, data included, before anything is written."""
    found: dict[str, PreparedStudy] = {}
    for name in arguments.studies:
        study = load_study(name, parse_changes(arguments))
        if study.digest not in {prepared.study.digest for prepared in found.values()}:
            print_notes(name, study, parse_changes(arguments))
            found[name] = _prepare(arguments, name, None if looks is None else looks.first(study))
    for prepared in found.values():
        print_data_findings(prepared)
    return found


def _prepare(arguments: argparse.Namespace, name: str, replicates: int | None) -> PreparedStudy:
    from paribus.execution.runner import prepare

    changes = parse_changes(arguments) | ({} if replicates is None else {"replicates": str(replicates)})
    return prepare(load_study(name, changes), device=arguments.device)


def _run(prepared: PreparedStudy, workspace: Workspace, done: list[dict[str, Any]]) -> StudyOutcome:
    """Train one study, say what was done, and add it to `done`."""
    from paribus.execution.runner import run_study

    study, progress = prepared.study, progress_before(prepared, workspace)
    note = note_unused_runs(workspace, study.name, prepared.runs)
    if note:
        print_message(note)
    if progress.runs_done < len(prepared.runs):
        print_message(f"{progress}; first a few steps are timed, which can take a minute")
    with _display(progress) as listener:
        outcome = run_study(prepared, workspace, listener)
    _print(study, outcome)
    done.append({"study": study.name, "id": prepared.id, **asdict(outcome)})
    return outcome


def _report(workspace: Workspace, ended: Sequence[str]) -> None:
    """Write the report on the studies that have ended so far, and say where it is."""
    from paribus.report.page import write_report

    print_message(f"report: {write_report(workspace, ended, workspace.path / 'report')}")


def print_verdicts(results: Results) -> None:
    """Each claim with its verdict, its difference and its interval."""
    from paribus.analysis.verdicts import claim_outcomes
    from paribus.analysis.wording import effect
    from paribus.spec.metrics import METRICS

    for case in claim_outcomes(results):
        found = case.contrast
        lower = "" if METRICS[found.metric].direction > 0 else "; lower is better"
        effect_of = effect(found.metric, found.mean, found.interval)
        numbers = "" if found.mean is None else f" ({effect_of}, n = {found.n}{lower})"
        print_message(f"{case.label}: {case.claim.statement.rstrip('.')}{numbers}")


def progress_before(prepared: PreparedStudy, workspace: Workspace) -> StudyProgress:
    """The study's progress before it trains: how many of its runs are recorded, and how much work is left."""
    from paribus.cli.study_progress import StudyProgress

    recorded = work = 0
    for run in prepared.runs:
        record = workspace.run(run.id)
        if record is not None and record.state in ("done", "diverged"):
            recorded += 1
        else:
            epochs_left = run.recipe.training.epochs - (record.epochs_done if record else 0)
            work += run.parameters * epochs_left
    return StudyProgress(prepared.study.name, runs=len(prepared.runs), recorded=recorded, work=work)


def _display(progress: StudyProgress) -> Any:
    if sys.stderr.isatty():
        from paribus.cli.live import LiveDisplay

        return LiveDisplay(progress)
    from paribus.cli.lines import LineDisplay

    return LineDisplay(progress)


def _print(study: Study, outcome: StudyOutcome) -> None:
    recorded = f"{plural(outcome.reused, 'run')} {'is' if outcome.reused == 1 else 'are'} recorded"
    if not outcome.trained and not outcome.failed:
        print_message(f"{study.name}: nothing to train: {recorded}")
    else:
        parts = [f"trained {plural(outcome.trained, 'run')} in {duration(outcome.wall_s)}"]
        if outcome.resumed:
            parts.append(f"{outcome.resumed} of them resumed")
        if outcome.reused:
            parts.append(f"{recorded} already")
        print_message(f"{study.name}: {', '.join(parts)}")
    if outcome.diverged:
        print_message(f"{study.name}: {plural(outcome.diverged, 'run')} diverged (see `paribus status {study.name}`)")
    for name, reason in outcome.failed.items():
        print_message(f"{study.name}: {name} failed: its worker {reason}; the same command trains it again")
    if outcome.measured:
        print_message(f"{study.name}: measured what {plural(outcome.measured, 'recorded run')} lacked")
    if outcome.references:
        print_message(f"{study.name}: fitted the reference lines of {plural(outcome.references, 'run')}")
    for name, runs in outcome.not_kept.items():
        print_message(
            f"{study.name}: note: {plural(runs, 'recorded run')} trained without {name}, which only training can give"
        )
