"""Timing runs on as many threads as will be busy: how long an epoch takes here, from a few steps of a cohort, and how
long the measurements at a run's end take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from statistics import mean, median

from paribus.data.pool import Splits
from paribus.spec.identity import RunSpec
from paribus.training.cohort import ActiveRun, Cohort, TrainingState, fresh_state
from paribus.training.devices import Device
from paribus.training.end_timing import seconds_to_measure
from paribus.training.schedules import EpochRates, schedule_of

STEPS = 16
REPETITIONS = 5
EXAMPLES = 256
"""Examples that are evaluated in a timing run."""

_SET = "timing"


class TimingRuns:
    """Times cohorts on a device while `concurrency` of their kind train side by side; each kind once."""

    def __init__(self, device: Device, concurrency: int) -> None:
        self._device, self._concurrency = device, concurrency
        self._timed: dict[tuple[object, ...], float] = {}

    def seconds_per_epoch(
        self, kind: tuple[object, ...], runs: Sequence[tuple[RunSpec, Splits]], examples_evaluated: int
    ) -> float:
        """Expected seconds for an epoch of these runs as one cohort. Cohorts of one `kind` are timed once."""
        if kind not in self._timed:
            self._timed[kind] = self._time(runs, examples_evaluated)
        return self._timed[kind]

    def seconds_at_end(self, kind: tuple[object, ...], spec: RunSpec, splits: Splits) -> float:
        """Expected seconds to measure this run at its end, with nothing else at work. Runs of one `kind` are timed
        once."""
        if kind not in self._timed:
            self._timed[kind] = seconds_to_measure(spec, splits, self._device.engine())
        return self._timed[kind]

    def _time(self, runs: Sequence[tuple[RunSpec, Splits]], examples_evaluated: int) -> float:
        with ThreadPoolExecutor(self._concurrency) as pool:
            # All cohorts are made before any is timed: one alone would have the caches and the memory to itself.
            # Any weights do, and orthogonal ones take long to make: all runs begin with those of the first.
            make = partial(_short_cohort, device=self._device, state=fresh_state(runs[0][0]))
            cohorts = list(pool.map(make, [runs] * self._concurrency))
            training, evaluating = zip(*pool.map(_timed, cohorts), strict=True)
        spec, splits = runs[0]
        steps = -(-len(splits.train) // spec.recipe.training.batch_size)
        return mean(training) * steps + mean(evaluating) * examples_evaluated


def _short_cohort(runs: Sequence[tuple[RunSpec, Splits]], device: Device, state: TrainingState) -> Cohort:
    """These runs with a few of their examples, after a first epoch from one state."""
    batch = runs[0][0].recipe.training.batch_size
    active = [ActiveRun(spec, _short(splits, batch * STEPS), state) for spec, splits in runs]
    cohort = Cohort(active, device.engine())
    cohort.add_set(_SET, [run.splits.train.take(slice(EXAMPLES)) for run in cohort.leaders])
    cohort.train_epoch(_first_rates(cohort))
    cohort.evaluate(_SET)
    return cohort


def _timed(cohort: Cohort) -> tuple[float, float]:
    """Seconds for one training step, and for the evaluation of one example by every run."""
    batch = cohort.runs[0].spec.recipe.training.batch_size
    shown = min(EXAMPLES, cohort.examples)
    rates = _first_rates(cohort)
    step_s, example_s = [], []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        cohort.train_epoch(rates)
        step_s.append((time.perf_counter() - start) / -(-cohort.examples // batch))
        start = time.perf_counter()
        cohort.evaluate(_SET)
        example_s.append((time.perf_counter() - start) / shown)
    return median(step_s), median(example_s)


def _first_rates(cohort: Cohort) -> list[EpochRates]:
    """Each run's learning rates in its first epoch. A long schedule takes long to make, so it is made once."""
    batches = -(-cohort.examples // cohort.runs[0].spec.recipe.training.batch_size)
    return [schedule_of(run.spec.recipe).rates(0, batches) for run in cohort.runs]


def _short(splits: Splits, examples: int) -> Splits:
    return replace(splits, train=splits.train.take(slice(examples)))
