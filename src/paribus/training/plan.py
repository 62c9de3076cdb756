"""From a study to runs, and from runs to cohorts: what would train, with which others, and what it would take."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from paribus.data.loading import fingerprint, load_splits
from paribus.data.pool import Splits
from paribus.errors import UserError
from paribus.spec.dataset import Dataset
from paribus.spec.fit import refuse_misfit, refuse_unmeasured_choice, refuse_unmeasured_claims
from paribus.spec.identity import NOT_TRAINED, RunSpec
from paribus.spec.network import Module, forward_operations, training_operations
from paribus.spec.recipe import Recipe
from paribus.spec.study import Arm, Study
from paribus.store.records import RunRecord
from paribus.training.cohort import stream_key
from paribus.training.devices import Device
from paribus.training.loaded import Loaded
from paribus.training.memory import bytes_per_run
from paribus.training.timing import TimingRuns

WORTHWHILE = 0.97
"""A larger cohort is chosen where a run costs at most this share of what it costs in a smaller one."""
MEMORY_SHARE = 0.5
"""Of the device's memory, what all cohorts in training together may take."""
ENDED = ("done", "diverged")


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """A run of a study.

    `members` are the (arm, replicate) pairs that it is, more than one where recipes are equal. `state` is what the
    workspace has of it, and `epochs_done` how far it has come. It is to train up to the epoch `until`, where it pauses;
    to its end where that is None.
    """

    spec: RunSpec
    members: tuple[tuple[str, int], ...]
    splits: Splits
    state: Literal["new", "interrupted", "recorded"] = "new"
    epochs_done: int = 0
    until: int | None = None

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def recipe(self) -> Recipe:
        return self.spec.recipe

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(arm for arm, _ in self.members))

    @property
    def widths(self) -> tuple[int, ...]:
        return self.recipe.widths(self.spec.dataset)

    @property
    def parameters(self) -> int:
        """Parameters of its network, biases included."""
        network, module = self.recipe.network, self.spec.module
        if isinstance(network, Module):
            return 0 if module is None else module.size.parameters
        return network.parameter_count(self.widths)

    @property
    def epochs_left(self) -> int:
        return 0 if self.state == "recorded" else max(0, self.last_epoch - self.epochs_done)

    @property
    def is_left(self) -> bool:
        """Whether it has epochs to train: it is neither recorded nor as far as it is to train."""
        return self.state != "recorded" and (self.until is None or self.epochs_done < self.until)

    @property
    def last_epoch(self) -> int:
        """The epoch at which it pauses or ends, unless it stops early."""
        return min(self.until or self.recipe.training.epochs, self.recipe.training.epochs)

    @property
    def operations(self) -> int:
        """Floating-point operations of the matmuls of the epochs to come, training and evaluation together."""
        module = self.spec.module
        if module is None:
            forward, step = forward_operations(self.widths), training_operations(self.widths)
        else:
            forward, step = module.size.operations, module.size.training_operations
        per_epoch = step * len(self.splits.train) + forward * self.examples_evaluated
        if self.recipe.training.co_teaching is not None:  # two networks, which choose before they train
            per_epoch = 2 * (per_epoch + forward * len(self.splits.train))
        return self.epochs_left * per_epoch

    @property
    def examples_evaluated(self) -> int:
        """Examples evaluated after an epoch, on average."""
        test, dataset, total = self.recipe.test, self.spec.dataset, self.spec.dataset.validation
        if self.recipe.metrics:
            total += dataset.train
        if test.monitor_every:
            total += min(test.monitor_examples or dataset.test, dataset.test) // test.monitor_every
        return total


@dataclass(frozen=True, eq=False)
class CohortPlan:
    """Runs that will train together.

    Timing runs on this machine say how many seconds their epochs take, `epochs_s`, and how many it takes to measure
    them at their end, `end_s`. Without timing, `epochs_s` is None.
    """

    runs: tuple[PlannedRun, ...]
    epochs_s: float | None
    end_s: float = 0.0

    @property
    def expected_s(self) -> float | None:
        """Seconds from the first epoch to the last measurement; None without timing."""
        return None if self.epochs_s is None else self.epochs_s + self.end_s

    @property
    def arms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(arm for run in self.runs for arm in run.arms))

    @property
    def parameters(self) -> int:
        """Parameters of all runs together, biases included."""
        return sum(run.parameters for run in self.runs)

    @property
    def operations(self) -> int:
        return sum(run.operations for run in self.runs)

    @property
    def memory_bytes(self) -> int:
        """What training it takes: parameters, optimizer state, activations, the best snapshots so far."""
        return sum(bytes_per_run(run) for run in self.runs)

    @property
    def epochs_left(self) -> int:
        return max(run.epochs_left for run in self.runs)

    @property
    def model_epochs(self) -> int:
        return sum(run.epochs_left for run in self.runs)


@dataclass(frozen=True, eq=False)
class Plan:
    """All runs of a study, and the cohorts in which the unfinished ones will train."""

    study: Study
    runs: tuple[PlannedRun, ...]
    cohorts: tuple[CohortPlan, ...]
    device: Device

    @property
    def expected_s(self) -> float | None:
        """Seconds until the last cohort ends: each worker takes the next cohort when it is free."""
        free_at = [0.0] * self.device.workers
        for cohort in self.cohorts:
            if cohort.expected_s is None:
                return None
            free_at.sort()
            free_at[0] += cohort.expected_s
        return max(free_at)

    @property
    def may_stop_early(self) -> int:
        """Unfinished runs that may end before their last epoch; they are expected to train to it."""
        return sum(run.recipe.training.early_stop is not None for run in self.unfinished)

    @property
    def unfinished(self) -> tuple[PlannedRun, ...]:
        """The runs that have epochs to train: those that are neither recorded nor as far as they are to train."""
        return tuple(run for run in self.runs if run.is_left)


def runs_of(
    study: Study, device: Device, known: Loaded | None = None, told: Callable[[float], None] | None = None
) -> tuple[PlannedRun, ...]:
    """Every run of a study, its data loaded; none is compared with what is recorded yet.

    What `known` has is not loaded again, and it gets what is loaded. `told` is called with the part of the runs whose
    data are loaded, from 0 to 1.

    Raises UserError where the data cannot be loaded, where the study asks for what they do not have, or where two arms
    are one run and ask for different measurements of it.
    """
    runs: dict[str, PlannedRun] = {}
    known = known or Loaded(study, device)
    loaded, contents, modules = known.splits, known.contents, known.modules
    datasets: dict[str, Dataset] = {}
    pairs = tuple(study.members())
    for place, (arm, replicate) in enumerate(pairs):
        if told is not None:
            told(place / len(pairs))
        data, streams = arm.recipe.data.model_copy(update={"task": arm.recipe.task}), study.streams(arm, replicate)
        key = (data.model_dump_json(), streams.split, streams.label_noise)
        if key not in loaded:
            loaded[key] = load_splits(data, study.folder, streams)
        splits = loaded[key]
        if arm.name not in datasets:
            refuse_misfit(arm, splits.dataset)
            datasets[arm.name] = splits.dataset
        if key[0] not in contents:  # looking for changes in a folder of many files takes time
            contents[key[0]] = fingerprint(data, study.folder)
        module = modules.of(arm, splits, streams)
        family = device.family if module is None else "module"
        spec = RunSpec(arm.recipe, splits.dataset, streams, contents[key[0]], family, module)
        same = runs.get(spec.id)
        if same is not None:
            _refuse_other_measurements(study, same, arm)
        members = (*(same.members if same else ()), (arm.name, replicate))
        runs[spec.id] = PlannedRun(same.spec if same else spec, members, splits)
    refuse_unmeasured_claims(study, datasets)
    refuse_unmeasured_choice(study, datasets)
    return tuple(runs.values())


def _refuse_other_measurements(study: Study, run: PlannedRun, arm: Arm) -> None:
    """Raises UserError where `arm`, which is the same run as another arm, would keep or measure other things of it."""
    for key in NOT_TRAINED:
        ours, theirs = getattr(run.recipe, key), getattr(arm.recipe, key)
        if ours != theirs:
            other = run.members[0][0]
            raise UserError(
                f"must be the same as in arm {other}, because both arms train the same runs",
                given=theirs,
                place=f"study {study.name}, arm {arm.name}, key {key}",
                remedy=f"set {key} for the whole study",
            )


def plan_cohorts(
    study: Study,
    runs: Sequence[PlannedRun],
    recorded: Mapping[str, RunRecord],
    device: Device,
    *,
    timing: bool = True,
) -> Plan:
    """Put the runs that `recorded` (by id) does not have as ended into cohorts.

    With `timing`, a few steps of cohorts of several sizes are timed on this machine, which decides how many runs train
    together; without it, as many as may.
    """
    found = tuple(_with_state(run, recorded.get(run.id)) for run in runs)
    unfinished = sum(run.is_left for run in found)
    timer = TimingRuns(device, min(device.workers, unfinished)) if timing and unfinished else None
    cohorts: list[CohortPlan] = []
    for group in _alike(found):
        for part in _parts(group, device.workers, _cohort_size(group, device, timer)):
            epochs_s = None if timer is None else _epoch_s(timer, part) * part[0].epochs_left
            end_s = 0.0 if timer is None or part[0].until else _end_s(timer, part[0]) * len(part)
            cohorts.append(CohortPlan(tuple(part), epochs_s, end_s / device.evaluated_at_once))
    cohorts.sort(key=lambda cohort: (-(cohort.expected_s or 0.0), -cohort.operations))
    return Plan(study, found, tuple(cohorts), device)


def _with_state(run: PlannedRun, record: RunRecord | None) -> PlannedRun:
    if record is None:
        return run
    if record.state in ENDED:
        return replace(run, state="recorded", epochs_done=record.epochs_done)
    return replace(run, state="interrupted" if record.epochs_done else "new", epochs_done=record.epochs_done)


def static_key(run: PlannedRun) -> tuple[object, ...]:
    """What must agree for runs to train together; everything else may differ from run to run."""
    recipe = run.recipe
    clip = recipe.training.clip
    return (
        recipe.data.model_dump_json(),
        recipe.augmentation,
        run.splits.train.pool.fingerprint,
        len(run.splits.train),
        run.spec.dataset.validation,
        run.spec.dataset.folds and recipe.test.monitor_every and (run.spec.streams.split.index, run.spec.dataset.test),
        _architecture(run),
        recipe.network.dropout > 0,
        recipe.loss.kind,
        recipe.loss.evaluated.model_dump_json(),
        recipe.optimizer.kind,
        recipe.schedule.kind == "one-cycle" and recipe.schedule.cycle_momentum,
        None if clip is None else clip.norm is None,
        recipe.training.batch_size,
        recipe.training.co_teaching,
        recipe.training.epochs,
        recipe.metrics,
        recipe.snapshots.margins,
        recipe.test.monitor_every,
        recipe.test.monitor_examples,
    )


def _architecture(run: PlannedRun) -> tuple[object, ...]:
    """What the networks of a cohort have in common."""
    network, module = run.recipe.network, run.spec.module
    if isinstance(network, Module):
        return (network.model_dump_json(), None if module is None else module.fingerprint)
    return (run.widths, network.activations, network.batch_norm, network.ties_weights)


def _alike(runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    """Runs with epochs to train, grouped by what must agree, by their epoch and by the one at which they pause."""
    groups: dict[tuple[object, ...], list[PlannedRun]] = defaultdict(list)
    for run in runs:
        if run.is_left:
            groups[(*static_key(run), run.epochs_done, run.last_epoch)].append(run)
    return list(groups.values())


def _cohort_size(group: Sequence[PlannedRun], device: Device, timer: TimingRuns | None) -> int:
    """How many runs of `group` best train together, all workers busy: by timing runs, within the memory budget.

    What runs share is divided by their number, and caches are filled by more of them: once a run costs more in a larger
    cohort it does so in all that are larger still, and these are not timed. Modules train one at a time.
    """
    if group[0].spec.family == "module":
        return 1
    budget = MEMORY_SHARE * device.memory_bytes / device.workers
    most = min(budget // bytes_per_run(group[0]), -(-len(group) // device.workers))
    sizes = sorted({int(max(1, min(size, most))) for size in device.cohort_sizes})
    if timer is None:
        return sizes[-1]
    chosen, least_s = 1, math.inf
    for size in sizes:
        each_s = _epoch_s(timer, _by_stream(group)[:size]) / size
        if each_s > least_s:
            break
        if each_s < WORTHWHILE * least_s:
            chosen, least_s = size, each_s
    return chosen


def _epoch_s(timer: TimingRuns, runs: Sequence[PlannedRun]) -> float:
    """Expected seconds for an epoch of these runs as one cohort, evaluation included.

    A module has been timed when it was checked: its code runs in no other process than in those that train it.
    """
    module = runs[0].spec.module
    if module is not None:
        steps = -(-len(runs[0].splits.train) // runs[0].recipe.training.batch_size)
        return steps * module.step_s + runs[0].examples_evaluated * module.example_s
    streams = len({stream_key(run.spec) for run in runs})
    key = (*static_key(runs[0]), len(runs), streams)
    return timer.seconds_per_epoch(key, [(run.spec, run.splits) for run in runs], runs[0].examples_evaluated)


def _end_s(timer: TimingRuns, run: PlannedRun) -> float:
    """Expected seconds to measure a run at its end. Of a module the forward passes count, as in `_epoch_s`.

    One network stands for all that are measured in the same way: most of the time is not the network's.
    """
    recipe, dataset, module = run.recipe, run.spec.dataset, run.spec.module
    if module is not None:
        rules, tested = len(recipe.selection.rules), len(recipe.test.read_at)
        return module.example_s * (rules * (dataset.train + dataset.validation) + tested * dataset.test)
    static = recipe.model_dump_json(exclude={"network", "augmentation", "loss", "optimizer", "schedule", "training"})
    return timer.seconds_at_end(("end", static, run.splits.train.pool.fingerprint), run.spec, run.splits)


def _parts(group: Sequence[PlannedRun], workers: int, size: int) -> list[list[PlannedRun]]:
    """`group` cut into cohorts of nearly equal size: as many for each worker, and streams whole where that allows."""
    count = min(len(group), workers * -(-len(group) // (workers * size)))
    edges = [round(i * len(group) / count) for i in range(count + 1)]
    return [_by_stream(group)[a:b] for a, b in pairwise(edges)]


def _by_stream(group: Sequence[PlannedRun]) -> list[PlannedRun]:
    return sorted(group, key=lambda run: stream_key(run.spec))
