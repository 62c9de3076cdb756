"""paribus status: show what the workspace holds, and how far training has come.

Prints one line for each study, or with STUDY one line for each of its runs. Times are local.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import open_workspace, recorded_study
from paribus.cli.formatting import local_time
from paribus.cli.output import print_columns, print_json, print_message
from paribus.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paribus.store.records import StudyRecord
    from paribus.store.workspace import Workspace

ID_DIGITS = 12
"""Digits of an id that are printed; they name a study wherever a command asks for STUDY."""
_STATES = ("done", "running", "paused", "planned", "diverged")


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus status [STUDY] [--json]`."""
    to.add_argument("study", metavar="STUDY", nargs="?", help="a study of the workspace, to show its runs")
    to.add_argument("--json", action="store_true", help="print JSON for programs")


def execute(arguments: argparse.Namespace) -> Exit:
    """Print the state of all studies, or of the runs of one."""
    with open_workspace(arguments.workspace) as workspace:
        if arguments.study is not None:
            runs = _runs(workspace, recorded_study(workspace, arguments.study))
        else:
            studies = [_study(workspace, record) for record in workspace.studies()]
            _print_studies(studies, as_json=arguments.json)
            return Exit.DONE
    if arguments.json:
        print_json(runs)
    else:
        rows = [("arm", "replicate", "state", "epochs", "run", "findings")]
        rows += [
            (r["arm"], str(r["replicate"]), r["state"], f"{r['epochs_done']}/{r['epochs']}", r["run"][:ID_DIGITS],
             _counted(r["findings"]))
            for r in runs
        ]  # fmt: skip
        print_columns(rows, right=(1, 3), flexible=(0, 5))
    return Exit.DONE


def _print_studies(studies: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(studies)
        return
    if not studies:
        print_message("no study is recorded yet: start one with `paribus run selection`")
        return
    rows = [("study", "id", "runs", "epochs", "registered", "findings")]
    rows += [
        (s["study"], s["id"][:ID_DIGITS], _states(s), f"{s['epochs_done']}/{s['epochs']}",
         local_time(s["registered_at"]), _counted(s["findings"]))
        for s in studies
    ]  # fmt: skip
    print_columns(rows, flexible=(0, 2, 5))


def _states(study: dict[str, Any]) -> str:
    """`12/12 done`, and what the others are: `9/12 done, 3 running`."""
    others = [f"{study[state]} {state}" for state in _STATES[1:] if study[state]]
    return ", ".join([f"{study['done']}/{study['runs']} done", *others])


def _study(workspace: Workspace, record: StudyRecord) -> dict[str, Any]:
    runs = _runs(workspace, record)
    states = Counter(run["state"] for run in runs)
    return {
        "study": record.name,
        "id": record.id,
        "registered_at": record.registered_at,
        "runs": len(runs),
        **{state: states[state] for state in _STATES},
        "epochs_done": sum(run["epochs_done"] for run in runs),
        "epochs": sum(run["epochs"] for run in runs),
        "findings": [finding for run in runs for finding in run["findings"]],
    }


def _runs(workspace: Workspace, record: StudyRecord) -> list[dict[str, Any]]:
    from paribus.analysis.findings import kinds

    return [
        {
            "arm": arm,
            "replicate": replicate,
            "run": run.id,
            "state": run.state,
            "epochs_done": run.epochs_done,
            "epochs": run.recipe["training"]["epochs"],
            "findings": list(kinds(workspace, run)),
        }
        for arm, replicate, run in workspace.runs_of(record.id)
    ]


def _counted(kinds: Sequence[str]) -> str:
    """`2 collapse, dead-units`: each kind of finding, with the number of runs that have it if that is more than one."""
    counts = Counter(kinds)
    return ", ".join(kind if n == 1 else f"{n} {kind}" for kind, n in counts.items()) or "-"
