"""paribus evaluate: evaluate an existing network, from a weight file or from the workspace.

`--network` and `--data` say what is in the file and what to evaluate it on. `--study` and `--arm` take the network, the
scaling and the data of an arm; its recorded figures are then shown, too, and its test set stays locked. `--run` names a
recorded network instead of a file. FILE is safetensors or a PyTorch file: a state dict, or a checkpoint that holds one.
It is opened in a separate process, and none of its code is executed. A module of your own, which the study or
`--network FILE.py:CLASS` names, runs in separate processes.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import load_study, looks_like_path, open_workspace, parse_changes, parse_path
from paribus.cli.formatting import format_number, plural
from paribus.cli.output import print_columns, print_json, print_line, print_message, write_new
from paribus.errors import Exit, Shown, UserError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paribus.analysis.results import Run
    from paribus.api.evaluating import Evaluation
    from paribus.execution.evaluation import Evaluated, Subject
    from paribus.spec.study import Study

_LOCKED = "the test set stays locked: it is read at the declared snapshots of recorded runs only"
_OF_NETWORKS = ("activation", "task", "scale", "changes")


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus evaluate [FILE] (--network ... | --study ... --arm ... | --run ...) [--data ...] [options]`."""
    to.add_argument("file", metavar="FILE", nargs="?", help="a safetensors or PyTorch file that holds a state dict")
    what = to.add_argument_group("the network")
    what.add_argument("--network", metavar="KIND:WIDTHS", help="mlp:784-32-10, autoencoder:784-32-784 or nets.py:LeNet")
    what.add_argument("--activation", metavar="NAME", help="activation of its hidden layers (default: relu)")
    what.add_argument("--study", metavar="STUDY", help="a study of the workspace, a built-in one, or a study file")
    what.add_argument("--arm", metavar="ARM", help="the arm of that study whose network it is")
    what.add_argument("--replicate", metavar="N", help="the replicate whose splits and scaling are used (default: 0)")
    what.add_argument("--run", metavar="ID", help="a recorded run, in place of a study, an arm and a replicate")
    what.add_argument("--rule", metavar="RULE", help="the selection rule of a recorded network, in place of a file")
    data = to.add_argument_group("the data")
    data.add_argument(
        "--data", metavar="SOURCE[:SPLIT]", help="a file or a built-in source: fashion-mnist:test, my.csv"
    )
    data.add_argument("--target", metavar="NAME", help="the column or key of the target")
    data.add_argument("--task", metavar="TASK", help="classification (the default), regression or reconstruction")
    data.add_argument("--scale", metavar="WAY", help="scale features: none, unit (the default), centre or standardise")
    data.add_argument(
        "--set",
        dest="changes",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="any other key of the tables data, network and loss, as in a study file",
    )
    to.add_argument("--metric", metavar="NAME", action="append", default=[], help="show this metric; may be repeated")
    to.add_argument("--predictions", metavar="FILE", help="write a CSV file with a row for each example")
    to.add_argument("--json", action="store_true", help="print a JSON object for programs")
    to.set_defaults(replicates=None)


def execute(arguments: argparse.Namespace) -> Exit:
    """Evaluate the network and print its figures."""
    _refuse_what_does_not_go_together(arguments)
    if arguments.network is not None:
        from paribus.api.evaluating import evaluate

        given = {name: value for name in ("activation", "task", "scale") if (value := getattr(arguments, name))}
        changes = parse_changes(arguments)
        found = evaluate(arguments.file, network=arguments.network, data=arguments.data, target=arguments.target,
                         changes=changes, **given)  # fmt: skip
        return _show_named(arguments, found, {"network": arguments.network})
    study, arm, replicate = _member(arguments)
    subject = _subject(arguments, study, arm, replicate)
    whose = {"study": study.name, "arm": arm, "replicate": replicate, "run": subject.run.id}
    if arguments.data is None:
        return _show_own(arguments, subject, study, whose)
    from paribus.api.evaluating import on_named_data

    return _show_named(arguments, on_named_data(subject, arguments.data, arguments.target), whose)


def _refuse_what_does_not_go_together(given: argparse.Namespace) -> None:
    """One way to name the network, one to name its weights, and what belongs to them."""
    ways = [f"--{name}" for name in ("network", "study", "run") if getattr(given, name) is not None]
    if len(ways) != 1:
        remedy = "write --network mlp:784-32-10 --data SOURCE, or --study STUDY --arm ARM"
        raise UserError("must name the network in one way: --network, --study or --run",
                        given=Shown(" and ".join(ways) or "none"), place="command line", remedy=remedy)  # fmt: skip
    (way,) = ways
    needs = [("--data", way == "--network" and given.data is None, "name what the network is evaluated on"),
             ("--arm", way == "--study" and given.arm is None, "name the arm whose network it is"),
             ("FILE", given.file is None and (way == "--network" or (way == "--study" and given.rule is None)),
              "name a weight file" + (", or --rule for a recorded network" if way == "--study" else ""))]  # fmt: skip
    for option, is_missing, remedy in needs:
        if is_missing:
            raise UserError(f"{way} needs {option}", given=Shown(""), place="command line", remedy=remedy)
    of_way = {"--network": _OF_NETWORKS, "--study": ("arm", "replicate"), "--run": ()}
    for other, names in of_way.items():
        for name in names:
            if other != way and getattr(given, name):
                option = "--set" if name == "changes" else f"--{name}"
                remedy = "leave it out"
                raise UserError(f"{option} goes with {other}", given=Shown(way), place="command line", remedy=remedy)
    if given.file is not None and (given.rule is not None or way == "--run"):
        rule = "must name a weight file or a recorded network, and not both"
        raise UserError(rule, given=given.file, place="FILE", remedy="leave one of them out")
    if given.target is not None and given.data is None:
        raise UserError("--target goes with --data", given=given.target, place="command line", remedy="leave it out")
    if given.predictions is not None and given.data is None:
        raise UserError("--predictions needs --data", given=given.predictions, place="command line",
                        remedy="name the data, such as --data fashion-mnist:train")  # fmt: skip


def _member(arguments: argparse.Namespace) -> tuple[Study, str, int]:
    """The study, the arm and the replicate that the command line names, itself or by a run."""
    if arguments.run is None:
        study = _study(arguments.workspace, arguments.study)
        return study, _arm(study, arguments.arm), _replicate(study, str(arguments.replicate or "0"))
    from paribus.analysis.recorded import study_of

    with open_workspace(arguments.workspace) as known:
        wanted = known.find_run(arguments.run).id
        for record in reversed(known.studies()):
            for arm, replicate, run in known.runs_of(record.id):
                if run.id == wanted:
                    return study_of(known, record), arm, replicate
    raise UserError("must be a run of a study", given=wanted, place="--run", remedy="name another")


def _subject(arguments: argparse.Namespace, study: Study, arm: str, replicate: int) -> Subject:
    from paribus.execution.evaluation import of_arm, subject_from_file, subject_from_workspace

    run, engine = of_arm(study, arm, replicate)
    if arguments.file is not None:
        return subject_from_file(Path(arguments.file), run, engine)
    with open_workspace(arguments.workspace) as known:
        if arguments.run is not None and known.find_run(arguments.run).id != run.id:
            rule = "must be a run on the data, and of the source, as they are now: scaling and splits come from them"
            raise UserError(rule, given=Shown("another run"), place="--run", remedy="run the study again")
        return subject_from_workspace(known, run, engine, arguments.rule or study.deploy)


def _show_named(arguments: argparse.Namespace, found: Evaluation, whose: Mapping[str, Any]) -> Exit:
    """Figures on named data: every one of them, or those that `--metric` asks for."""
    from paribus.execution.evaluation import title

    word, subject = found.data.word, found.scores.subject
    shown = _chosen(found.measured, arguments.metric, {"validation": "val"}.get(word or "", word or ""))
    if arguments.predictions is not None:
        _write_predictions(parse_path(arguments.predictions, "--predictions"), found)
    notes = _overflow_notes(
        [name for name in ("loss", "mse", "rmse") if not math.isfinite(found.measured.get(name, 0))]
    )
    if arguments.json:
        on = {"data": found.data.name, "examples": found.examples, "measured": shown}
        print_json({"file": arguments.file, "sha256": subject.sha256, **whose, "widths": found.widths, **on,
                    "notes": notes})  # fmt: skip
    else:
        print_line(f"{_name(arguments, subject)}: {title(subject.run)}")
        print_line(f"on {found.data.name}, {plural(found.examples, 'example')}")
        print_line()
        print_columns([("metric", "value"), *((name, format_number(value)) for name, value in shown.items())],
                      right=[1])  # fmt: skip
    for note in notes if not arguments.json else []:
        print_message(f"note: {note}")
    return Exit.DONE


def _name(arguments: argparse.Namespace, subject: Subject) -> str:
    return arguments.file or f"run {subject.run.id[:12]}"


def _chosen(measured: Mapping[str, float], names: list[str], prefix: str) -> Mapping[str, float]:
    """The metrics that are asked for, by their names with the split before them or without."""
    if not names:
        return measured
    chosen: dict[str, float] = {}
    for name in names:
        bare = name.removeprefix(f"{prefix}_") if prefix else name
        if bare not in measured:
            rule = "must be a metric of this network on these data"
            raise UserError(rule, given=name, place="--metric", remedy=nearest(bare, measured))
        chosen[bare] = measured[bare]
    return chosen


def _write_predictions(path: Path, found: Evaluation) -> None:
    from paribus.report.writing import field

    text, columns = io.StringIO(), found.columns()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field(name) for name in columns])
    writer.writerows(zip(*([field(value) for value in column.tolist()] for column in columns.values()), strict=True))
    write_new(path, text.getvalue(), "--predictions")


def _show_own(arguments: argparse.Namespace, subject: Subject, study: Study, whose: Mapping[str, Any]) -> Exit:
    """Figures on the arm's own training and validation splits, beside those that are recorded of it."""
    from paribus.execution.evaluation import evaluate_own, title

    evaluated = evaluate_own(subject)
    run = _recorded(arguments.workspace, evaluated.run.id)
    measured = _chosen(_measured(evaluated), arguments.metric, "")
    figures = _figures(run, study.arm(str(whose["arm"])).recipe.selection.rules, measured) if run else {}
    notes = _notes(evaluated, run)
    if arguments.json:
        print_json({"file": arguments.file, "sha256": evaluated.sha256, **whose, "widths": evaluated.run.widths,
                    "measured": measured, "recorded": figures or None, "test": None, "notes": notes})  # fmt: skip
        return Exit.DONE
    print_line(f"{_name(arguments, subject)}: {title(subject.run)}")
    print_line(f"on the data of {study.name}, arm {whose['arm']}, replicate {whose['replicate']}")
    print_line()
    _print(measured, figures)
    for note in notes:
        print_message(f"note: {note}")
    return Exit.DONE


def _measured(evaluated: Evaluated) -> dict[str, float]:
    """The numbers of the network, and how many of its hidden units are dead."""
    from paribus.analysis.units import hidden_layers

    layers = hidden_layers(evaluated.units).values()
    dead = {"dead_units": float(sum(int(layer.dead.sum()) for layer in layers))} if layers else {}
    return {**evaluated.measured, **dead}


def _print(measured: Mapping[str, float], figures: Mapping[str, Mapping[str, float | None]]) -> None:
    """A line a metric: the network, then the recorded run at each of its selection rules."""
    rows = [("metric", "the network", *(f"recorded at {rule}" for rule in figures))]
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


def _overflow_notes(names: list[str]) -> list[str]:
    return [f"the network's outputs are too large for float32, so there is no {', '.join(names)}"] if names else []


def _notes(evaluated: Evaluated, run: Run | None) -> list[str]:
    data = evaluated.run.recipe.data
    notes = [_LOCKED] if evaluated.run.spec.dataset.test else []
    notes += _overflow_notes(list(evaluated.overflowing))
    if "val_loss" in evaluated.measured and evaluated.sha256 is not None:
        notes.append("the file's network may have been trained on some of these validation examples")
    if data.label_noise is not None and evaluated.sha256 is not None:
        notes.append("the wrong training labels were drawn here; that network may have seen others")
    if run is None:
        notes.append("this run is not recorded: after `paribus run`, its figures are shown beside these")
    return notes


def _study(workspace: Path, name: str) -> Study:
    from paribus.analysis.recorded import study_of

    if not looks_like_path(name) and workspace.exists():
        with open_workspace(workspace) as known:
            for record in reversed(known.studies()):
                if name in (record.id, record.name):
                    return study_of(known, record)
    return load_study(name, {})


def _arm(study: Study, name: str) -> str:
    names = [arm.name for arm in study.arms]
    if name not in names:
        rule = f"must be an arm of study {study.name}"
        raise UserError(rule, given=name, place="--arm", remedy=nearest(name, names))
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
