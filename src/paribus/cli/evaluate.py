"""paribus evaluate: evaluate a network from a file on the data of one arm, beside the arm's own recorded figures.

The file must be a state dict (fc1.weight, fc1.bias, ...) of the arm's network: safetensors, or a PyTorch file, which is
opened in a process of its own where nothing in it can run. The test set stays locked.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import load_study, looks_like_path, open_workspace
from paribus.cli.formatting import format_number
from paribus.cli.output import print_columns, print_json, print_line, print_message
from paribus.errors import Exit, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paribus.analysis.results import Run
    from paribus.execution.external import Evaluated
    from paribus.spec.study import Study

_LOCKED = "the test set stays locked: it is read at the declared snapshots of recorded runs only"


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus evaluate FILE STUDY ARM [--replicate N] [--json]`."""
    to.add_argument("file", metavar="FILE", help="a safetensors or PyTorch file that holds a state dict")
    to.add_argument(
        "study", metavar="STUDY", help="a study of the workspace, else a built-in one; or the path of a study file"
    )
    to.add_argument("arm", metavar="ARM", help="the arm whose network and data are used")
    to.add_argument("--replicate", metavar="N", default="0", help="the replicate whose splits are used (default: 0)")
    to.add_argument("--json", action="store_true", help="print a JSON object for programs")


def execute(arguments: argparse.Namespace) -> Exit:
    """Evaluate the file's network and print its figures."""
    study = _study(arguments.workspace, arguments.study)
    arm, replicate = _arm(study, arguments.arm), _replicate(study, str(arguments.replicate))
    from paribus.execution.external import evaluate_file

    evaluated = evaluate_file(Path(arguments.file), study, arm, replicate)
    run = _recorded(arguments.workspace, evaluated.run.id)
    measured = _measured(evaluated)
    figures = _figures(run, study.arm(arm).recipe.selection.rules, measured) if run else {}
    notes = _notes(evaluated, run)
    if arguments.json:
        print_json(
            {
                "file": arguments.file,
                "sha256": evaluated.sha256,
                "study": study.name,
                "arm": arm,
                "replicate": replicate,
                "run": evaluated.run.id,
                "widths": evaluated.run.widths,
                "measured": measured,
                "recorded": figures or None,
                "test": None,
                "notes": notes,
            }
        )
        return Exit.DONE
    print_line(f"{arguments.file}: {'-'.join(map(str, evaluated.run.widths))}")
    print_line(f"on the data of {study.name}, arm {arm}, replicate {replicate}")
    print_line()
    _print(measured, figures)
    for note in notes:
        print_message(f"note: {note}")
    return Exit.DONE


def _measured(evaluated: Evaluated) -> dict[str, float]:
    """The numbers of the file's network, and how many of its hidden units are dead."""
    from paribus.analysis.units import hidden_layers

    layers = hidden_layers(evaluated.units).values()
    dead = {"dead_units": float(sum(int(layer.dead.sum()) for layer in layers))} if layers else {}
    return {**evaluated.measured, **dead}


def _print(measured: Mapping[str, float], figures: Mapping[str, Mapping[str, float | None]]) -> None:
    """A line a metric: the file's network, then the recorded run at each of its selection rules."""
    rows = [("metric", "the file", *(f"recorded at {rule}" for rule in figures))]
    if figures:
        rows.append(("epoch", "-", *(format_number(at.get("epoch")) for at in figures.values())))
    rows += [
        (metric, format_number(value), *(format_number(at.get(metric)) for at in figures.values()))
        for metric, value in measured.items()
    ]
    print_columns(rows, right=range(1, len(rows[0])))


def _figures(run: Run, rules: tuple[str, ...], measured: Mapping[str, float]) -> dict[str, dict[str, float | None]]:
    """What the run's record says of the same metrics, and the epoch, at each of its rules."""
    return {
        rule: {metric: _first(run.value(rule, metric), run.value("", metric)) for metric in ("epoch", *measured)}
        for rule in rules
    }


def _first(at_rule: float | None, of_run: float | None) -> float | None:
    return of_run if at_rule is None else at_rule


def _notes(evaluated: Evaluated, run: Run | None) -> list[str]:
    data = evaluated.run.recipe.data
    notes = [_LOCKED] if evaluated.run.spec.dataset.test else []
    if evaluated.overflowing:
        names = ", ".join(evaluated.overflowing)
        notes.append(f"the network's outputs are too large for float32, so there is no {names}")
    if "val_loss" in evaluated.measured:
        notes.append("the file's network may have been trained on some of these validation examples")
    if data.label_noise is not None:
        notes.append("the wrong training labels were drawn here; that network may have seen others")
    if run is None:
        notes.append("this run is not recorded: after `paribus run`, its figures are shown beside these")
    return notes


def _study(workspace: Path, name: str) -> Study:
    from paribus.spec.study import parse

    if not looks_like_path(name) and workspace.exists():
        with open_workspace(workspace) as known:
            for record in reversed(known.studies()):
                if name in (record.id, record.name):
                    return parse(record.document, place=f"study {record.name} in {workspace}")
    return load_study(name, {})


def _arm(study: Study, name: str) -> str:
    from paribus.errors import nearest

    names = [arm.name for arm in study.arms]
    if name not in names:
        rule = f"must be an arm of study {study.name}"
        raise UserError(rule, given=name, place="ARM", remedy=nearest(name, names))
    return name


def _replicate(study: Study, text: str) -> int:
    indices = study.replicates.indices
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) in indices):
        rule = f"must be a replicate of the study, from {indices[0]} to {indices[-1]}"
        raise UserError(rule, given=text, place="--replicate", remedy=f"write --replicate {indices[0]}")
    return int(text)


def _recorded(workspace: Path, run_id: str) -> Run | None:
    """The run of that identity as the workspace has it, in whatever study, if it ended well."""
    if not workspace.exists():
        return None
    from paribus.analysis.results import load

    found: list[Any] = []
    with open_workspace(workspace) as known:
        for record in known.studies():
            if any(run.id == run_id and run.state == "done" for _, _, run in known.runs_of(record.id)):
                found = [run for run in load(known, record.id).runs if run.id == run_id]
                break
    return found[0] if found else None
