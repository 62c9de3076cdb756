"""paribus status: show what the workspace holds, what trains now, and how much time is left.

Prints one line for each study; with the name or the id of a study one line for each of its runs; with the id of a run
what is recorded of it. The first digits of an id are enough. Times are local.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import looks_like_path, open_workspace, recorded_study
from paribus.cli.formatting import format_expected, format_mean, local_time, plural
from paribus.cli.output import data_width, print_columns, print_json, print_line, print_message, print_paragraph
from paribus.errors import Exit, UserError
from paribus.units import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paribus.cli.training_now import TrainingNow
    from paribus.store.records import RunRecord, StudyRecord
    from paribus.store.workspace import Workspace

ID_DIGITS = 12
"""Digits of an id that are printed; they name a study or a run wherever a command asks for one."""
_WITH_TIME = 80
"""Characters from which on a terminal shows when a study was registered."""
_STATES = ("done", "running", "paused", "planned", "diverged")


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus status [STUDY] [--json]`."""
    to.add_argument(
        "study", metavar="STUDY", nargs="?", help="a study of the workspace, to show its runs, or the id of a run"
    )
    to.add_argument("--json", action="store_true", help="print JSON for programs")


def execute(arguments: argparse.Namespace) -> Exit:
    """Print the state of all studies, of the runs of one, or of one run."""
    from paribus.cli.training_now import TrainingNow

    name: str | None = arguments.study
    with open_workspace(arguments.workspace) as workspace:
        now = TrainingNow.read(workspace.path)
        if name is None:
            studies = [_study(workspace, record, now) for record in workspace.studies()]
            if arguments.json:
                print_json(studies)
            else:
                _print_studies(studies, now)
            return Exit.DONE
        record = _study_or_run(workspace, name)
        found: Any = _run(workspace, record, now) if isinstance(record, str) else _runs(workspace, record, now)
    if arguments.json:
        print_json(found)
    elif isinstance(record, str):
        _print_run(found)
    else:
        _print_runs(found, now if now is not None and now.study == record.id else None)
    return Exit.DONE


def _study_or_run(workspace: Workspace, name: str) -> StudyRecord | str:
    """The study of that name, file or id; else the whole id of the run whose id begins so."""
    from paribus.store.prefixes import is_prefix

    try:
        return recorded_study(workspace, name)
    except UserError:
        if looks_like_path(name) or not is_prefix(name):
            raise
    return workspace.find_run(name).id


def _print_studies(studies: list[dict[str, Any]], now: TrainingNow | None) -> None:
    if not studies:
        print_message("no study is recorded yet: start one with `paribus run selection`")
        return
    if now is not None:
        _print_now(now)
    rows = [("study", "id", "runs", "epochs", "registered", "findings")]
    rows += [
        (s["study"], s["id"][:ID_DIGITS], _states(s), f"{s['epochs_done']}/{s['epochs']}",
         local_time(s["registered_at"]), _in_runs(s["findings"]))
        for s in studies
    ]  # fmt: skip
    width = data_width()
    if width is not None and width < _WITH_TIME:
        rows = [(*row[:4], row[5]) for row in rows]
    print_columns(rows, flexible=(0, 2, len(rows[0]) - 1))


def _print_runs(runs: list[dict[str, Any]], now: TrainingNow | None) -> None:
    if now is not None:
        _print_now(now)
    rows = [("arm", "replicate", "state", "epochs", "run", "findings")]
    rows += [
        (r["arm"], str(r["replicate"]), r["state"], f"{r['epochs_done']}/{r['epochs']}", r["run"][:ID_DIGITS],
         _listed(r["findings"]))
        for r in runs
    ]  # fmt: skip
    print_columns(rows, right=(1, 3), flexible=(0, 5))


def _print_now(now: TrainingNow) -> None:
    """What trains, how far it is and how long it takes: a line for the study, a row for each cohort."""
    parts = [f"{now.runs_done}/{plural(now.runs, 'run')} done", f"{math.floor(100 * now.share)} %"]
    if now.remaining_s is not None:
        about = "about " if now.remaining_s >= 1 else ""
        parts.append(f"{about}{format_expected(now.remaining_s)} left")
    print_paragraph(f"training now: {now.name}, {', '.join(parts)}")
    if now.is_silent:
        again = "if its process has ended, the same `paribus run` resumes it"
        print_paragraph(f"its last sign of life is {duration(now.age_s)} old: {again}")
    elif now.cohorts:
        rows = [("  epoch", "time left", "arms")]
        rows += [
            (f"  {cohort.epoch}/{cohort.epochs}", _left(cohort.remaining_s), ", ".join(cohort.arms))
            for cohort in now.cohorts
        ]
        print_columns(rows, right=(0, 1), flexible=(2,))
    print_line()


def _left(seconds: float | None) -> str:
    return "-" if seconds is None else duration(seconds)


def _print_run(run: dict[str, Any]) -> None:
    from paribus.spec.metrics import METRICS

    print_line(f"run {run['run']}")
    for member in run["members"]:
        print_paragraph(f"study {member['study']}, arm {member['arm']}, replicate {member['replicate']}")
    known = [what for what in ("started", "finished") if run[f"{what}_at"]]
    times = ", ".join(f"{what} {local_time(run[f'{what}_at'])}" for what in known)
    epochs = f"{run['epochs_done']}/{plural(run['epochs'], 'epoch')}"
    print_paragraph(", ".join(filter(None, [run["state"], epochs, times])))
    if run["findings"]:
        print_paragraph(f"findings: {_listed(run['findings'])}")
    if run["selected"]:
        print_line()
        rows = [("rule", "epoch", "value")]
        for chosen in run["selected"]:
            metric = chosen["rule"].partition("-")[2].replace("-", "_")
            value = format_mean(chosen["value"], None, share=metric in METRICS and METRICS[metric].is_share)
            rows.append((chosen["rule"], "-" if chosen["epoch"] is None else str(chosen["epoch"]), value))
        print_columns(rows, right=(1, 2))


def _states(study: dict[str, Any]) -> str:
    """`12/12 done`, and what the others are: `9/12 done, 3 running`."""
    others = [f"{study[state]} {state}" for state in _STATES[1:] if study[state]]
    return ", ".join([f"{study['done']}/{study['runs']} done", *others])


def _study(workspace: Workspace, record: StudyRecord, now: TrainingNow | None) -> dict[str, Any]:
    runs = _runs(workspace, record, now)
    states = Counter(run["state"] for run in runs)
    mine = now if now is not None and now.study == record.id else None
    return {
        "study": record.name,
        "id": record.id,
        "registered_at": record.registered_at,
        "runs": len(runs),
        **{state: states[state] for state in _STATES},
        "epochs_done": sum(run["epochs_done"] for run in runs),
        "epochs": sum(run["epochs"] for run in runs),
        "training": mine and {"share": mine.share, "remaining_s": mine.remaining_s, "age_s": mine.age_s},
        "findings": [finding for run in runs for finding in run["findings"]],
    }


def _runs(workspace: Workspace, record: StudyRecord, now: TrainingNow | None) -> list[dict[str, Any]]:
    return [
        {"arm": arm, "replicate": replicate, "run": run.id, **_known(workspace, run, now)}
        for arm, replicate, run in workspace.runs_of(record.id)
    ]


def _run(workspace: Workspace, run_id: str, now: TrainingNow | None) -> dict[str, Any]:
    run = workspace.find_run(run_id)
    return {
        "run": run.id,
        "members": [
            {"study": record.name, "arm": arm, "replicate": replicate}
            for record in workspace.studies()
            for arm, replicate, member in workspace.runs_of(record.id)
            if member.id == run.id
        ],
        **_known(workspace, run, now),
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "selected": [
            {"rule": chosen.rule, "epoch": chosen.epoch, "value": chosen.value}
            for chosen in workspace.selections(run.id)
        ],
    }


def _known(workspace: Workspace, run: RunRecord, now: TrainingNow | None) -> dict[str, Any]:
    """A run's state and findings; its epoch is the latest one of its training, which is not recorded yet."""
    from paribus.analysis.findings import kinds

    latest = now.epochs.get(run.id, 0) if now is not None and not now.is_silent else 0
    return {
        "state": run.state,
        "epochs_done": max(run.epochs_done, latest),
        "epochs": run.recipe["training"]["epochs"],
        "findings": list(kinds(workspace, run)),
    }


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(kind.replace("-", " ") for kind in kinds) or "-"


def _in_runs(kinds: Sequence[str]) -> str:
    """`dead units (18 runs), collapse (1 run)`: each kind of finding, with the number of runs that have it."""
    counts = Counter(kinds)
    return ", ".join(f"{kind.replace('-', ' ')} ({plural(n, 'run')})" for kind, n in counts.items()) or "-"
