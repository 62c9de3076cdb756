"""paribus plan: show what running a study would do, before anything runs.

Runs, cohorts, parameters, operations, expected time, and what is recorded already. Nothing is written.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from paribus.cli.naming import add_changes, add_device, changes_of, open_to_read, study_to_run
from paribus.cli.speech import plural, relay_log, talk, tell, tell_columns, tell_json
from paribus.errors import Exit
from paribus.units import count, duration, size

if TYPE_CHECKING:
    from pathlib import Path

    from paribus.spec.study import Study
    from paribus.training.plan import CohortPlan, Plan


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus plan STUDY [--set KEY=VALUE]... [--replicates N] [--device NAME] [--json]`."""
    to.add_argument("study", metavar="STUDY", help="a built-in study or the path of a study file")
    add_changes(to)
    add_device(to)
    to.add_argument("--json", action="store_true", help="print a JSON object for programs")


def call(arguments: argparse.Namespace) -> Exit:
    """Print the plan."""
    relay_log()
    changes = changes_of(arguments)
    study = study_to_run(arguments.study, changes)
    note_idle_changes(arguments.study, study, changes)
    plan = _planned(study, arguments.workspace, arguments.device)
    if arguments.json:
        tell_json(_as_json(study, plan))
    else:
        _tell(study, plan)
    return Exit.DONE


def note_idle_changes(name: str, study: Study, changes: dict[str, str]) -> None:
    """Say so where `--set` changes nothing: an arm's own keys stand above the study's."""
    if changes and study_to_run(name, {}).id == study.id:
        keys = ", ".join(changes)
        talk(f"note: {keys} changes nothing: the study says so already, or its arms say otherwise (arms.NAME.KEY)")


def _planned(study: Study, workspace: Path, device: str) -> Plan:
    """The plan over what the workspace holds, if there is one: planning makes none."""
    from paribus.execution.runner import plan_in
    from paribus.training.plan import plan_study

    if not workspace.exists():
        return plan_study(study, {}, device=device)
    with open_to_read(workspace) as known:
        return plan_in(study, known, device=device)


def _tell(study: Study, plan: Plan) -> None:
    arms, replicates = plural(len(study.arms), "arm"), plural(study.replicates, "replicate")
    tell(f"{study.name}: {study.title}")
    tell(f"{arms} x {replicates} = {plural(len(plan.runs), 'run')}, {_recorded(plan)} recorded already")
    if not plan.cohorts:
        tell("nothing to train")
        return
    tell()
    rows = [("cohort", "runs", "epochs", "parameters", "memory", "operations", "expected", "arms")]
    rows += [_row(place, cohort) for place, cohort in enumerate(plan.cohorts, start=1)]
    tell_columns(rows, right=range(7))
    tell()
    operations = count(sum(cohort.operations for cohort in plan.cohorts))
    early = plan.may_stop_early
    most, why = ("at most ", f"; {plural(early, 'run')} may stop early") if early else ("", "")
    tell(f"expected in all: {most}{_time(plan.expected_s)} on {_place(plan)}, {operations} operations{why}")


def _row(place: int, cohort: CohortPlan) -> tuple[str, ...]:
    arms = ", ".join(cohort.arms)
    return (
        str(place),
        str(len(cohort.runs)),
        str(cohort.epochs_left),
        count(cohort.parameters),
        size(cohort.memory_bytes),
        count(cohort.operations),
        _time(cohort.expected_s),
        arms if len(arms) <= 60 else f"{arms[:57]}...",
    )


def _place(plan: Plan) -> str:
    return plural(plan.device.workers, "core") if plan.device.model == "cpu" else plan.device.model


def _time(seconds: float | None) -> str:
    return "unknown" if seconds is None else duration(seconds)


def _recorded(plan: Plan) -> int:
    return len(plan.runs) - len(plan.left())


def _as_json(study: Study, plan: Plan) -> dict[str, Any]:
    return {
        "study": study.name,
        "id": study.id,
        "replicates": study.replicates,
        "recorded": _recorded(plan),
        "device": plan.device.model,
        "workers": plan.device.workers,
        "expected_s": plan.expected_s,
        "may_stop_early": plan.may_stop_early,
        "runs": [
            {
                "run": run.run_id,
                "arms": run.arms,
                "replicate": run.replicate,
                "state": run.state,
                "epochs_left": run.epochs_left,
                "parameters": parameters,
                "operations": run.operations,
            }
            for run, parameters in zip(plan.runs, _sizes(plan), strict=True)
        ],
        "cohorts": [
            {
                "runs": [run.run_id for run in cohort.runs],
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


def _sizes(plan: Plan) -> list[int]:
    """Parameters of each run."""
    from paribus.training.networks import parameter_count

    return [parameter_count(run.recipe.network.layers) for run in plan.runs]
