"""From a study to runs, and from runs to cohorts: what would train, in which company, and what it would take."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from paribus.data import protocols
from paribus.data.pool import Splits
from paribus.errors import Shown, UserError
from paribus.spec.identity import run_id
from paribus.spec.recipe import Data, Recipe
from paribus.spec.study import Study
from paribus.store.records import RunRecord
from paribus.training.devices import Device, device_named
from paribus.training.measuring import EVALUATION_ROWS
from paribus.training.networks import operations_per_image, parameter_count, tiled
from paribus.training.rehearsal import seconds_per_epoch

AS_GOOD = 0.97
"""A larger cohort is chosen where its runs cost at most this share of what they cost in a smaller one."""
MEMORY_SHARE = 0.5
"""Of the device's memory, what all cohorts in training together may take."""

LoadSplits = Callable[[Data, int, int], Splits]


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """A run to be: `arms` are all names that it goes by, `state` what the workspace knows of it."""

    run_id: str
    arms: tuple[str, ...]
    replicate: int
    recipe: Recipe
    seed: int
    data_fingerprint: str
    splits: Splits
    state: Literal["new", "interrupted", "recorded"]
    epochs_done: int

    @property
    def epochs_left(self) -> int:
        return 0 if self.state == "recorded" else self.recipe.training.epochs - self.epochs_done

    @property
    def operations(self) -> int:
        """Floating-point operations that are left, training and measuring together."""
        per_image, training = operations_per_image(self.recipe.network.layers), len(self.splits.train)
        forward = 2 * parameter_count(self.recipe.network.layers, biases=False)
        return self.epochs_left * (per_image * training + forward * self.images_measured)

    @property
    def images_measured(self) -> int:
        """Images measured after an epoch, on average."""
        test, total = self.recipe.test, 0
        if self.splits.validation is not None:
            total += len(self.splits.validation)
        if self.recipe.training.measure_train_loss_end:
            total += len(self.splits.train)
        if test.monitor_every and self.splits.test is not None:
            total += min(test.monitor_images or self.splits.test.images, self.splits.test.images) // test.monitor_every
        return total


@dataclass(frozen=True, eq=False)
class CohortPlan:
    """Runs that will train together. `expected_s` comes from a rehearsal on this machine, None where there was none."""

    runs: tuple[PlannedRun, ...]
    expected_s: float | None

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(arm for run in self.runs for arm in run.arms))

    @property
    def parameters(self) -> int:
        """Parameters of all runs together, biases included."""
        return sum(parameter_count(run.recipe.network.layers) for run in self.runs)

    @property
    def operations(self) -> int:
        return sum(run.operations for run in self.runs)

    @property
    def memory_bytes(self) -> int:
        """What training it holds: parameters, optimizer slots, activations, the best snapshots so far."""
        return sum(bytes_per_run(run.recipe) for run in self.runs)

    @property
    def epochs_left(self) -> int:
        return max(run.epochs_left for run in self.runs)

    @property
    def model_epochs(self) -> int:
        return sum(run.epochs_left for run in self.runs)


@dataclass(frozen=True, eq=False)
class Plan:
    """All runs of a study, and the cohorts in which those that are left will train, a worker of the device each."""

    study: Study
    runs: tuple[PlannedRun, ...]
    cohorts: tuple[CohortPlan, ...]
    device: Device

    @property
    def expected_s(self) -> float | None:
        """Seconds until the last cohort ends: each worker takes the next cohort as it becomes free."""
        free_at = [0.0] * self.device.workers
        for cohort in self.cohorts:
            if cohort.expected_s is None:
                return None
            free_at.sort()
            free_at[0] += cohort.expected_s
        return max(free_at)

    @property
    def may_stop_early(self) -> int:
        """Runs that are left and may end before their last epoch, for all of which they are expected to train."""
        return sum(run.recipe.training.early_stop is not None for run in self.left())

    def left(self) -> tuple[PlannedRun, ...]:
        return tuple(run for run in self.runs if run.state != "recorded")


def plan_study(
    study: Study,
    known: Mapping[str, RunRecord],
    *,
    workers: int | None = None,
    rehearse: bool = True,
    device: str = "cpu",
) -> Plan:
    """Plan every run of `study` that `known` (by identity) does not hold as ended.

    Raises UserError where the data cannot be had or do not fit the networks. `rehearse` times a few steps of cohorts
    of several sizes on this machine, which decides how many runs train together; without it, as many as may.
    `workers` cohorts train at once, by default one a core of the CPU.
    """
    place = device_named(device, workers)
    runs = _runs(study, known)
    left = sum(run.state != "recorded" for run in runs)
    rehearsal = Rehearsal(place, min(place.workers, left)) if rehearse else None
    cohorts: list[CohortPlan] = []
    for group in _alike(runs):
        for part in _parts(group, place.workers, _cohort_size(group, place, rehearsal)):
            expected_s = None if rehearsal is None else rehearsal.seconds_per_epoch(part) * part[0].epochs_left
            cohorts.append(CohortPlan(tuple(part), expected_s))
    cohorts.sort(key=lambda cohort: (-(cohort.expected_s or 0.0), -cohort.operations))
    return Plan(study, runs, tuple(cohorts), place)


def _runs(study: Study, known: Mapping[str, RunRecord]) -> tuple[PlannedRun, ...]:
    runs: dict[str, PlannedRun] = {}
    loaded: dict[tuple[str, int], Splits] = {}
    for arm, replicate in study.runs():
        recipe = arm.recipe
        fingerprint = protocols.fingerprint(recipe.data)
        identity = run_id(recipe, seed=study.seed, replicate=replicate, data_fingerprint=fingerprint)
        if identity in runs:
            earlier = runs[identity]
            runs[identity] = PlannedRun(**{**vars(earlier), "arms": (*earlier.arms, arm.name)})
            continue
        key = (recipe.data.model_dump_json(), replicate)
        if key not in loaded:
            loaded[key] = protocols.load_splits(recipe.data, seed=study.seed, replicate=replicate)
        _refuse_misfit(arm.name, recipe, loaded[key])
        record = known.get(identity)
        ended = record is not None and record.state in ("done", "diverged")
        runs[identity] = PlannedRun(
            run_id=identity,
            arms=(arm.name,),
            replicate=replicate,
            recipe=recipe,
            seed=study.seed,
            data_fingerprint=fingerprint,
            splits=loaded[key],
            state="recorded" if ended else "interrupted" if record is not None and record.epochs_done else "new",
            epochs_done=record.epochs_done if record is not None else 0,
        )
    return tuple(runs.values())


def _refuse_misfit(arm: str, recipe: Recipe, splits: Splits) -> None:
    layers, place = recipe.network.layers, f"arm {arm}, key network.layers"
    pixels = splits.train.pool.inputs.shape[1]
    if layers[0] != pixels:
        raise UserError(
            f"the first layer must be as wide as a picture of {recipe.data.protocol} has pixels ({pixels})",
            given=list(layers), place=place, remedy=f"begin with {pixels}",
        )  # fmt: skip
    if recipe.has_labels and layers[-1] != splits.classes:
        raise UserError(
            f"the last layer must be as wide as {recipe.data.protocol} has classes ({splits.classes})",
            given=list(layers), place=place, remedy=f"end with {splits.classes}",
        )  # fmt: skip
    if recipe.training.batch_size > len(splits.train):
        raise UserError(
            f"must be at most the number of training images ({len(splits.train)})",
            given=Shown(str(recipe.training.batch_size)), place=f"arm {arm}, key training.batch_size",
            remedy="make it smaller",
        )  # fmt: skip


def static_key(recipe: Recipe) -> tuple[object, ...]:
    """What must agree for runs to train together; everything else may differ from run to run."""
    return (
        recipe.data.model_dump_json(),
        recipe.network.kind,
        recipe.network.layers,
        recipe.network.dropout > 0,
        recipe.loss.kind,
        recipe.optimizer.kind,
        recipe.training.batch_size,
        recipe.training.epochs,
        recipe.training.measure_train_loss_end,
        recipe.test.monitor_every,
        recipe.test.monitor_images,
    )


def _alike(runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    """Runs that are left, grouped by what must agree and by the epoch at which they stand."""
    groups: dict[tuple[object, ...], list[PlannedRun]] = defaultdict(list)
    for run in runs:
        if run.state != "recorded":
            groups[(*static_key(run.recipe), run.epochs_done)].append(run)
    return list(groups.values())


def bytes_per_run(recipe: Recipe) -> int:
    """Memory that one more run in a cohort takes at most, which is linear in runs; images are shared and not counted.

    On a CPU runs share activations, too.
    """
    layers = recipe.network.layers
    slots = 1 if recipe.optimizer.kind == "sgd" else 2
    tensors = parameter_count(layers) * (2 + slots + len(recipe.selection.rules))
    activations = (2 * recipe.training.batch_size + EVALUATION_ROWS) * sum(map(tiled, layers[1:]))
    inputs = 2 * recipe.training.batch_size * tiled(layers[0])  # of a whole batch, and of the last one
    return 4 * (tensors + activations + inputs)


def _cohort_size(group: Sequence[PlannedRun], device: Device, rehearsal: Rehearsal | None) -> int:
    """How many runs of `group` best train together, all workers busy: by rehearsal, within the memory budget."""
    budget = MEMORY_SHARE * device.memory_bytes / device.workers
    most = min(budget // bytes_per_run(group[0].recipe), -(-len(group) // device.workers))
    sizes = sorted({int(max(1, min(size, most))) for size in device.cohort_sizes})
    if rehearsal is None:
        return sizes[-1]
    chosen, least_s = 1, math.inf
    for size in sizes:
        each_s = rehearsal.seconds_per_epoch(_by_stream(group)[:size]) / size
        if each_s < AS_GOOD * least_s:
            chosen, least_s = size, each_s
    return chosen


def _parts(group: Sequence[PlannedRun], workers: int, size: int) -> list[list[PlannedRun]]:
    """`group` cut into cohorts of nearly equal size: as many for each worker, and streams whole where that allows."""
    count = min(len(group), workers * -(-len(group) // (workers * size)))
    edges = [round(i * len(group) / count) for i in range(count + 1)]
    return [_by_stream(group)[a:b] for a, b in pairwise(edges)]


def _by_stream(group: Sequence[PlannedRun]) -> list[PlannedRun]:
    return sorted(group, key=lambda run: run.replicate)


class Rehearsal:
    """Times cohorts on a device while `company` of their kind train side by side; each kind once."""

    def __init__(self, device: Device, company: int) -> None:
        self._device, self._company = device, company
        self._timed: dict[tuple[object, ...], float] = {}

    def seconds_per_epoch(self, runs: Sequence[PlannedRun]) -> float:
        """Expected seconds for an epoch of these runs as one cohort, measuring included."""
        streams = sorted(run.replicate for run in runs)
        key = (*static_key(runs[0].recipe), len(streams), len(set(streams)))
        if key not in self._timed:
            self._timed[key] = seconds_per_epoch(
                [(run.recipe, run.seed, run.replicate, run.splits) for run in runs],
                images_measured=runs[0].images_measured,
                company=self._company,
                device=self._device.torch,
            )
        return self._timed[key]
