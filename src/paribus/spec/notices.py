"""What a valid study says that is surely not meant: each in one sentence, for people to read before anything trains."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from paribus.spec.identity import trained
from paribus.spec.network import FullyConnected, Module
from paribus.spec.recipe import Recipe
from paribus.spec.schedules import (
    Cosine,
    CosineRestarts,
    Exponential,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    Settle,
    Step,
)
from paribus.spec.study import Replicates, Study

_NAMED_ARMS = 4
"""A sentence names at most this many arms, and counts the others."""


def notices(study: Study) -> tuple[str, ...]:
    """One plain sentence for each thing of a study that surely is not meant, none where all is well.

    A sentence that is true of several arms is there once, and names them.
    """
    arms_of: dict[str, list[str]] = defaultdict(list)
    for arm in study.arms:
        for sentence in _about_recipe(arm.recipe):
            arms_of[sentence].append(arm.name)
        if study.replicates.count > 1 and not _varies(arm.recipe, study.replicates):
            why = f"replicates.vary lists split only, and data.split = '{arm.recipe.data.split.by}' is not random"
            arms_of[f"all {study.replicates.count} replicates are the same run: {why}"].append(arm.name)
    found = [f"{_subject(names, study)}: {sentence}" for sentence, names in arms_of.items()]
    return (*found, *_same_runs(study), *_other_test_examples(study), *_no_verdicts(study))


def _about_recipe(recipe: Recipe) -> Iterator[str]:
    yield from _rate_that_never_changes(recipe)
    yield from _schedules_without_effect(recipe)
    if isinstance(recipe.network, FullyConnected):
        yield from _networks_without_effect(recipe.network)
    yield from _intervals_beyond_the_end(recipe)
    epochs, stop, teaching = recipe.training.epochs, recipe.training.early_stop, recipe.training.co_teaching
    if teaching is not None and teaching.epochs > epochs:
        grows = f"training.co_teaching.epochs is {_epochs(teaching.epochs)}"
        yield f"co-teaching never leaves out the share that it names: {grows}, and {_end(epochs)}"
    if stop is not None and stop.patience + 1 >= epochs:
        yield f"early stopping never acts: its patience is {_epochs(stop.patience)}, and {_end(epochs)}"


def _rate_that_never_changes(recipe: Recipe) -> Iterator[str]:
    """Schedules whose first change would come after the last epoch, or would change nothing.

    A change after n finished epochs is the rate of epoch n + 1, so it needs n < epochs.
    """
    schedule, lr, epochs = recipe.schedule, recipe.optimizer.lr, recipe.training.epochs
    never = "the learning rate never changes"
    match schedule:
        case Step() | MultiStep() | Exponential() | Settle() if schedule.gamma == 1:
            yield f"{never}: schedule.gamma is 1"
        case Step() if schedule.step_size >= epochs:
            yield f"{never}: schedule.step_size is {_epochs(schedule.step_size)}, and {_end(epochs)}"
        case MultiStep():
            late = [str(milestone) for milestone in schedule.milestones if milestone >= epochs]
            if late:
                verb = "drops" if schedule.gamma < 1 else "rises"
                at = f"epoch{'s' if len(late) > 1 else ''} {_listed(late)}"
                yield f"the learning rate never {verb} at {at}: {_end(epochs)}"
        case Settle() if 2 * schedule.window >= epochs:
            yield f"{never}: settle compares two windows of {_epochs(schedule.window)}, and {_end(epochs)}"
        case ReduceOnPlateau() if schedule.min_lr == lr:
            yield f"{never}: schedule.min_lr is optimizer.lr"
        case ReduceOnPlateau() if schedule.patience + 2 >= epochs:  # the first epoch is the best so far
            yield f"{never}: schedule.patience is {_epochs(schedule.patience)}, and {_end(epochs)}"
        case Cosine() | CosineRestarts() if schedule.min_lr == lr:
            after = " after the warm-up" if isinstance(schedule, Cosine) and schedule.warmup_epochs else ""
            yield f"{never}{after}: schedule.min_lr is optimizer.lr"
        case Cosine() if epochs - schedule.warmup_epochs == 1:
            yield "the learning rate never falls: its cosine is one epoch long"
        case CosineRestarts() if schedule.first_cycle >= epochs:
            cycle = f"schedule.first_cycle is {_epochs(schedule.first_cycle)}"
            yield f"the cosine never restarts: {cycle}, and {_end(epochs)}"
        case _:
            return


def _schedules_without_effect(recipe: Recipe) -> Iterator[str]:
    schedule = recipe.schedule
    if isinstance(schedule, Cosine):
        if not schedule.warmup_epochs and schedule.warmup_start != _default(schedule, "warmup_start"):
            yield "schedule.warmup_start has no effect: schedule.warmup_epochs is 0"
        if schedule.warmup_epochs and schedule.warmup_start == 1:
            yield "the warm-up has no effect: schedule.warmup_start is 1"
    if isinstance(schedule, OneCycle):
        changed = [
            f"schedule.{name}"
            for name in ("base_momentum", "max_momentum")
            if getattr(schedule, name) != _default(schedule, name)
        ]
        if changed and not schedule.cycle_momentum:
            verb = "has" if len(changed) == 1 else "have"
            yield f"{_listed(changed)} {verb} no effect: schedule.cycle_momentum is false"
        if schedule.cycle_momentum and schedule.base_momentum > schedule.max_momentum:
            yield "momentum rises while the learning rate rises: schedule.base_momentum is above schedule.max_momentum"
    if isinstance(schedule, ReduceOnPlateau) and schedule.factor == 0 and schedule.min_lr == 0:
        yield "the weights no longer change after the first plateau: schedule.factor and schedule.min_lr are 0"


def _networks_without_effect(network: FullyConnected) -> Iterator[str]:
    if network.hidden:
        return
    for name in ("activation", "dropout"):
        if getattr(network, name) != _default(network, name):
            yield f"network.{name} has no effect: the network has no hidden layers"


def _intervals_beyond_the_end(recipe: Recipe) -> Iterator[str]:
    epochs, snapshots, test = recipe.training.epochs, recipe.snapshots, recipe.test
    for name, every in (("every", snapshots.every), ("first_layer_every", snapshots.first_layer_every)):
        if every > epochs:
            yield f"snapshots.{name} keeps the initial weights only: it is {_epochs(every)}, and {_end(epochs)}"
    if test.monitor_every > epochs:
        every = f"test.monitor_every is {_epochs(test.monitor_every)}"
        yield f"the test set is never monitored: {every}, and {_end(epochs)}"
    if test.monitor_examples is not None and not test.monitor_every:
        yield "test.monitor_examples has no effect: test.monitor_every is 0"


def _varies(recipe: Recipe, replicates: Replicates) -> bool:
    """Whether replicates of a recipe differ in anything random. A split that the source declares may be random."""
    if "init" in replicates.vary or "order" in replicates.vary:
        return True
    data = recipe.data
    noisy = data.label_noise is not None
    return data.split.is_drawn_anew or noisy or data.limit.train is not None or data.limit.validation is not None


def _same_runs(study: Study) -> Iterator[str]:
    same: dict[str, list[str]] = defaultdict(list)
    for arm in study.arms:
        network = arm.recipe.network
        file = network.file if isinstance(network, Module) else ""
        content = [arm.seed, arm.recipe.data.source, file, arm.recipe.task, trained(arm.recipe)]
        same[json.dumps(content, sort_keys=True)].append(arm.name)
    for names in same.values():
        if len(names) > 1:
            yield (
                f"arms {_listed(names)} are the same runs: their recipes and seeds are equal; "
                f"give {'one' if len(names) == 2 else 'each'} its own seed for an A/A study"
            )


def _other_test_examples(study: Study) -> Iterator[str]:
    """Arms on the same data whose seeds draw test examples of their own, of another difficulty in every replicate."""
    drawn = [arm for arm in study.arms if _draws_test_examples(arm.recipe)]
    seeds: dict[str, set[int]] = defaultdict(set)
    for arm in drawn:
        seeds[arm.recipe.data.model_dump_json()].add(arm.seed)
    names = [arm.name for arm in drawn if len(seeds[arm.recipe.data.model_dump_json()]) > 1]
    if names:
        yield (
            f"arms {_listed(names)} are not tested on the same examples: each seed draws its own, and how much these "
            "differ in difficulty is in no interval; to compare the arms, use a test split that is given"
        )


def _draws_test_examples(recipe: Recipe) -> bool:
    """Whether the test examples depend on the seed."""
    data = recipe.data
    drawn = data.split.by == "folds" or (data.split.by in ("random", "stratified", "group") and data.split.test > 0)
    return bool(recipe.test.read_at) and (drawn or data.limit.test is not None)


def _no_verdicts(study: Study) -> Iterator[str]:
    if study.claims and study.replicates.count == 1:
        what = "the claim gets" if len(study.claims) == 1 else "claims get"
        yield f"{what} no verdict: replicates.count is 1, and a verdict needs at least 2 replicates"


def _subject(names: Sequence[str], study: Study) -> str:
    if len(names) == len(study.arms) > 1:
        return "every arm"
    return f"arm{'s' if len(names) > 1 else ''} {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`, and of many the first few: `a, b, c, d and 6 more`; quoted if one has a comma."""
    shown = [f"'{name}'" if "," in name else name for name in names[:_NAMED_ARMS]]
    shown += [f"{len(names) - _NAMED_ARMS} more"] if len(names) > _NAMED_ARMS else []
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _default(table: FullyConnected | Cosine | OneCycle, name: str) -> object:
    return type(table).model_fields[name].default


def _end(epochs: int) -> str:
    return f"training ends at epoch {epochs}"


def _epochs(count: int) -> str:
    return f"{count} epoch{'' if count == 1 else 's'}"
