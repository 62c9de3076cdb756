"""Trains one cohort from its first epoch, or from its last checkpoint, to its end.

A worker never touches the workspace. It sends messages to the parent, which records, so training does not wait for the
disk. Only a read of the test set waits, until the parent has logged it and sends the examples.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Thread
from typing import Final

import numpy as np

from paribus.data.pool import Purpose, Split, Splits
from paribus.energy.meters import positive_setting
from paribus.errors import OwnCodeError, UserError, printable
from paribus.execution.events import EpochDone
from paribus.execution.link import Link
from paribus.execution.messages import (
    Checkpoint,
    Curves,
    Failure,
    Finished,
    RunEnded,
    RunProgress,
    RunTask,
    Task,
    TestReadRequest,
)
from paribus.spec.identity import RunSpec
from paribus.spec.metrics import BY_TRUE_LABELS
from paribus.training.cohort import ActiveRun, Cohort, TrainingState, fresh_state
from paribus.training.engine import Engine, State
from paribus.training.evaluation import Snapshot, measure_run, measure_snapshot
from paribus.training.margins import MarginSums
from paribus.training.measurements import Measurements, all_of
from paribus.training.tracker import Tracker

MAX_REASON_LENGTH: Final = 300
_OUT_OF_MEMORY: Final = ("can't allocate memory", "not enough memory", "out of memory")
"""PyTorch's words for it: its exceptions are of more general types."""
CHECKPOINT_EVERY_S = 20.0
"""Seconds of training between checkpoints: what a killed process loses at most. See `checkpoint_every_s`."""


def checkpoint_every_s() -> float:
    """PARIBUS_CHECKPOINT_S if it is set, else the default. Raises UserError where it is not a number above 0."""
    return positive_setting("PARIBUS_CHECKPOINT_S", most=86_400.0, unit="seconds") or CHECKPOINT_EVERY_S


@dataclass(eq=False)
class Trainee:
    """A run in training: its tracker, the state that it begins or resumes from, and when its first epoch began."""

    spec: RunSpec
    splits: Splits
    tracker: Tracker
    state: TrainingState
    started_at: str
    margins: MarginSums | None = None
    """Those of a run that has ended, where it keeps any."""

    @classmethod
    def of(cls, task: RunTask) -> Trainee:
        """A run from its initial weights, or from its last checkpoint."""
        tracker, progress = Tracker(task.spec), task.progress
        if progress is None:
            return cls(task.spec, task.splits, tracker, fresh_state(task.spec), task.started_at)
        curves = {name: [float(value) for value in curve] for name, curve in progress.curves.items()}
        tracker.restore(progress.scalars, curves, progress.selected)
        return cls(task.spec, task.splits, tracker, progress.state, task.started_at)

    @property
    def active(self) -> ActiveRun:
        return ActiveRun(self.spec, self.splits, self.state)

    @property
    def curves(self) -> Curves:
        """Copies of the tracker's curves."""
        return {name: np.array(curve, dtype=np.float64) for name, curve in self.tracker.curves.items()}


class Worker:
    """Trains the cohort of one task, and sends a checkpoint every `task.checkpoint_s` seconds.

    When the parent asks it to stop, it finishes its epoch, sends a last checkpoint and returns; so it does after the
    epoch `task.until`.
    """

    def __init__(self, task: Task, link: Link, engine: Callable[[], Engine]) -> None:
        self._task = task
        self._link = link
        self._make_engine = engine
        self._trainees: dict[str, Trainee] = {}
        self._last_checkpoint: int | None = None
        self._monitored: Split | None = None

    def __call__(self) -> None:
        """Train to the end; whatever happens, the last message is `Finished`."""
        started = time.perf_counter()
        failure: Failure | None = None
        try:
            self._train(self._make_engine())
        except BaseException as error:  # noqa: BLE001 - told to the parent, which decides what follows
            failure = failure_of(error)
        self._link.send(Finished(time.perf_counter() - started, failure))

    def _train(self, engine: Engine) -> None:
        self._trainees = {run.spec.id: Trainee.of(run) for run in self._task.runs}
        cohort = self._cohort([trainee.active for trainee in self._trainees.values()], engine)
        for run, tracker in enumerate(self._trackers(cohort)):
            if tracker.epoch == 0:
                tracker.start(_weights_of(cohort, run))
        saved_at = time.perf_counter()
        while not self._link.stopping:
            began = time.perf_counter()
            metrics = self._epoch(cohort)
            self._report(cohort, metrics, time.perf_counter() - began)
            if any(tracker.outcome for tracker in self._trackers(cohort)):
                unfinished = self._retire(cohort, engine)
                if not unfinished:
                    return
                cohort = self._cohort(unfinished, engine)
            if cohort.epoch == self._task.until:
                break
            if time.perf_counter() - saved_at > self._task.checkpoint_s:
                self._save(cohort, paused=False)
                saved_at = time.perf_counter()
        if cohort.epoch:  # before the first epoch, a run has only its initial weights, which are made again
            self._save(cohort, paused=True)

    def _cohort(self, runs: Sequence[ActiveRun], engine: Engine) -> Cohort:
        """A cohort of `runs` with the evaluation sets that their recipe asks for."""
        cohort = Cohort(runs, engine)
        recipe = runs[0].spec.recipe
        validations = [run.splits.validation for run in cohort.leaders]
        held_out = [split for split in validations if split is not None]
        if held_out:
            cohort.add_set("val", held_out)
        if recipe.metrics:
            by_label = any(metric in BY_TRUE_LABELS for metric in recipe.metrics)
            cohort.add_set("train", [run.splits.train for run in cohort.leaders], predictions=by_label)
        if recipe.test.monitor_every:
            cohort.add_set("test", [self._monitored_part(runs[0])] * len(cohort.leaders))
        return cohort

    def _monitored_part(self, run: ActiveRun) -> Split:
        """The test examples that are monitored during training: one read a run, however often its cohort shrinks."""
        if self._monitored is None:
            held = run.spec.dataset.test
            examples = min(run.spec.recipe.test.monitor_examples or held, held)
            self._monitored = self._read_test(list(self._trainees), "", None, examples, "monitoring")
        return self._monitored

    def _read_test(
        self, run_ids: Sequence[str], rule: str, epoch: int | None, examples: int, purpose: Purpose
    ) -> Split:
        return self._link.granted(TestReadRequest(self._link.new_id(), run_ids, rule, epoch, examples, purpose))

    def _trackers(self, cohort: Cohort) -> list[Tracker]:
        return [self._trainees[run.spec.id].tracker for run in cohort.runs]

    def _epoch(self, cohort: Cohort) -> dict[str, Sequence[float]]:
        """Train and evaluate for one epoch; each metric's value by run."""
        trackers = self._trackers(cohort)
        batches = -(-cohort.examples // cohort.runs[0].spec.recipe.training.batch_size)
        rates = [tracker.schedule.rates(cohort.epoch, batches) for tracker in trackers]
        loss = cohort.train_epoch(rates)
        metrics: dict[str, Sequence[float]] = {
            "lr": [float(rate.learning_rates[0]) for rate in rates],
            "train_loss": loss.by_batch.tolist(),
            "train_loss_examples": loss.by_example.tolist(),
        }
        for name in cohort.set_names:
            every = cohort.runs[0].spec.recipe.test.monitor_every if name == "test" else 1
            if cohort.epoch % every == 0:
                metrics |= cohort.metrics(name)
        for run, tracker in enumerate(trackers):
            tracker.observe({name: values[run] for name, values in metrics.items()}, _weights_of(cohort, run))
        return metrics

    def _report(self, cohort: Cohort, metrics: Mapping[str, Sequence[float]], epoch_s: float) -> None:
        epochs_left = (self._task.until or cohort.runs[0].spec.recipe.training.epochs) - cohort.epoch
        self._link.send(
            EpochDone(
                index=self._task.index,
                epoch=cohort.epoch,
                run_ids=[run.spec.id for run in cohort.runs],
                metrics=metrics,
                train_loss=_mean(metrics.get("train_loss", ())),
                val_loss=_mean(metrics.get("val_loss", ())),
                val_accuracy=_mean(metrics.get("val_accuracy", ())),
                model_epochs_per_s=len(cohort.runs) / epoch_s,
                remaining_s=epochs_left * epoch_s,
            )
        )

    def _retire(self, cohort: Cohort, engine: Engine) -> list[ActiveRun]:
        """Measure the runs that have ended and send them to be recorded; returns the others, with their states."""
        unfinished: list[ActiveRun] = []
        ended: list[Trainee] = []
        for index, run in enumerate(cohort.runs):
            trainee = self._trainees[run.spec.id]
            if trainee.tracker.outcome is None:
                unfinished.append(ActiveRun(run.spec, run.splits, cohort.state(index)))
            else:
                trainee.margins = cohort.margins(index)
                ended.append(trainee)
        for trainee, measured in zip(ended, self._measured_side_by_side(ended, engine), strict=True):
            self._link.send(_ended(trainee, measured))
        return unfinished

    def _measured_side_by_side(self, ended: Sequence[Trainee], engine: Engine) -> Iterator[Measurements]:
        """What is measured of runs that have ended, in their order; `evaluated_at_once` of them at the same time."""
        promised = [(trainee, Future[Measurements]()) for trainee in ended]
        waiting = iter(promised)

        def work() -> None:
            for trainee, future in waiting:
                try:
                    future.set_result(self._measured(trainee, engine))
                except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                    future.set_exception(error)

        threads = [Thread(target=work, daemon=True) for _ in range(min(self._task.evaluated_at_once, len(ended)))]
        for thread in threads:
            thread.start()
        for _, future in promised:
            yield future.result()
        for thread in threads:
            thread.join()

    def _measured(self, trainee: Trainee, engine: Engine) -> Measurements:
        spec, splits, selected = trainee.spec, trainee.splits, trainee.tracker.selected

        def open_test(rule: str, epoch: int) -> Split:
            return self._read_test([spec.id], rule, epoch, spec.dataset.test, "selected snapshot")

        snapshots = [
            Snapshot(rule, selected[rule].epoch, selected[rule].weights)
            for rule in spec.recipe.selection.rules
            if rule in selected
        ]
        parts = (measure_snapshot(spec, splits, one, engine, open_test) for one in snapshots)
        return all_of([measure_run(spec, splits, trainee.margins), *parts])

    def _save(self, cohort: Cohort, *, paused: bool) -> None:
        if self._last_checkpoint is not None:
            self._link.wait(self._last_checkpoint)  # never more than one checkpoint in memory
        runs = [_progress(self._trainees[run.spec.id], cohort.state(index)) for index, run in enumerate(cohort.runs)]
        self._last_checkpoint = self._link.new_id()
        self._link.send(Checkpoint(self._last_checkpoint, runs, paused))


def _progress(trainee: Trainee, state: TrainingState) -> RunProgress:
    tracker = trainee.tracker
    return RunProgress(
        run_id=trainee.spec.id,
        state=state,
        scalars=tracker.scalars(),
        curves=trainee.curves,
        selected={chosen.epoch: chosen.weights for chosen in tracker.selected.values()},
        snapshots=tracker.take_pending(),
        started_at=trainee.started_at,
    )


def _ended(trainee: Trainee, measured: Measurements) -> RunEnded:
    tracker = trainee.tracker
    assert tracker.outcome is not None
    return RunEnded(
        run_id=trainee.spec.id,
        outcome=tracker.outcome,
        epochs=tracker.epoch,
        curves=trainee.curves,
        selected=dict(tracker.selected),
        snapshots=tracker.take_pending(),
        measured=measured,
        started_at=trainee.started_at,
    )


def failure_of(error: BaseException) -> Failure:
    """An exception of a worker as what the parent is told."""
    known = isinstance(error, UserError)  # its text says what to do
    text = printable(str(error) if known else "".join(traceback.format_exception_only(error)))[:MAX_REASON_LENGTH]
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY):
        return Failure("memory", f"had not enough memory ({text})", trace)
    return Failure("code" if isinstance(error, OwnCodeError) else "error", f"met an error ({text})", trace)


def now() -> str:
    """The time as records have it: UTC in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _weights_of(cohort: Cohort, run: int) -> Callable[[], State]:
    return lambda: cohort.weights(run)


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan
