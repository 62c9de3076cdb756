"""paribus run: train what is not recorded yet, and record it.

Interrupted or killed, the same command goes on where it was. A study that is recorded already trains nothing.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import add_change_options, add_device_option, load_study, parse_changes
from paribus.cli.output import plural, print_json, print_message
from paribus.cli.plan import note_idle_changes
from paribus.errors import Exit
from paribus.units import duration

if TYPE_CHECKING:
    from paribus.execution.runner import Summary
    from paribus.spec.study import Study


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus run STUDY... [--set KEY=VALUE]... [--replicates N] [--device NAME] [--json]`."""
    to.add_argument("studies", metavar="STUDY", nargs="+", help="a built-in study or the path of a study file")
    add_change_options(to)
    add_device_option(to)
    to.add_argument("--json", action="store_true", help="print a JSON list of what was done, for programs")


def execute(arguments: argparse.Namespace) -> Exit:
    """Check every study first, then train them one after the other."""
    studies = _checked(arguments)
    from paribus.execution.runner import run_study
    from paribus.store.workspace import Workspace

    done: list[dict[str, Any]] = []
    diverged = 0
    with Workspace.open(arguments.workspace, create=True, write=True) as workspace:
        for study in studies:
            with _display() as listener:
                summary = run_study(study, workspace, listener, device=arguments.device)
            _print(study, summary)
            done.append({"study": study.name, "id": study.id, **asdict(summary)})
            diverged += summary.diverged
    if arguments.json:
        print_json(done)
    return Exit.FAILED_RUNS if diverged else Exit.DONE


def _checked(arguments: argparse.Namespace) -> list[Study]:
    """The studies of the command line, each valid and with its data's identity known: nothing is written before."""
    changes = parse_changes(arguments)
    studies: dict[str, Study] = {}
    for name in arguments.studies:
        study = load_study(name, changes)
        note_idle_changes(name, study, changes)
        studies[study.id] = study
    from paribus.training.plan import plan_study

    for study in studies.values():
        plan_study(study, {}, rehearse=False, device=arguments.device)
    return list(studies.values())


def _display() -> Any:
    if sys.stderr.isatty():
        from paribus.cli.live import LiveDisplay

        return LiveDisplay()
    from paribus.cli.lines import LineDisplay

    return LineDisplay()


def _print(study: Study, summary: Summary) -> None:
    recorded = f"{plural(summary.reused, 'run')} {'is' if summary.reused == 1 else 'are'} recorded"
    if not summary.trained:
        print_message(f"{study.name}: nothing to train: {recorded}")
    else:
        parts = [f"trained {plural(summary.trained, 'run')} in {duration(summary.wall_s)}"]
        if summary.resumed:
            parts.append(f"{summary.resumed} of them resumed")
        if summary.reused:
            parts.append(f"{recorded} already")
        print_message(f"{study.name}: {', '.join(parts)}")
    if summary.diverged:
        print_message(f"{study.name}: {plural(summary.diverged, 'run')} diverged (see `paribus status {study.name}`)")
