"""Runs a study: trains every cohort that is unfinished, one per core or one on a GPU, and records everything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from paribus.energy.meters import Load, Metering, Usage
from paribus.execution.events import Listener, silent
from paribus.execution.executor import Deliver, Executor
from paribus.execution.executors import ExecutorsByFamily
from paribus.execution.later import measure_later, not_kept
from paribus.execution.parent import Parent, meter_of
from paribus.execution.references import measure_references
from paribus.execution.worker import checkpoint_every_s, now
from paribus.spec.identity import claim_text, study_id
from paribus.spec.study import Study
from paribus.store.records import Forecast, NewRun
from paribus.store.workspace import Workspace
from paribus.training.devices import Device, device_named
from paribus.training.plan import Plan, PlannedRun, plan_cohorts, runs_of


@dataclass(frozen=True, eq=False)
class PreparedStudy:
    """A study with its data, which were checked to fit it."""

    study: Study
    runs: tuple[PlannedRun, ...]
    device: Device

    @cached_property
    def id(self) -> str:
        """The identity under which the study is registered."""
        return study_id(self.study, (run.id for run in self.runs))


@dataclass(frozen=True)
class StudyOutcome:
    """What one `run_study` did, as numbers of runs; a run that several arms share counts once.

    `diverged` counts those of the whole study. `measured` counts recorded runs that lacked a measurement and now have
    it, `references` runs that reference lines were fitted for. `not_kept` maps what only training can give, and the
    study asks for, to the number of recorded runs without it. `failed` maps runs that failed, as `arm deep, replicate
    2`, to the reason: they have no outcome, and the next call trains them again, from their last checkpoint.
    """

    trained: int
    reused: int
    resumed: int
    measured: int
    references: int
    diverged: int
    not_kept: dict[str, int]
    failed: dict[str, str]
    wall_s: float


def prepare(study: Study, *, device: str = "cpu", workers: int | None = None) -> PreparedStudy:
    """Load the data of a study and check the study against them.

    Raises UserError where the data cannot be loaded, or the study asks for what they do not have.
    """
    place = device_named(device, workers)
    return PreparedStudy(study, runs_of(study, place), place)


def plan_in(prepared: PreparedStudy, workspace: Workspace, *, timing: bool = True) -> Plan:
    """Plan a study over what `workspace` already has of its runs."""
    found = {run.id: workspace.run(run.id) for run in prepared.runs}
    recorded = {run_id: record for run_id, record in found.items() if record is not None}
    return plan_cohorts(prepared.study, prepared.runs, recorded, prepared.device, timing=timing)


def run_study(
    prepared: PreparedStudy,
    workspace: Workspace,
    listener: Listener = silent,
    *,
    executor: Callable[[Device, Deliver], Executor] = ExecutorsByFamily,
    timing: bool = True,
) -> StudyOutcome:
    """Train every run of a study that `workspace` (open for writing) does not hold, and record it there.

    With `timing`, a few steps are timed first: they decide how many runs train together, and make a forecast.

    A recorded run that lacks a measurement gets it. KeyboardInterrupt passes through once every run in training has its
    checkpoint; so does an error in recording, such as StorageError of a full disk. What breaks a run's worker fails
    that run alone, once its worker has begun again a few times (see `recovery`).
    """
    started = time.perf_counter()
    checkpoint_every_s()  # a mistake in it is told before anything is timed or written
    with Metering(meter_of(prepared.device, Load())) as timed:
        plan = plan_in(prepared, workspace, timing=timing)
    study, unfinished = prepared.study, plan.unfinished
    claims = [claim_text(claim) for claim in study.claims]
    workspace.register_study(prepared.id, study.name, study.document, member_runs(study, plan.runs), claims)
    failed: dict[str, str] = {}
    if unfinished:
        if timing:
            workspace.record_forecast(_forecast(prepared.id, plan, timed.usage))
        failed = train(prepared.id, plan, workspace, listener, executor)
    recorded = [run for run in plan.runs if run.state == "recorded"]
    measured = measure_later(recorded, workspace, prepared.device)
    references = measure_references(plan.runs, workspace, prepared.device)
    states = {run.id: run.state for _, _, run in workspace.runs_of(prepared.id)}
    return StudyOutcome(
        trained=len(unfinished) - len(failed),
        reused=len(recorded),
        resumed=sum(run.state == "interrupted" for run in unfinished),
        measured=measured,
        references=references,
        diverged=list(states.values()).count("diverged"),
        not_kept=dict(Counter(name for run in recorded for name in not_kept(run, workspace))),
        failed={_name(run): failed[run.id] for run in unfinished if run.id in failed},
        wall_s=time.perf_counter() - started,
    )


def train(
    study_id: str,
    plan: Plan,
    workspace: Workspace,
    listener: Listener,
    executor: Callable[[Device, Deliver], Executor] = ExecutorsByFamily,
) -> dict[str, str]:
    """Train the unfinished runs of a plan, which are registered; returns those that failed, with the reason.

    What `run_study` says about interruptions and errors holds.
    """
    parent = Parent(study_id, plan, workspace, listener, checkpoint_every_s(), executor)
    parent.run()
    return parent.failed


def _name(run: PlannedRun) -> str:
    arm, replicate = run.members[0]
    return f"arm {arm}, replicate {replicate}"


def member_runs(study: Study, runs: Sequence[PlannedRun]) -> dict[tuple[str, int], NewRun]:
    """(arm, replicate) to run, in the study's order."""
    by_member = {
        member: NewRun(run.id, run.spec.text, run.recipe.model_dump(mode="json"), run.spec.dataset.to_json())
        for run in runs
        for member in run.members
    }
    return {(arm.name, replicate): by_member[arm.name, replicate] for arm, replicate in study.members()}


def _forecast(study_id: str, plan: Plan, timing: Usage) -> Forecast:
    """What the unfinished runs are expected to use: time by the timing runs, energy at the watts that those drew."""
    busy_s = sum(cohort.expected_s or 0.0 for cohort in plan.cohorts)
    watts = None if timing.energy_j is None else timing.energy_j / timing.cpu_s
    return Forecast(
        study_id=study_id,
        made_at=now(),
        model_epochs=sum(run.epochs_left for run in plan.unfinished),
        wall_s=plan.expected_s or 0.0,
        energy_j=None if watts is None else watts * busy_s,
        basis="timing runs of a few steps of each cohort on this machine",
    )
