"""Trains one cohort from its first epoch, or from where it was interrupted, to its end, in a thread of its own.

A worker never touches the workspace. It puts messages on a queue for the one thread that records, so training does not
wait for the disk. Only a read of the test set waits, until it is logged.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import numpy as np

from paribus.data.pool import Split
from paribus.energy.meters import positive_setting
from paribus.execution.events import EpochDone
from paribus.execution.messages import CohortCheckpoint, RunCheckpoint, RunEnded, TestReadRequest, WorkerFinished
from paribus.training.cohort import ActiveRun, Cohort, TrainingState
from paribus.training.devices import Device
from paribus.training.engine import Engine, State
from paribus.training.evaluation import Snapshot, measure_run, measure_snapshot
from paribus.training.measurements import Measurements, all_of
from paribus.training.plan import PlannedRun
from paribus.training.tracker import Tracker

CHECKPOINT_EVERY_S = 20.0
"""Seconds of training between checkpoints: what a killed process loses at most. See `checkpoint_every_s`."""


def checkpoint_every_s() -> float:
    """PARIBUS_CHECKPOINT_S if it is set, else the default. Raises UserError where it is not a number above 0."""
    return positive_setting("PARIBUS_CHECKPOINT_S", most=86_400.0, unit="seconds") or CHECKPOINT_EVERY_S


@dataclass(eq=False)
class Trainee:
    """A planned run and what a worker needs to train it: its tracker, the state that it begins or resumes from, and
    when its first epoch began."""

    run: PlannedRun
    tracker: Tracker
    state: TrainingState
    started_at: str


class Worker:
    """Trains one cohort, and sends a checkpoint every `checkpoint_s` seconds.

    When `stop` is set, it finishes its epoch, sends a last checkpoint and returns.
    """

    def __init__(
        self,
        index: int,
        trainees: Sequence[Trainee],
        out: SimpleQueue[Any],
        stop: Event,
        *,
        device: Device,
        checkpoint_s: float = CHECKPOINT_EVERY_S,
    ) -> None:
        self._index = index
        self._trainees = {trainee.run.id: trainee for trainee in trainees}
        self._out = out
        self._stop = stop
        self._device = device
        self._checkpoint_s = checkpoint_s
        self._last: CohortCheckpoint | None = None
        self._monitored: Split | None = None

    def __call__(self) -> None:
        """Train to the end; whatever happens, the last message is `WorkerFinished`."""
        started = time.perf_counter()
        error: BaseException | None = None
        try:
            self._train(self._device.engine())
        except BaseException as caught:  # noqa: BLE001 - handed over to the thread that records, which raises it
            error = caught
        self._out.put(WorkerFinished(self._index, time.perf_counter() - started, error))

    def _train(self, engine: Engine) -> None:
        cohort = self._cohort([self._active(trainee) for trainee in self._trainees.values()], engine)
        for run, tracker in enumerate(self._trackers(cohort)):
            if tracker.epoch == 0:
                tracker.start(_weights_of(cohort, run))
        saved_at = time.perf_counter()
        while not self._stop.is_set():
            began = time.perf_counter()
            metrics = self._epoch(cohort)
            self._report(cohort, metrics, time.perf_counter() - began)
            if any(tracker.outcome for tracker in self._trackers(cohort)):
                unfinished = self._retire(cohort, engine)
                if not unfinished:
                    return
                cohort = self._cohort(unfinished, engine)
            if time.perf_counter() - saved_at > self._checkpoint_s:
                self._save(cohort, paused=False)
                saved_at = time.perf_counter()
        if cohort.epoch:  # before the first epoch, a run has only its initial weights, which are made again
            self._save(cohort, paused=True)

    def _active(self, trainee: Trainee) -> ActiveRun:
        return ActiveRun(trainee.run.spec, trainee.run.splits, trainee.state)

    def _cohort(self, runs: Sequence[ActiveRun], engine: Engine) -> Cohort:
        """A cohort of `runs` with the evaluation sets that their recipe asks for."""
        cohort = Cohort(runs, engine)
        recipe = runs[0].spec.recipe
        validations = [run.splits.validation for run in cohort.leaders]
        held_out = [split for split in validations if split is not None]
        if held_out:
            cohort.add_set("val", held_out)
        if "train_loss_end" in recipe.metrics:
            cohort.add_set("train", [run.splits.train for run in cohort.leaders])
        if recipe.test.monitor_every:
            cohort.add_set("test", [self._monitored_part(runs[0])] * len(cohort.leaders))
        return cohort

    def _monitored_part(self, run: ActiveRun) -> Split:
        """The test examples that are monitored during training: one read a run, however often its cohort shrinks."""
        test_set = run.splits.test
        assert test_set is not None
        if self._monitored is None:
            examples = min(run.spec.recipe.test.monitor_examples or test_set.examples, test_set.examples)
            runs = [trainee.run for trainee in self._trainees.values()]
            self._ask(TestReadRequest(runs, "", None, examples, "monitoring"))
            self._monitored = test_set.open("monitoring", examples)
        return self._monitored

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
                found = cohort.evaluate(name)
                metrics["train_loss_end" if name == "train" else f"{name}_loss"] = found.loss.tolist()
                if found.correct is not None:
                    examples = self._examples_in(cohort, name)
                    metrics[f"{name}_accuracy"] = (found.correct / examples).tolist()
        for run, tracker in enumerate(trackers):
            tracker.observe({name: values[run] for name, values in metrics.items()}, _weights_of(cohort, run))
        return metrics

    def _examples_in(self, cohort: Cohort, name: str) -> int:
        if name == "test" and self._monitored is not None:
            return len(self._monitored)
        dataset = cohort.runs[0].spec.dataset
        return dataset.train if name == "train" else dataset.validation

    def _report(self, cohort: Cohort, metrics: Mapping[str, Sequence[float]], epoch_s: float) -> None:
        epochs_left = cohort.runs[0].spec.recipe.training.epochs - cohort.epoch
        self._out.put(
            EpochDone(
                index=self._index,
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
                ended.append(trainee)
        for trainee, measured in zip(ended, self._measured_side_by_side(ended, engine), strict=True):
            self._out.put(RunEnded(trainee.run, trainee.tracker, measured, trainee.started_at))
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

        threads = [Thread(target=work, daemon=True) for _ in range(min(self._device.evaluated_at_once, len(ended)))]
        for thread in threads:
            thread.start()
        for _, future in promised:
            yield future.result()
        for thread in threads:
            thread.join()

    def _measured(self, trainee: Trainee, engine: Engine) -> Measurements:
        run, selected = trainee.run, trainee.tracker.selected
        snapshots = [
            Snapshot(rule, selected[rule].epoch, selected[rule].weights)
            for rule in run.recipe.selection.rules
            if rule in selected
        ]
        parts = (measure_snapshot(run.spec, run.splits, one, engine, self._opener(run)) for one in snapshots)
        return all_of([measure_run(run.spec, run.splits), *parts])

    def _opener(self, run: PlannedRun) -> Callable[[str, int], Split]:
        test_set = run.splits.test

        def open_test(rule: str, epoch: int) -> Split:
            assert test_set is not None
            self._ask(TestReadRequest([run], rule, epoch, test_set.examples, "selected snapshot"))
            return test_set.open("selected snapshot")

        return open_test

    def _ask(self, request: TestReadRequest) -> None:
        self._out.put(request)
        request.granted.result()

    def _save(self, cohort: Cohort, *, paused: bool) -> None:
        if self._last is not None:
            self._last.released.wait()  # never more than one checkpoint in memory
        runs: list[RunCheckpoint] = []
        for index, (run, tracker) in enumerate(zip(cohort.runs, self._trackers(cohort), strict=True)):
            trainee = self._trainees[run.spec.id]
            runs.append(
                RunCheckpoint(
                    run=trainee.run,
                    state=cohort.state(index),
                    scalars=tracker.scalars(),
                    curves={name: list(curve) for name, curve in tracker.curves.items()},
                    selected={chosen.epoch: chosen.weights for chosen in tracker.selected.values()},
                    snapshots=tracker.take_pending(),
                    started_at=trainee.started_at,
                )
            )
        self._last = CohortCheckpoint(runs, paused)
        self._out.put(self._last)


def now() -> str:
    """The time as records have it: UTC in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _weights_of(cohort: Cohort, run: int) -> Callable[[], State]:
    return lambda: cohort.weights(run)


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan
