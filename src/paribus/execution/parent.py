"""The parent of all workers: it hands out tasks, records what comes back, and grants reads of the test set.

It knows an executor (`execution/executor.py`), and nothing of threads or processes. It alone writes to the workspace.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from itertools import count
from queue import Empty, SimpleQueue
from typing import Final, final

from paribus.energy.choice import Meters
from paribus.energy.meters import Load, Metering, NodeLoad
from paribus.execution.events import CohortDone, CohortLost, CohortStarted, EpochDone, Event, Listener
from paribus.execution.executor import Deliver, Executor
from paribus.execution.forecasts import FIRST, FirstEpochs
from paribus.execution.interruption import Interrupted, Interruptions
from paribus.execution.limits import Limits
from paribus.execution.live import LiveProgress
from paribus.execution.messages import (
    Acknowledgement,
    Checkpoint,
    Failure,
    Finished,
    FromWorker,
    Grant,
    Heartbeat,
    Refusal,
    RunEnded,
    Stop,
    Task,
    TestReadRequest,
)
from paribus.execution.recorder import Recorder, UndeclaredReadError
from paribus.execution.recovery import Attempt, retried
from paribus.store.forecasts import earlier_ratios
from paribus.store.records import UsageRecord
from paribus.store.workspace import Workspace
from paribus.training.devices import Device
from paribus.training.plan import Plan

LOG: Final = logging.getLogger("paribus.execution")

Received = tuple[str, FromWorker] | Interrupted
"""A message with the id of its task, or a signal that asks the program to end."""


@final
class Parent:
    """Trains the unfinished runs of a plan, in one session, whose usage is recorded under the id `session`.

    Once `run` has returned, `failed` maps runs that failed to the reason, and `stopped` says why training was stopped
    in order before its end, if it was.
    """

    def __init__(
        self,
        study_id: str,
        session: str,
        plan: Plan,
        workspace: Workspace,
        listener: Listener,
        checkpoint_s: float,
        executor: Callable[[Device, Deliver], Executor],
        meters: Meters,
        limits: Limits,
    ) -> None:
        self._plan = plan
        self._checkpoint_s = checkpoint_s
        self._workspace = workspace
        self._recorder = Recorder(workspace, plan.device.model)
        self._listener = listener
        self._live = LiveProgress(study_id, plan, workspace)
        self._first_epochs = FirstEpochs(study_id, plan, session)
        self._meters = meters
        self._limits = limits
        self._queue: SimpleQueue[Received] = SimpleQueue()
        self._make_executor = executor
        self._numbers = count()
        self._runs = {run.id: run for run in plan.unfinished}
        self._waiting = [
            Attempt(next(self._numbers), index, tuple(run.id for run in cohort.runs))
            for index, cohort in enumerate(plan.cohorts)
        ]
        self._training: dict[str, Attempt] = {}
        self._left = {attempt.index: set(attempt.run_ids) for attempt in self._waiting}
        self._diverged: dict[int, int] = {}
        self._wall_s: dict[int, float] = {}
        self._epochs_trained: dict[str, int] = {}
        self._error: BaseException | None = None
        self._leaving = self._interrupted = False
        self._usage_id = session
        self.failed: dict[str, Failure] = {}
        self.stopped = ""

    def run(self) -> None:
        """Train to the end. What `run_study` says about interruptions and errors holds."""
        device = self._plan.device
        with Interruptions(self._queue), self._make_executor(device, self._deliver) as self._executor:
            load = WorkersLoad(self._executor)
            with Metering(self._meters.of(load, elsewhere=self._executor.elsewhere), load) as self._metering:
                self._train()
        self._limits.ended(self._metering.usage.energy_j)
        if self._error is not None:
            raise self._error
        if self._interrupted:
            raise KeyboardInterrupt

    def _train(self) -> None:
        self._attempt(self._fill)
        while self._training:
            try:
                # a timeout, because on some systems a wait without one would block Ctrl-C
                received = self._queue.get(timeout=1.0)
            except Empty:
                pass
            else:
                self._attempt(self._handle, received)
            self._attempt(self._heed_limits)
            self._live.keep_up()
        self._attempt(self._record_usage)

    def _deliver(self, task_id: str, message: FromWorker) -> None:
        self._queue.put((task_id, message))

    def _attempt(self, act: Callable[..., None], *arguments: Received) -> None:
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
        self._leaving = True
        self._waiting.clear()
        for task_id in self._training:
            self._executor.send(task_id, Stop())

    def _fill(self) -> None:
        """Begin as many tasks as there are workers free."""
        while self._waiting and len(self._training) < self._plan.device.workers:
            self._start(self._waiting.pop(0))

    def _start(self, attempt: Attempt) -> None:
        tasks = [self._recorder.task_of(self._runs[run_id]) for run_id in attempt.run_ids]
        if not attempt.losses:
            cohort, progress = self._plan.cohorts[attempt.index], tasks[0].progress
            self._report(
                CohortStarted(
                    index=attempt.index,
                    total=len(self._plan.cohorts),
                    arms=cohort.arms,
                    runs=len(cohort.runs),
                    parameters=cohort.parameters,
                    first_epoch=0 if progress is None else progress.state.epoch,
                    epochs=cohort.runs[0].last_epoch,
                )
            )
        at_once = self._plan.device.evaluated_at_once
        until = self._runs[attempt.run_ids[0]].until
        self._executor.start(Task(attempt.task_id, attempt.index, tasks, self._checkpoint_s, at_once, until))
        self._training[attempt.task_id] = attempt

    def _report(self, event: Event) -> None:
        self._live.take(event)
        self._listener(event)
        self._limits.told(event)
        if self._first_epochs.take(event):
            made = self._first_epochs.forecast(self._energy_j(), earlier_ratios(self._workspace, FIRST))
            if made is not None:
                self._workspace.record_forecast(made)

    def _energy_j(self) -> float | None:
        return self._metering.usage.energy_j

    def _heed_limits(self) -> None:
        """Stop in order where a budget is used up, or somebody who watches has asked for it."""
        reason = "" if self._leaving else self._limits.reason(self._energy_j)
        if reason:
            self.stopped = reason
            self._leave()

    def _handle(self, received: Received) -> None:
        if isinstance(received, Interrupted):
            raise KeyboardInterrupt
        task_id, message = received
        match message:
            case EpochDone():
                self._report(message)
            case Checkpoint():
                self._checkpoint(task_id, message)
            case RunEnded():
                self._ended(self._training[task_id].index, message)
            case TestReadRequest():
                self._test_read(task_id, message)
            case Finished():
                self._finished(self._training.pop(task_id), message)
            case Heartbeat():
                pass  # an executor's affair

    def _checkpoint(self, task_id: str, message: Checkpoint) -> None:
        for progress in message.runs:
            self._count(progress.run_id, progress.state.epoch)
        try:
            self._recorder.checkpoint(message)
        finally:
            self._executor.send(task_id, Acknowledgement(message.id))
        self._record_usage()

    def _ended(self, index: int, message: RunEnded) -> None:
        self._count(message.run_id, message.epochs)
        self._recorder.ended(message, self._runs[message.run_id].recipe.selection.rules)
        self._left[index].discard(message.run_id)
        self._diverged[index] = self._diverged.get(index, 0) + (message.outcome == "diverged")

    def _test_read(self, task_id: str, request: TestReadRequest) -> None:
        try:
            test = self._recorder.opened(request, [self._runs[run_id] for run_id in request.run_ids])
        except UndeclaredReadError:
            self._executor.send(task_id, Refusal(request.id))
        except BaseException:
            self._executor.send(task_id, Refusal(request.id))
            raise
        else:
            self._executor.send(task_id, Grant(request.id, test))

    def _finished(self, attempt: Attempt, message: Finished) -> None:
        index = attempt.index
        self._wall_s[index] = self._wall_s.get(index, 0.0) + message.wall_s
        if self._leaving:
            return
        if message.failure is not None:
            self._lost(attempt, message.failure)
        else:
            self._left[index] -= set(attempt.run_ids)  # those that have not ended have paused
        if not self._left[index]:
            runs = self._plan.cohorts[index].runs
            failed = sum(run.id in self.failed for run in runs)
            diverged = self._diverged.get(index, 0)
            self._report(CohortDone(index, len(runs) - failed, diverged, self._wall_s[index], failed))
        self._record_usage()
        self._fill()

    def _lost(self, attempt: Attempt, failure: Failure) -> None:
        """Begin the runs that are left of an attempt again, or let its only run fail."""
        if failure.trace:
            LOG.debug("%s", failure.trace)
        left = [run_id for run_id in attempt.run_ids if run_id in self._left[attempt.index]]
        again = retried(left, attempt.losses, failure)
        for run_ids, losses in reversed(again):
            self._waiting.insert(0, Attempt(next(self._numbers), attempt.index, run_ids, losses))
        if not again:
            for run_id in left:
                self.failed[run_id] = failure
                self._left[attempt.index].discard(run_id)
                self._recorder.pause(run_id)
        arms = tuple(dict.fromkeys(arm for run_id in left for arm in self._runs[run_id].arms))
        self._report(CohortLost(attempt.index, len(self._plan.cohorts), arms, failure.reason, bool(again)))

    def _count(self, run_id: str, epoch: int) -> None:
        self._epochs_trained[run_id] = epoch - self._runs[run_id].epochs_done

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


@final
class WorkersLoad(Load):
    """What this process and the workers of an executor take."""

    scope = "this process and its workers"

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def cpu_s(self) -> float:
        return super().cpu_s + self._executor.cpu_s

    @property
    def memory_gib(self) -> float:
        return super().memory_gib + self._executor.memory_gib

    @property
    def nodes(self) -> Mapping[str, NodeLoad]:
        return self._executor.nodes
