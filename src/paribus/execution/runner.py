"""Runs a study: trains every cohort that is unfinished, one per core or one on a GPU, and records everything."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from paribus.energy.choice import Meters
from paribus.energy.meters import Load, Metering
from paribus.execution.events import Listener, silent
from paribus.execution.executor import Deliver, Executor
from paribus.execution.executors import ExecutorsByFamily
from paribus.execution.forecasts import PLAN, planned
from paribus.execution.later import measure_later, not_kept
from paribus.execution.limits import Limits
from paribus.execution.messages import Failure
from paribus.execution.parent import Parent
from paribus.execution.references import measure_references
from paribus.execution.worker import checkpoint_every_s
from paribus.spec.identity import claim_text, study_id
from paribus.spec.study import Study
from paribus.store.forecasts import earlier_ratios
from paribus.store.records import Forecast, NewRun
from paribus.store.workspace import Workspace
from paribus.training.blas import one_blas_thread
from paribus.training.devices import Device, device_named
from paribus.training.plan import ENDED, Plan, PlannedRun, plan_cohorts, runs_of


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
    2`, to the reason: they have no outcome, and the next call trains them again, from their last checkpoint. `stopped`
    says why the study stopped in order before its end, if it did, and `left` counts the runs that it did not finish.
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
    stopped: str = ""
    left: int = 0


@dataclass(frozen=True)
class Trained:
    """How a session of training ended: the runs that failed, with what broke them; why it stopped before its end."""

    failed: dict[str, Failure]
    stopped: str = ""


def prepare(
    study: Study,
    *,
    device: str = "cpu",
    workers: int | None = None,
    told: Callable[[float], None] | None = None,
) -> PreparedStudy:
    """Load the data of a study and check the study against them.

    `told` is called with the part of the runs whose data are loaded, from 0 to 1.

    Raises UserError where the data cannot be loaded, or the study asks for what they do not have.
    """
    place = device_named(device, workers)
    return PreparedStudy(study, runs_of(study, place, told=told), place)


def plan_in(prepared: PreparedStudy, workspace: Workspace, *, timing: bool = True) -> Plan:
    """Plan a study over what `workspace` already has of its runs."""
    found = {run.id: workspace.run(run.id) for run in prepared.runs}
    recorded = {run_id: record for run_id, record in found.items() if record is not None}
    return plan_cohorts(prepared.study, prepared.runs, recorded, prepared.device, timing=timing)


@one_blas_thread()
def forecast_in(
    prepared: PreparedStudy, workspace: Workspace | None, meters: Meters, session: str = ""
) -> tuple[Plan, Forecast]:
    """The plan of a study over what a workspace has of it (None: nothing), and what its training is expected to take.

    A few steps of each cohort are timed, and the energy that they take is metered.
    """
    with Metering(meters.quick(Load())) as timing:
        if workspace is None:
            plan = plan_cohorts(prepared.study, prepared.runs, {}, prepared.device)
        else:
            plan = plan_in(prepared, workspace)
    ratios = [] if workspace is None else earlier_ratios(workspace, PLAN)
    return plan, planned(prepared.id, plan, timing.usage, ratios, session)


@one_blas_thread()
def run_study(
    prepared: PreparedStudy,
    workspace: Workspace,
    listener: Listener = silent,
    *,
    executor: Callable[[Device, Deliver], Executor] = ExecutorsByFamily,
    timing: bool = True,
    meters: Sequence[str] = (),
    limits: Limits | None = None,
    expecting: Callable[[Forecast], None] | None = None,
) -> StudyOutcome:
    """Train every run of a study that `workspace` (open for writing) does not hold, and record it there.

    With `timing`, a few steps are timed first: they decide how many runs train together, and make a forecast, with
    which `expecting` is called where there is something to train.

    A recorded run that lacks a measurement gets it. KeyboardInterrupt passes through once every run in training has its
    checkpoint; so does an error in recording, such as StorageError of a full disk. What breaks a run's worker fails
    that run alone, once its worker has begun again a few times (see `recovery`). `meters` names what measures the
    energy (see `energy.choice`). Where `limits` say so, the study stops in order: its runs in training are paused.
    """
    started = time.perf_counter()
    checkpoint_every_s()  # a mistake in it is told before anything is timed or written
    session, chosen, limits = secrets.token_hex(16), Meters(meters, gpu=prepared.device.gpu), limits or Limits()
    if timing:
        plan, forecast = forecast_in(prepared, workspace, chosen, session)
    else:
        plan, forecast = plan_in(prepared, workspace, timing=False), None
    study, unfinished = prepared.study, plan.unfinished
    claims = [claim_text(claim) for claim in study.claims]
    workspace.register_study(prepared.id, study.name, study.document, member_runs(study, plan.runs), claims)
    failed: dict[str, Failure] = {}
    stopped = limits.reason(lambda: 0.0) if unfinished else ""
    if unfinished and not stopped:
        if forecast is not None:
            workspace.record_forecast(forecast)
            if expecting is not None:
                expecting(forecast)
        trained = train(prepared.id, plan, workspace, listener, executor, session=session, meters=chosen, limits=limits)
        failed, stopped = trained.failed, trained.stopped
    recorded = [run for run in plan.runs if run.state == "recorded"]
    measured = measure_later(recorded, workspace, prepared.device)
    references = measure_references(plan.runs, workspace, prepared.device)
    states = {run.id: run.state for _, _, run in workspace.runs_of(prepared.id)}
    ended = [run for run in unfinished if states[run.id] in ENDED]
    return StudyOutcome(
        trained=len(ended),
        reused=len(recorded),
        resumed=sum(run.state == "interrupted" for run in ended),
        measured=measured,
        references=references,
        diverged=list(states.values()).count("diverged"),
        not_kept=dict(Counter(name for run in recorded for name in not_kept(run, workspace))),
        failed={_name(run): failed[run.id].reason for run in unfinished if run.id in failed},
        wall_s=time.perf_counter() - started,
        stopped=stopped,
        left=len(unfinished) - len(ended) - len(failed),
    )


def train(
    study_id: str,
    plan: Plan,
    workspace: Workspace,
    listener: Listener,
    executor: Callable[[Device, Deliver], Executor] = ExecutorsByFamily,
    *,
    session: str = "",
    meters: Meters | None = None,
    limits: Limits | None = None,
) -> Trained:
    """Train the unfinished runs of a plan, which are registered.

    What `run_study` says about interruptions, errors, meters and limits holds. `session` is the id of the usage record.
    """
    parent = Parent(
        study_id,
        session or secrets.token_hex(16),
        plan,
        workspace,
        listener,
        checkpoint_every_s(),
        executor,
        meters or Meters(gpu=plan.device.gpu),
        limits or Limits(),
    )
    parent.run()
    return Trained(parent.failed, parent.stopped)


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
