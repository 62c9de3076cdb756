"""paribus plan: show what running a study would do.

Prints its runs and cohorts, what is recorded already, and how long the rest takes on this machine, for which it times a
few training steps. Nothing is written.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import add_change_options, add_device_option, load_study, open_workspace, parse_changes
from paribus.cli.columns import MAX_ARMS_LENGTH, shortened
from paribus.cli.expectation import Expectation, expectation
from paribus.cli.formatting import format_expected, plural
from paribus.cli.output import data_width, print_columns, print_json, print_line, print_message, print_paragraph
from paribus.cli.plan_search import print_search
from paribus.cli.reuse import note_unused_runs
from paribus.cli.waiting import Waiting
from paribus.errors import Exit
from paribus.units import count, joules, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from paribus.execution.runner import PreparedStudy
    from paribus.spec.dataset import Dataset
    from paribus.spec.modules import LayerSize
    from paribus.spec.study import Study
    from paribus.training.plan import CohortPlan, Plan

_WITH_OPERATIONS = 110
"""Characters from which on a terminal shows operations."""


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus plan STUDY [--set KEY=VALUE]... [--replicates N] [--device NAME] [--layers] [--json]`."""
    to.add_argument("study", metavar="STUDY", help="a built-in study or the path of a study file")
    add_change_options(to)
    add_device_option(to)
    to.add_argument("--layers", action="store_true", help="also print each network's layers: parameters and operations")
    to.add_argument("--json", action="store_true", help="print a JSON object for programs")


def execute(arguments: argparse.Namespace) -> Exit:
    """Print the plan."""
    changes = parse_changes(arguments)
    with Waiting() as waiting:
        waiting("loading paribus")
        from paribus.execution.runner import prepare
        from paribus.training.cpu.compiling import skip_blas

        skip_blas()
        study = load_study(arguments.study, changes)
        print_notes(arguments.study, study, changes)
        waiting(f"{study.name}: reading the data and checking the study")
        if study.search is not None:
            return print_search(study, arguments)
        prepared = prepare(study, device=arguments.device)
        print_data_findings(prepared)
        waiting(f"{study.name}: timing a few steps of each cohort")
        plan, expected, note = planned_in(prepared, arguments.workspace)
    if note:
        print_message(note)
    if arguments.json:
        print_json(as_json(prepared.id, plan, expected))
    else:
        _print(plan, expected)
        if arguments.layers:
            _print_layers(plan)
    return Exit.DONE


def print_notes(name: str, study: Study, changes: dict[str, str]) -> None:
    """Say what the study surely does not mean, and whether `--set` changes nothing: an arm's own keys override the
    study's."""
    from paribus.spec.notices import notices

    for notice in notices(study):
        print_message(f"note: {notice}")
    if changes and load_study(name, {}).digest == study.digest:
        keys = ", ".join(changes)
        print_message(
            f"note: {keys} changes nothing: the study says so already, or its arms say otherwise (arms.NAME.KEY)"
        )


def print_data_findings(prepared: PreparedStudy) -> None:
    """Say what was found about the data, before anything trains on them."""
    for sentence in data_notes(prepared):
        print_message(f"note: {sentence.removesuffix('.')}")


def data_notes(prepared: PreparedStudy) -> list[str]:
    """What was found about the data, in sentences."""
    from paribus.analysis.data_findings import data_findings

    datasets: dict[str, dict[int, Dataset]] = {}
    for run in prepared.runs:
        for arm, replicate in run.members:
            datasets.setdefault(arm, {})[replicate] = run.spec.dataset
    return [found.sentence for found in data_findings(datasets)]


def planned_in(prepared: PreparedStudy, workspace: Path) -> tuple[Plan, Expectation | None, str | None]:
    """The plan with what the workspace holds, what it is expected to take, and a note on runs that are not reused.

    Planning makes no workspace.
    """
    from paribus.energy.choice import Meters
    from paribus.execution.forecasts import PLAN
    from paribus.execution.runner import forecast_in
    from paribus.store.forecasts import earlier_ratios

    meters = Meters(gpu=prepared.device.gpu)
    if not workspace.exists():
        plan, forecast = forecast_in(prepared, None, meters)
        return plan, None if plan.expected_s is None else expectation(forecast, 0), None
    with open_workspace(workspace) as known:
        plan, forecast = forecast_in(prepared, known, meters)
        found = None if plan.expected_s is None else expectation(forecast, len(earlier_ratios(known, PLAN)))
        return plan, found, note_unused_runs(known, prepared.study.name, plan.runs)


def _print(plan: Plan, expected: Expectation | None) -> None:
    study = plan.study
    print_paragraph(study.name if study.title == study.name else f"{study.name}: {study.title}")
    print_line(counted(plan))
    if not plan.cohorts:
        print_line("nothing to train")
        return
    print_line()
    rows = [("cohorts", "runs", "epochs", "parameters", "memory", "operations", "time", "arms"), *_rows(plan.cohorts)]
    width = data_width()
    if width is not None and width < _WITH_OPERATIONS:
        rows = [(*row[:5], *row[6:]) for row in rows]
    last = len(rows[0]) - 1
    print_columns(rows, right=range(last), flexible=(last,))
    print_line()
    print_paragraph(f"expected time: {expected_time(plan, expected)}")
    if expected is not None:
        print_paragraph(f"expected energy: {expected_energy(expected)}")


def counted(plan: Plan) -> str:
    """How many runs there are, and how many of them are recorded."""
    arms, replicates = plural(len(plan.study.arms), "arm"), plural(plan.study.replicates.count, "replicate")
    return f"{arms} x {replicates} = {plural(len(plan.runs), 'run')}, {_recorded(plan)} recorded already"


def _print_layers(plan: Plan) -> None:
    """The layers of every network, those of arms that have the same ones once; counts are for one example."""
    from paribus.training.network_size import layer_sizes

    arms: dict[tuple[LayerSize, ...], list[str]] = {}
    for run in plan.runs:
        names = arms.setdefault(layer_sizes(run.spec), [])
        names += [arm for arm in run.arms if arm not in names]
    for layers, names in arms.items():
        print_line()
        print_paragraph(f"layers of {', '.join(names)}, for one example")
        rows = [("layer", "kind", "output", "parameters", "operations")]
        rows += [
            (one.name, one.kind, " x ".join(map(str, one.shape)), f"{one.parameters:,}", f"{one.operations:,}")
            for one in layers
        ]
        whole = (sum(one.parameters for one in layers), sum(one.operations for one in layers))
        rows.append(("all", "", "", f"{whole[0]:,}", f"{whole[1]:,}"))
        print_columns(rows, right=(3, 4), flexible=(0, 1))


def expected_time(plan: Plan, expected: Expectation | None) -> str:
    """How long it takes, where, and what that rests on."""
    operations = count(sum(cohort.operations for cohort in plan.cohorts))
    if expected is None:
        return f"unknown, {operations} operations"
    early = plan.may_stop_early
    if early:
        return f"{expected.at_most} on {_place(plan)}, as {plural(early, 'run')} may stop early ({expected.basis})"
    return f"{expected} on {_place(plan)} ({expected.basis})"


def expected_energy(expected: Expectation) -> str:
    """The range of joules by this machine's meter or model."""
    if expected.low_j is None or expected.high_j is None:
        return "unknown: nothing here measures or models it"
    return f"{joules(expected.low_j)} to {joules(expected.high_j)} by this machine's meter or model"


def _rows(cohorts: Sequence[CohortPlan]) -> Iterator[tuple[str, ...]]:
    """A row for all cohorts of one size and one length: their number, the figures of each, and the arms of all."""
    alike: dict[tuple[str, ...], list[CohortPlan]] = {}
    for cohort in cohorts:
        alike.setdefault(_figures(cohort), []).append(cohort)
    for figures, group in alike.items():
        arms = dict.fromkeys(arm for cohort in group for arm in cohort.arms)
        yield (str(len(group)), *figures, shortened(", ".join(arms), MAX_ARMS_LENGTH))


def _figures(cohort: CohortPlan) -> tuple[str, ...]:
    """Of one cohort: how many runs and epochs it has, and what it takes."""
    return (
        str(len(cohort.runs)),
        str(cohort.epochs_left),
        count(cohort.parameters),
        size(cohort.memory_bytes),
        count(cohort.operations),
        format_expected(cohort.expected_s),
    )


def _place(plan: Plan) -> str:
    return plural(plan.device.workers, "core") if plan.device.model == "cpu" else plan.device.model


def _recorded(plan: Plan) -> int:
    return len(plan.runs) - len(plan.unfinished)


def as_json(study_id: str, plan: Plan, expected: Expectation | None) -> dict[str, Any]:
    """What running a study would do, for programs."""
    return {
        "study": plan.study.name,
        "id": study_id,
        "replicates": plan.study.replicates.count,
        "recorded": _recorded(plan),
        "device": plan.device.model,
        "workers": plan.device.workers,
        "expected_s": plan.expected_s,
        "expected_range_s": None if expected is None else [expected.low_s, expected.high_s],
        "expected_range_j": None if expected is None or expected.low_j is None else [expected.low_j, expected.high_j],
        "expected_basis": None if expected is None else expected.basis,
        "may_stop_early": plan.may_stop_early,
        "runs": [
            {
                "run": run.id,
                "members": [{"arm": arm, "replicate": replicate} for arm, replicate in run.members],
                "state": run.state,
                "epochs_left": run.epochs_left,
                "parameters": run.parameters,
                "operations": run.operations,
            }
            for run in plan.runs
        ],
        "cohorts": [
            {
                "runs": [run.id for run in cohort.runs],
                "arms": cohort.arms,
                "epochs_left": cohort.epochs_left,
                "model_epochs": cohort.model_epochs,
                "parameters": cohort.parameters,
                "memory_bytes": cohort.memory_bytes,
                "operations": cohort.operations,
                "expected_s": cohort.expected_s,
            }
            for cohort in plan.cohorts
        ],
    }
