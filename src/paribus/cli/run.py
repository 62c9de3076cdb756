"""paribus run: train the runs of a study that are not recorded yet, and record them.

After an interruption or a crash, run the same command again to resume. Recorded runs are not trained again. At the end
the verdicts on the claims, the main findings and the energy are printed.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import (
    add_change_options,
    add_device_option,
    add_meter_option,
    default_workspace,
    load_study,
    parse_changes,
)
from paribus.cli.closing import print_closing
from paribus.cli.formatting import plural
from paribus.cli.looks import Looks, parse_looks
from paribus.cli.output import print_json, print_message
from paribus.cli.plan import print_data_findings, print_notes
from paribus.cli.reuse import note_unused_runs
from paribus.cli.terminal import can_redraw
from paribus.cli.waiting import Waiting
from paribus.cli.where import Where, add_ray_option, where_of
from paribus.errors import Exit, Shown, UserError
from paribus.units import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paribus.execution.events import Event, Listener
    from paribus.execution.limits import Limits
    from paribus.execution.progress import StudyProgress
    from paribus.execution.runner import PreparedStudy, StudyOutcome
    from paribus.spec.study import Study
    from paribus.store.workspace import Workspace


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus run STUDY... [--set KEY=VALUE]... [--until-decided] [--budget AMOUNT] [--ray ADDRESS] [--report]`."""
    to.add_argument("studies", metavar="STUDY", nargs="+", help="a built-in study or the path of a study file")
    add_change_options(to)
    add_device_option(to)
    add_ray_option(to)
    looks = to.add_argument_group("replicates until the claims are decided")
    looks.add_argument(
        "--until-decided",
        action="store_true",
        help="train up to the first of replicates.looks, and on to the next while a claim is undecided",
    )
    looks.add_argument("--at-most", metavar="N", help="stop at this number of replicates")
    to.add_argument(
        "--budget",
        metavar="AMOUNT",
        help="stop in order after this time or energy, such as 20min or 50kJ; the same command goes on from there",
    )
    add_meter_option(to)
    to.add_argument("--report", action="store_true", help="write the report again as soon as each study has ended")
    to.add_argument("--json", action="store_true", help="print a JSON list of what was done, for programs")


def execute(arguments: argparse.Namespace) -> Exit:
    """Check every study first, then train them one after the other."""
    looks = parse_looks(arguments)
    with Waiting() as waiting:
        waiting("loading paribus")
        from paribus.energy.choice import Meters
        from paribus.execution.limits import Budget, Limits

        Meters(arguments.meters)
        limits = Limits(None if arguments.budget is None else Budget.of(arguments.budget))
        where = where_of(arguments)
        studies = _prepared(arguments, looks, where, waiting)
        done, code = _run_all(arguments, studies, looks, where, limits, waiting)
    if arguments.json:
        print_json(done)
    names = list(dict.fromkeys(prepared.study.name for prepared in studies.values()))
    option = [] if arguments.workspace == default_workspace() else ["--workspace", str(arguments.workspace)]
    report, view = (shlex.join(["paribus", command, *names, *option]) for command in ("report", "view"))
    print_message(f"next: {view}" if arguments.report else f"next: {report}, or {view}")
    return code


def _run_all(
    arguments: argparse.Namespace,
    studies: dict[str, PreparedStudy],
    looks: Looks | None,
    where: Where,
    limits: Limits,
    waiting: Waiting,
) -> tuple[list[dict[str, Any]], Exit]:
    """Train the studies; what was done, for programs, and the exit code."""
    from paribus.analysis.results import load
    from paribus.execution.lasting import LastingWorkers
    from paribus.store.workspace import Workspace
    from paribus.training.cpu.compiling import skip_blas

    skip_blas()
    done: list[dict[str, Any]] = []
    ended: list[str] = []
    broken = 0
    with (
        Workspace.open(arguments.workspace, create=True, write=True) as workspace,
        closing(LastingWorkers(where.executor)) as workers,
    ):
        where = replace(where, executor=workers)
        for name, first in studies.items():
            prepared = first
            while True:
                outcome = run_prepared(
                    prepared,
                    workspace,
                    waiting,
                    where,
                    debug=arguments.debug,
                    meters=arguments.meters,
                    limits=limits,
                )
                done.append({"study": prepared.study.name, "id": prepared.id, **asdict(outcome)})
                waiting(f"{prepared.study.name}: judging the claims")
                results = load(workspace, prepared.id)
                print_closing(results)
                waiting.over()
                more = None if looks is None or outcome.stopped else looks.following(results)
                if more is None:
                    break
                prepared = _prepare(arguments, name, more, where)
            broken += outcome.diverged + len(outcome.failed)
            ended.append(prepared.id)
            if arguments.report:
                waiting(f"writing the report on {plural(len(ended), 'study', 'studies')}")
                _report(workspace, ended, last=len(ended) == len(studies))
                waiting.over()
    return done, Exit.FAILED_RUNS if broken else Exit.DONE


def _prepared(
    arguments: argparse.Namespace, looks: Looks | None, where: Where, waiting: Waiting
) -> dict[str, PreparedStudy]:
    """The studies by their names on the command line, all checked, data included, before anything is written."""
    found: dict[str, PreparedStudy] = {}
    for name in arguments.studies:
        study = load_study(name, parse_changes(arguments))
        if study.search is not None:
            rule, remedy = "must have arms: it is a search", f"search: paribus search {name}"
            raise UserError(rule, given=Shown("[search]"), place=f"study {study.name}", remedy=remedy)
        if study.digest not in {prepared.study.digest for prepared in found.values()}:
            print_notes(name, study, parse_changes(arguments))
            waiting(f"{study.name}: reading the data and checking the study")
            found[name] = _prepare(arguments, name, None if looks is None else looks.first(study), where)
    for prepared in found.values():
        print_data_findings(prepared)
    waiting.over()
    return found


def _prepare(arguments: argparse.Namespace, name: str, replicates: int | None, where: Where) -> PreparedStudy:
    from paribus.execution.runner import prepare

    changes = parse_changes(arguments) | ({} if replicates is None else {"replicates": str(replicates)})
    return prepare(load_study(name, changes), device=arguments.device, workers=where.workers)


def run_prepared(
    prepared: PreparedStudy,
    workspace: Workspace,
    waiting: Waiting,
    where: Where,
    *,
    debug: bool,
    timing: bool = True,
    meters: Sequence[str] = (),
    limits: Limits | None = None,
) -> StudyOutcome:
    """Train one study, and say what was done."""
    from paribus.execution.runner import run_study

    study, progress = prepared.study, progress_before(prepared, workspace)
    note = note_unused_runs(workspace, study.name, prepared.runs)
    if note:
        print_message(note)
    if timing and progress.runs_done < len(prepared.runs):
        from paribus.cli.lines import total

        waiting(f"{total(progress)}; timing a few steps of each cohort", told=True)
    with display_of(progress) as listener:
        outcome = run_study(
            prepared,
            workspace,
            ending(waiting, listener),
            executor=where.executor,
            timing=timing,
            meters=meters,
            limits=limits,
        )
    waiting.over()
    say(study, outcome, debug=debug)
    return outcome


def _report(workspace: Workspace, ended: Sequence[str], *, last: bool) -> None:
    """Write the report on the studies that have ended so far, and say where it is.

    Pictures for browsers without scripts take longest, so only the last report has them.
    """
    from paribus.report.folder import write_report

    written = write_report(workspace, ended, workspace.path / "report", still=last)
    print_message(f"report: {written.page}")


def ending(waiting: Waiting, listener: Listener) -> Callable[[Event], None]:
    """`listener`, but the first event ends the wait."""

    def listen(event: Event) -> None:
        waiting.over()
        listener(event)

    return listen


def progress_before(prepared: PreparedStudy, workspace: Workspace) -> StudyProgress:
    """The study's progress before it trains: how many of its runs are recorded, and how much work is left."""
    from paribus.execution.progress import StudyProgress
    from paribus.execution.runner import plan_in

    return StudyProgress.of(plan_in(prepared, workspace, timing=False))


def display_of(progress: StudyProgress) -> Any:
    """What shows training: rows that are redrawn on a terminal that can, else lines."""
    if can_redraw(sys.stderr):
        from paribus.cli.live import LiveDisplay

        return LiveDisplay(progress)
    from paribus.cli.lines import LineDisplay

    return LineDisplay(progress)


def say(study: Study, outcome: StudyOutcome, *, debug: bool) -> None:
    """Say what was trained, and what was not."""
    recorded = f"{plural(outcome.reused, 'run')} {'is' if outcome.reused == 1 else 'are'} recorded"
    if not outcome.trained and not outcome.failed and not outcome.stopped:
        print_message(f"{study.name}: nothing to train: {recorded}")
    else:
        parts = [f"trained {plural(outcome.trained, 'run')} in {duration(outcome.wall_s)}"]
        if outcome.resumed:
            parts.append(f"{outcome.resumed} of them resumed")
        if outcome.reused:
            parts.append(f"{recorded} already")
        print_message(f"{study.name}: {', '.join(parts)}")
    if outcome.stopped:
        runs = plural(outcome.left, "run")
        print_message(f"{study.name}: paused: {outcome.stopped}; {runs} left, the same command goes on from here")
    if outcome.diverged:
        print_message(f"{study.name}: {plural(outcome.diverged, 'run')} diverged (see `paribus status {study.name}`)")
    for name, reason in outcome.failed.items():
        print_message(f"{study.name}: {name} failed: its worker {reason}; the same command trains it again")
    if outcome.failed and not debug:
        print_message(f"{study.name}: --debug shows the traceback of an error in a worker")
    if outcome.measured:
        print_message(f"{study.name}: added missing measurements to {plural(outcome.measured, 'recorded run')}")
    if outcome.references:
        print_message(f"{study.name}: fitted reference models for {plural(outcome.references, 'run')}")
    for name, runs in outcome.not_kept.items():
        print_message(
            f"{study.name}: note: {plural(runs, 'recorded run')} without {name}, which only training can record"
        )
