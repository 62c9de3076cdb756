"""paribus status: show what the workspace holds, and how far it has come.

Without STUDY one line a study; with STUDY one line a run.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import open_workspace, recorded_study
from paribus.cli.output import print_columns, print_json, print_message
from paribus.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paribus.store.records import StudyRecord
    from paribus.store.workspace import Workspace

_STATES = ("done", "running", "planned", "diverged")


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus status [STUDY] [--json]`."""
    to.add_argument("study", metavar="STUDY", nargs="?", help="a study of the workspace, to see its runs")
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
            (r["arm"], str(r["replicate"]), r["state"], f"{r['epochs_done']}/{r['epochs']}", r["run"][:12],
             _counted(r["findings"]))
            for r in runs
        ]  # fmt: skip
        print_columns(rows, right=(1, 3))
    return Exit.DONE


def _print_studies(studies: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(studies)
        return
    if not studies:
        print_message("no study is recorded yet: start one with `paribus run selection`")
        return
    rows = [("study", "id", "runs", *_STATES, "epochs", "findings", "registered")]
    rows += [
        (s["study"], s["id"][:12], str(s["runs"]), *(str(s[state]) for state in _STATES),
         f"{s['epochs_done']}/{s['epochs']}", _counted(s["findings"]), s["registered_at"])
        for s in studies
    ]  # fmt: skip
    print_columns(rows, right=range(2, 8))


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
    return [
        {
            "arm": arm,
            "replicate": replicate,
            "run": run.id,
            "state": run.state,
            "epochs_done": run.epochs_done,
            "epochs": run.recipe["training"]["epochs"],
            "findings": list(dict.fromkeys(finding.kind for finding in workspace.findings(run.id))),
        }
        for arm, replicate, run in workspace.runs_of(record.id)
    ]


def _counted(kinds: Sequence[str]) -> str:
    """`2 collapse, dead-units`: each kind of finding with the number of runs that have it, where more than one."""
    counts = Counter(kinds)
    return ", ".join(kind if n == 1 else f"{n} {kind}" for kind, n in counts.items()) or "-"
