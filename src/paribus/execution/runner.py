"""Run a study here: every cohort that is left, one a core or one on a GPU, everything recorded as it comes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Event, Thread

from paribus.energy.gpu import gpu_meter
from paribus.energy.meters import Meter, Metering, Usage, best_meter
from paribus.execution.interruption import Interrupted, Interruptions
from paribus.execution.progress import CohortDone, CohortStarted, EpochDone, Listener, silent
from paribus.execution.recorder import Recorder
from paribus.execution.worker import Checkpoint, DrawerRequest, Ended, Finished, Message, Worker, checkpoint_every_s
from paribus.spec.study import Study
from paribus.store.records import Forecast, RunKey, Span
from paribus.store.workspace import Workspace
from paribus.training.devices import Device, device_named
from paribus.training.plan import Plan, PlannedRun, plan_study


@dataclass(frozen=True)
class Summary:
    """What one `run_study` did, in runs; `diverged` counts those of the whole study."""

    trained: int
    reused: int
    resumed: int
    diverged: int
    wall_s: float


def plan_in(
    study: Study,
    workspace: Workspace,
    *,
    workers: int | None = None,
    rehearse: bool = True,
    device: str = "cpu",
) -> Plan:
    """Plan `study` over what `workspace` already holds of it."""
    held = {run.id: run for record in workspace.studies() for _, _, run in workspace.runs_of(record.id)}
    return plan_study(study, held, workers=workers, rehearse=rehearse, device=device)


def run_study(
    study: Study,
    workspace: Workspace,
    listener: Listener = silent,
    *,
    workers: int | None = None,
    device: str = "cpu",
) -> Summary:
    """Train every run of `study` that `workspace` (open for writing) does not hold, and record it there.

    KeyboardInterrupt passes through once every run's standing is saved; whatever broke a cohort is raised after the
    others have saved theirs.
    """
    started = time.perf_counter()
    save_every_s = checkpoint_every_s()
    with Metering(_meter(device_named(device))) as rehearsal:
        plan = plan_in(study, workspace, workers=workers, device=device)
    workspace.register_study(study, _keys(plan))
    left = plan.left()
    if left:
        workspace.record_forecast(_forecast(plan, rehearsal.usage))
        _Session(plan, workspace, listener, save_every_s).run()
    states = [run.state for _, _, run in workspace.runs_of(study.id)]
    return Summary(
        trained=len(left),
        reused=len(plan.runs) - len(left),
        resumed=sum(run.state == "interrupted" for run in left),
        diverged=states.count("diverged"),
        wall_s=time.perf_counter() - started,
    )


def _keys(plan: Plan) -> dict[tuple[str, int], RunKey]:
    return {
        (arm, run.replicate): RunKey(
            run.run_id, run.recipe.model_dump(mode="json"), run.seed, run.replicate, run.data_fingerprint
        )
        for run in plan.runs
        for arm in run.arms
    }


class _Session:
    """One stretch of training: worker threads, and this thread, which alone writes."""

    def __init__(self, plan: Plan, workspace: Workspace, listener: Listener, save_every_s: float) -> None:
        self._plan = plan
        self._save_every_s = save_every_s
        self._workspace = workspace
        self._recorder = Recorder(workspace, plan.device.model)
        self._listener = listener
        self._queue: SimpleQueue[Message | Interrupted] = SimpleQueue()
        self._stop = Event()
        self._waiting = list(enumerate(plan.cohorts))
        self._training = 0
        self._diverged: dict[int, int] = {}
        self._epochs_trained: dict[str, int] = {}
        self._error: BaseException | None = None
        self._interrupted = False
        self._span_id = secrets.token_hex(16)

    def run(self) -> None:
        plan = self._plan
        with Metering(_meter(plan.device)) as self._metering, Interruptions(self._queue):
            for _ in range(min(plan.device.workers, len(self._waiting))):
                self._attempt(self._start_next)
            while self._training:
                try:
                    # a timeout, because a wait without one would keep Ctrl-C out on some systems
                    message = self._queue.get(timeout=1.0)
                except Empty:
                    continue
                self._attempt(self._handle, message)
            self._attempt(self._record_span)
        if self._error is not None:
            raise self._error
        if self._interrupted:
            raise KeyboardInterrupt

    def _attempt(self, act: Callable[..., None], *arguments: Message | Interrupted) -> None:
        """What goes wrong here is raised when every cohort in training has saved where it stands."""
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
        """Let the cohorts in training save where they stand; begin no other."""
        self._stop.set()
        self._waiting.clear()

    def _start_next(self) -> None:
        if not self._waiting:
            return
        index, cohort = self._waiting.pop(0)
        participants = [self._recorder.participant(run) for run in cohort.runs]
        self._listener(
            CohortStarted(
                index=index,
                total=len(self._plan.cohorts),
                arms=cohort.arms,
                runs=len(cohort.runs),
                parameters=cohort.parameters,
                first_epoch=participants[0].state.epoch,
                epochs=cohort.runs[0].recipe.training.epochs,
            )
        )
        worker = Worker(
            index,
            participants,
            self._queue,
            self._stop,
            device=self._plan.device,
            save_every_s=self._save_every_s,
        )
        Thread(target=worker, daemon=True).start()
        self._training += 1

    def _handle(self, message: Message | Interrupted) -> None:
        match message:
            case Interrupted():
                raise KeyboardInterrupt
            case EpochDone():
                self._listener(message)
            case Checkpoint():
                for standing in message.standings:
                    self._count(standing.run, standing.state.epoch)
                self._recorder.checkpoint(message)
                self._record_span()
            case Ended():
                self._count(message.run, message.tracker.epoch)
                self._recorder.ended(message)
                cohort = next(i for i, c in enumerate(self._plan.cohorts) if message.run in c.runs)
                self._diverged[cohort] = self._diverged.get(cohort, 0) + (message.tracker.outcome == "diverged")
            case DrawerRequest():
                self._recorder.grant(message)
            case Finished():
                self._training -= 1
                self._finished(message)

    def _finished(self, message: Finished) -> None:
        if message.error is not None:
            self._error = self._error or message.error
            self._leave()
        elif not self._stop.is_set():
            runs = len(self._plan.cohorts[message.index].runs)
            self._listener(CohortDone(message.index, runs, self._diverged.get(message.index, 0), message.wall_s))
            self._record_span()
            self._start_next()

    def _count(self, run: PlannedRun, epoch: int) -> None:
        self._epochs_trained[run.run_id] = epoch - run.epochs_done

    def _record_span(self) -> None:
        """What this stretch has taken so far, in place of what it had taken at the last checkpoint."""
        work = {
            run.run_id: run.operations / run.epochs_left * self._epochs_trained.get(run.run_id, 0)
            for run in self._plan.left()
        }
        total = sum(work.values())
        if not total:
            return
        usage = self._metering.usage
        self._workspace.record_span(
            Span(
                id=self._span_id,
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


def _forecast(plan: Plan, rehearsal: Usage) -> Forecast:
    """What is left is expected to take: time from the rehearsal, energy at the rehearsal's joules a second."""
    busy_s = sum(cohort.expected_s or 0.0 for cohort in plan.cohorts)
    rate = None if rehearsal.energy_j is None else rehearsal.energy_j / rehearsal.cpu_s
    return Forecast(
        study_id=plan.study.id,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        model_epochs=sum(run.epochs_left for run in plan.left()),
        wall_s=plan.expected_s or 0.0,
        energy_j=None if rate is None else rate * busy_s,
        basis="a rehearsal of a few steps of each cohort on this machine",
    )
