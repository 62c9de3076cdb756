"""How long an epoch takes here: a few steps of the very cohort, on as many threads as will be busy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from statistics import mean, median

import torch

from paribus.data.pool import Splits
from paribus.spec.recipe import Recipe
from paribus.training.cohort import Cohort, Member, fresh_state
from paribus.training.devices import settle_thread
from paribus.training.measuring import EVALUATION_ROWS

STEPS = 16
REPETITIONS = 5

Performer = tuple[Recipe, int, int, Splits]
"""Recipe, seed, replicate and data of one run."""


def seconds_per_epoch(runs: Sequence[Performer], *, images_measured: int, company: int, device: torch.device) -> float:
    """Expected seconds for one epoch of these runs as a cohort while `company` such cohorts train at once."""
    with ThreadPoolExecutor(company, initializer=settle_thread) as pool:
        # none is timed before all are there: a cohort alone would have the caches and the memory to itself
        cohorts = list(pool.map(partial(_cohort, device=device), [runs] * company))
        training, measuring = zip(*pool.map(_timed, cohorts), strict=True)
    recipe, _, _, splits = runs[0]
    images = len(splits.train)
    steps = -(-images // recipe.training.batch_size)
    return mean(training) * steps + mean(measuring) * images_measured / EVALUATION_ROWS


def _cohort(runs: Sequence[Performer], device: torch.device) -> Cohort:
    """These runs with a few of their images, after a first epoch."""
    batch = runs[0][0].training.batch_size
    members = [
        Member("", recipe, seed, replicate, _short(splits, batch * STEPS), fresh_state(recipe, seed, replicate))
        for recipe, seed, replicate, splits in runs
    ]
    with torch.no_grad():
        cohort = Cohort(members, device)
        shown = [member.splits.train.take(slice(EVALUATION_ROWS)) for member in cohort.streams]
        cohort.add_set("rehearsal", shown)
        cohort.train_epoch(_rates(cohort))
        cohort.evaluate("rehearsal")
    return cohort


def _timed(cohort: Cohort) -> tuple[float, float]:
    """Seconds for one training step, and for measuring `EVALUATION_ROWS` images."""
    batch, rates = cohort.members[0].recipe.training.batch_size, _rates(cohort)
    shown = min(EVALUATION_ROWS, cohort.images)
    step_s, measure_s = [], []
    with torch.no_grad():
        for _ in range(REPETITIONS):
            start = time.perf_counter()
            cohort.train_epoch(rates)
            step_s.append((time.perf_counter() - start) / -(-cohort.images // batch))
            start = time.perf_counter()
            cohort.evaluate("rehearsal")
            measure_s.append((time.perf_counter() - start) * EVALUATION_ROWS / shown)
    return median(step_s), median(measure_s)


def _rates(cohort: Cohort) -> list[float]:
    return [member.recipe.optimizer.lr for member in cohort.members]


def _short(splits: Splits, images: int) -> Splits:
    return replace(splits, train=splits.train.take(slice(images)))
