"""Runs a study: trains every cohort that is unfinished, one per core or one on a GPU, and records everything."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from queue import Empty, SimpleQueue
from threading import Event, Thread

from paribus.energy.gpu import gpu_meter
from paribus.energy.meters import Meter, Metering, Usage, best_meter
from paribus.execution.events import CohortDone, CohortStarted, EpochDone, Listener, silent
from paribus.execution.interruption import Interrupted, Interruptions
from paribus.execution.later import measure_later, not_kept
from paribus.execution.live import LiveProgress
from paribus.execution.messages import CohortCheckpoint, Message, RunEnded, TestReadRequest, WorkerFinished
from paribus.execution.recorder import Recorder
from paribus.execution.worker import Worker, checkpoint_every_s, now
from paribus.spec.identity import claim_text, study_id
from paribus.spec.study import Study
from paribus.store.records import Forecast, NewRun, UsageRecord
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
    it. `not_kept` maps what only training can give, and the study asks for, to the number of recorded runs without it.
    """

    trained: int
    reused: int
    resumed: int
    measured: int
    diverged: int
    not_kept: dict[str, int]
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


def run_study(prepared: PreparedStudy, workspace: Workspace, listener: Listener = silent) -> StudyOutcome:
    """Train every run of a study that `workspace` (open for writing) does not hold, and record it there.

    A recorded run that lacks a measurement gets it. KeyboardInterrupt passes through once every run in training has its
    checkpoint; an error in one cohort is raised after the others have theirs.
    """
    started = time.perf_counter()
    checkpoint_s = checkpoint_every_s()
    with Metering(_meter(prepared.device)) as timing:
        plan = plan_in(prepared, workspace)
    study, unfinished = prepared.study, plan.unfinished
    claims = [claim_text(claim) for claim in study.claims]
    workspace.register_study(prepared.id, study.name, study.document, _members(plan), claims)
    if unfinished:
        workspace.record_forecast(_forecast(prepared.id, plan, timing.usage))
        _Session(prepared.id, plan, workspace, listener, checkpoint_s).run()
    recorded = [run for run in plan.runs if run.state == "recorded"]
    measured = measure_later(recorded, workspace, prepared.device)
    states = {run.id: run.state for _, _, run in workspace.runs_of(prepared.id)}
    return StudyOutcome(
        trained=len(unfinished),
        reused=len(recorded),
        resumed=sum(run.state == "interrupted" for run in unfinished),
        measured=measured,
        diverged=list(states.values()).count("diverged"),
        not_kept=dict(Counter(name for run in recorded for name in not_kept(run, workspace))),
        wall_s=time.perf_counter() - started,
    )


def _members(plan: Plan) -> dict[tuple[str, int], NewRun]:
    """(arm, replicate) to run, in the study's order."""
    by_member = {
        member: NewRun(run.id, run.spec.text, run.recipe.model_dump(mode="json"), run.spec.dataset.to_json())
        for run in plan.runs
        for member in run.members
    }
    return {(arm.name, replicate): by_member[arm.name, replicate] for arm, replicate in plan.study.members()}


class _Session:
    """One session of training: threads that train, and this one, which alone writes to the workspace."""

    def __init__(
        self, study_id: str, plan: Plan, workspace: Workspace, listener: Listener, checkpoint_s: float
    ) -> None:
        self._plan = plan
        self._checkpoint_s = checkpoint_s
        self._workspace = workspace
        self._recorder = Recorder(workspace, plan.device.model)
        self._listener = listener
        self._live = LiveProgress(study_id, plan, workspace)
        self._queue: SimpleQueue[Message | Interrupted] = SimpleQueue()
        self._stop = Event()
        self._waiting = list(enumerate(plan.cohorts))
        self._cohort_of = {run.id: index for index, cohort in enumerate(plan.cohorts) for run in cohort.runs}
        self._training = 0
        self._diverged: dict[int, int] = {}
        self._epochs_trained: dict[str, int] = {}
        self._error: BaseException | None = None
        self._interrupted = False
        self._usage_id = secrets.token_hex(16)

    def run(self) -> None:
        plan = self._plan
        with Metering(_meter(plan.device)) as self._metering, Interruptions(self._queue):
            for _ in range(min(plan.device.workers, len(self._waiting))):
                self._attempt(self._start_next)
            while self._training:
                try:
                    # a timeout, because on some systems a wait without one would block Ctrl-C
                    message = self._queue.get(timeout=1.0)
                except Empty:
                    continue
                self._attempt(self._handle, message)
            self._attempt(self._record_usage)
        if self._error is not None:
            raise self._error
        if self._interrupted:
            raise KeyboardInterrupt

    def _attempt(self, act: Callable[..., None], *arguments: Message | Interrupted) -> None:
        """Call `act`; an error is raised later, when every cohort in training has its checkpoint."""
        try:
            act(*arguments)
        except KeyboardInterrupt:
            self._interrupted = True
            self._leave()
        except BaseException as error:
            self._error = self._error or error
            self._leave()
            if not isinstance(error, Exception):
                raise

    def _leave(self) -> None:
        """Ask the cohorts in training for their last checkpoints; start no other."""
        self._stop.set()
        self._waiting.clear()

    def _start_next(self) -> None:
        if not self._waiting:
            return
        index, cohort = self._waiting.pop(0)
        trainees = [self._recorder.trainee(run) for run in cohort.runs]
        self._report(
            CohortStarted(
                index=index,
                total=len(self._plan.cohorts),
                arms=cohort.arms,
                runs=len(cohort.runs),
                parameters=cohort.parameters,
                first_epoch=trainees[0].state.epoch,
                epochs=cohort.runs[0].recipe.training.epochs,
            )
        )
        worker = Worker(
            index,
            trainees,
            self._queue,
            self._stop,
            device=self._plan.device,
            checkpoint_s=self._checkpoint_s,
        )
        Thread(target=worker, daemon=True).start()
        self._training += 1

    def _report(self, event: CohortStarted | EpochDone | CohortDone) -> None:
        self._live.take(event)
        self._listener(event)

    def _handle(self, message: Message | Interrupted) -> None:
        match message:
            case Interrupted():
                raise KeyboardInterrupt
            case EpochDone():
                self._report(message)
            case CohortCheckpoint():
                for checkpoint in message.runs:
                    self._count(checkpoint.run, checkpoint.state.epoch)
                self._recorder.checkpoint(message)
                self._record_usage()
            case RunEnded():
                self._count(message.run, message.tracker.epoch)
                self._recorder.ended(message)
                cohort = self._cohort_of[message.run.id]
                self._diverged[cohort] = self._diverged.get(cohort, 0) + (message.tracker.outcome == "diverged")
            case TestReadRequest():
                self._recorder.grant(message)
            case WorkerFinished():
                self._training -= 1
                self._finished(message)

    def _finished(self, message: WorkerFinished) -> None:
        if message.error is not None:
            self._error = self._error or message.error
            self._leave()
        elif not self._stop.is_set():
            runs = len(self._plan.cohorts[message.index].runs)
            self._report(CohortDone(message.index, runs, self._diverged.get(message.index, 0), message.wall_s))
            self._record_usage()
            self._start_next()

    def _count(self, run: PlannedRun, epoch: int) -> None:
        self._epochs_trained[run.id] = epoch - run.epochs_done

    def _record_usage(self) -> None:
        """Record what this session has used so far, in place of what it had used at the last checkpoint."""
        work = {
            run.id: run.operations / run.epochs_left * self._epochs_trained.get(run.id, 0)
            for run in self._plan.unfinished
        }
        total = sum(work.values())
        if not total:
            return
        usage = self._metering.usage
        self._workspace.record_usage(
            UsageRecord(
                id=self._usage_id,
                started_at=usage.started_at,
                wall_s=usage.wall_s,
                cpu_s=usage.cpu_s,
                energy_j=usage.energy_j,
                tag=usage.tag,
                method=usage.method,
                shares={run_id: amount / total for run_id, amount in work.items() if amount},
                model_epochs=sum(self._epochs_trained.values()),
            )
        )


def _meter(device: Device) -> Meter:
    return best_meter() if device.gpu is None else gpu_meter(device.gpu, best_meter())


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
