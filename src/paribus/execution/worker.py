"""One cohort from its first epoch (or where it was interrupted) to its end, in a thread of its own.

A worker never touches the workspace. It puts messages on a queue, and the one thread that writes answers where an
answer is needed; so training never waits for the disk.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import numpy as np
import torch

from paribus.data.pool import Split
from paribus.energy.meters import positive_setting
from paribus.execution.progress import EpochDone
from paribus.training.cohort import Cohort, Member, TrainingState
from paribus.training.devices import Device, settle_thread
from paribus.training.evaluation import Measured, Subject, measure
from paribus.training.plan import PlannedRun
from paribus.training.tracker import Kept, Tracker

CHECKPOINT_EVERY_S = 20.0
"""What a kill can cost at most, in seconds of training: they are trained again. See `checkpoint_every_s`."""


def checkpoint_every_s() -> float:
    """PARIBUS_CHECKPOINT_S if it is set, else the default. Raises UserError where it is no sensible number."""
    return positive_setting("PARIBUS_CHECKPOINT_S", most=86_400.0, unit="seconds") or CHECKPOINT_EVERY_S


@dataclass(eq=False)
class Participant:
    """A planned run in training: its tracker, and the state from which its cohort takes it up."""

    run: PlannedRun
    tracker: Tracker
    state: TrainingState


@dataclass(frozen=True)
class Standing:
    """Where one run stands at a checkpoint: copies, so that training may go on while they are written."""

    run: PlannedRun
    state: TrainingState
    scalars: Mapping[str, Any]
    curves: Mapping[str, list[float]]
    best: Mapping[int, Mapping[str, torch.Tensor]]
    kept: Sequence[Kept]


@dataclass(frozen=True)
class Checkpoint:
    """Where all runs of a cohort stand. `written` says that it no longer is in use, written or not."""

    standings: Sequence[Standing]
    written: Event = field(default_factory=Event)


@dataclass(frozen=True)
class Ended:
    """A run that is over, with all that was measured of it."""

    run: PlannedRun
    tracker: Tracker
    measured: Measured


@dataclass(frozen=True)
class DrawerRequest:
    """A reading of the test split, to be logged before it is `granted`. `epoch` is None for monitoring.

    Where it cannot be logged, `granted` raises what kept it from that, and the drawer stays closed.
    """

    runs: Sequence[PlannedRun]
    rule: str
    epoch: int | None
    images: int
    granted: Future[None] = field(default_factory=Future[None])


@dataclass(frozen=True)
class Finished:
    """A cohort is over or was stopped; `error` is what broke it."""

    index: int
    wall_s: float
    error: BaseException | None = None


Message = Checkpoint | Ended | DrawerRequest | EpochDone | Finished


class Worker:
    """Trains one cohort, and saves it every `save_every_s` seconds.

    `stop` asks it to save and leave after the epoch that it is in.
    """

    def __init__(
        self,
        index: int,
        participants: Sequence[Participant],
        out: SimpleQueue[Any],
        stop: Event,
        *,
        device: Device,
        save_every_s: float = CHECKPOINT_EVERY_S,
    ) -> None:
        self._index = index
        self._participants = {participant.run.run_id: participant for participant in participants}
        self._out = out
        self._stop = stop
        self._device = device
        self._save_every_s = save_every_s
        self._last: Checkpoint | None = None
        self._monitored: Split | None = None

    def __call__(self) -> None:
        """Train to the end; whatever happens, the last message is `Finished`."""
        started = time.perf_counter()
        error: BaseException | None = None
        try:
            settle_thread()
            with torch.no_grad():
                self._train()
        except BaseException as caught:  # noqa: BLE001 - handed over to the thread that records, which raises it
            error = caught
        self._out.put(Finished(self._index, time.perf_counter() - started, error))

    def _train(self) -> None:
        cohort = self._cohort([self._member(participant) for participant in self._participants.values()])
        for run, tracker in enumerate(self._trackers(cohort)):
            if tracker.epoch == 0:
                tracker.start(_weights_of(cohort, run))
        saved_at = time.perf_counter()
        while not self._stop.is_set():
            began = time.perf_counter()
            self._epoch(cohort)
            self._tell(cohort, time.perf_counter() - began)
            if any(tracker.outcome for tracker in self._trackers(cohort)):
                left = self._retire(cohort)
                if not left:
                    return
                cohort = self._cohort(left)
            if time.perf_counter() - saved_at > self._save_every_s:
                self._save(cohort)
                saved_at = time.perf_counter()
        if cohort.epoch:  # before that there is nothing that is not there at the next start, too
            self._save(cohort)

    def _member(self, participant: Participant) -> Member:
        run = participant.run
        return Member(run.run_id, run.recipe, run.seed, run.replicate, run.splits, participant.state)

    def _cohort(self, members: Sequence[Member]) -> Cohort:
        """A cohort of `members` with the evaluation sets that their recipe asks for."""
        cohort = Cohort(members, self._device.torch)
        first = members[0]
        validations = [member.splits.validation for member in cohort.streams]
        held_out = [split for split in validations if split is not None]
        if held_out:
            cohort.add_set("val", held_out)
        if first.recipe.training.measure_train_loss_end:
            cohort.add_set("train", [member.splits.train for member in cohort.streams])
        if first.recipe.test.monitor_every:
            cohort.add_set("test", [self._monitored_part(first)] * len(cohort.streams))
        return cohort

    def _monitored_part(self, member: Member) -> Split:
        """The test images that are watched during training: one reading a run, however often its cohort shrinks."""
        drawer = member.splits.test
        assert drawer is not None
        if self._monitored is None:
            images = min(member.recipe.test.monitor_images or drawer.images, drawer.images)
            runs = [participant.run for participant in self._participants.values()]
            self._ask(DrawerRequest(runs, "", None, images))
            self._monitored = drawer.open("monitoring", images)
        return self._monitored

    def _trackers(self, cohort: Cohort) -> list[Tracker]:
        return [self._participants[member.run_id].tracker for member in cohort.members]

    def _epoch(self, cohort: Cohort) -> None:
        trackers = self._trackers(cohort)
        rates = [tracker.rates.rate(cohort.epoch) for tracker in trackers]
        measured: dict[str, Sequence[float]] = {"lr": rates, "train_loss": cohort.train_epoch(rates).tolist()}
        for name in cohort.set_names:
            every = cohort.members[0].recipe.test.monitor_every if name == "test" else 1
            if cohort.epoch % every == 0:
                values = cohort.evaluate(name)
                measured["train_loss_end" if name == "train" else f"{name}_loss"] = values.loss.tolist()
                measured[f"{name}_accuracy"] = values.accuracy.tolist()
        for run, tracker in enumerate(trackers):
            tracker.observe({name: values[run] for name, values in measured.items()}, _weights_of(cohort, run))

    def _tell(self, cohort: Cohort, epoch_s: float) -> None:
        trackers = self._trackers(cohort)
        left = cohort.members[0].recipe.training.epochs - cohort.epoch
        self._out.put(
            EpochDone(
                index=self._index,
                epoch=cohort.epoch,
                runs=len(trackers),
                train_loss=_mean_of_last(trackers, "train_loss"),
                val_loss=_mean_of_last(trackers, "val_loss"),
                val_accuracy=_mean_of_last(trackers, "val_accuracy"),
                model_epochs_per_s=len(trackers) / epoch_s,
                remaining_s=left * epoch_s,
            )
        )

    def _retire(self, cohort: Cohort) -> list[Member]:
        """Measure and hand over the runs that have ended; the members that go on, in their present state."""
        left: list[Member] = []
        ended: list[Participant] = []
        for index, member in enumerate(cohort.members):
            participant = self._participants[member.run_id]
            if participant.tracker.outcome is None:
                left.append(replace(member, state=cohort.state(index)))
            else:
                ended.append(participant)
        for participant, measured in zip(ended, self._side_by_side(ended), strict=True):
            self._out.put(Ended(participant.run, participant.tracker, measured))
        return left

    def _side_by_side(self, ended: Sequence[Participant]) -> Iterator[Measured]:
        """What is measured of runs that have ended, in their order."""
        promised = [(participant, Future[Measured]()) for participant in ended]
        waiting = iter(promised)

        def work() -> None:
            settle_thread()
            for participant, future in waiting:
                try:
                    future.set_result(self._measured(participant))
                except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                    future.set_exception(error)

        threads = [Thread(target=work, daemon=True) for _ in range(min(self._device.measured_at_once, len(ended)))]
        for thread in threads:
            thread.start()
        for _, future in promised:
            yield future.result()
        for thread in threads:
            thread.join()

    def _measured(self, participant: Participant) -> Measured:
        run = participant.run
        subject = Subject(run.recipe, run.seed, run.replicate, run.splits)
        return measure(subject, participant.tracker.best, self._opener(run))

    def _opener(self, run: PlannedRun) -> Callable[[str, int], Split]:
        drawer = run.splits.test

        def open_test(rule: str, epoch: int) -> Split:
            assert drawer is not None
            self._ask(DrawerRequest([run], rule, epoch, drawer.images))
            return drawer.open("selected snapshot")

        return open_test

    def _ask(self, request: DrawerRequest) -> None:
        self._out.put(request)
        request.granted.result()

    def _save(self, cohort: Cohort) -> None:
        if self._last is not None:
            self._last.written.wait()  # never more than one checkpoint in memory
        standings: list[Standing] = []
        for index, (member, tracker) in enumerate(zip(cohort.members, self._trackers(cohort), strict=True)):
            standings.append(
                Standing(
                    run=self._participants[member.run_id].run,
                    state=cohort.state(index),
                    scalars=tracker.scalars(),
                    curves={name: list(curve) for name, curve in tracker.curves.items()},
                    best={best.epoch: best.weights for best in tracker.best.values()},
                    kept=tracker.drain(),
                )
            )
        self._last = Checkpoint(standings)
        self._out.put(self._last)


def _weights_of(cohort: Cohort, run: int) -> Callable[[], Mapping[str, torch.Tensor]]:
    return lambda: cohort.network.state(run)


def _mean_of_last(trackers: Sequence[Tracker], metric: str) -> float:
    values = [tracker.curves[metric][-1] for tracker in trackers if tracker.curves.get(metric)]
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan
