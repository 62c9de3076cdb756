"""Whether what a study says fits the data that were found: checked once, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator

from paribus.errors import Shown, UserError, nearest
from paribus.spec.claims import ArmReference, Claim
from paribus.spec.dataset import Dataset
from paribus.spec.label_noise import MatrixNoise
from paribus.spec.losses import CrossEntropy, ForwardCorrection
from paribus.spec.metrics import METRICS, Metric
from paribus.spec.occlusion import MAX_POSITIONS
from paribus.spec.recipe import Recipe
from paribus.spec.rules import parse_rule
from paribus.spec.schedules import ReduceOnPlateau
from paribus.spec.study import Arm, Study


def refuse_misfit(arm: Arm, dataset: Dataset) -> None:
    """Raises UserError where the recipe of `arm` asks for what its data do not have."""
    for key, rule, given, remedy in _misfits(arm.recipe, dataset):
        raise UserError(rule, given=given, place=f"arm {arm.name}, key {key}", remedy=remedy)


Misfit = tuple[str, str, object, str]
"""Key, rule, what was given, and the remedy."""


def _misfits(recipe: Recipe, dataset: Dataset) -> Iterator[Misfit]:
    yield from _about_targets(recipe, dataset)
    yield from _about_splits(recipe, dataset)
    yield from _about_augmentation(recipe, dataset)
    yield from _about_occlusion(recipe, dataset)
    yield from _about_denoising(recipe, dataset)
    yield from _about_preprocessing(recipe, dataset)
    curves = recipe.curves(dataset)
    watched = [("selection.rules", rule) for rule in recipe.selection.rules]
    if recipe.training.early_stop is not None:
        watched.append(("training.early_stop.rule", recipe.training.early_stop.rule))
    for key, text in watched:
        rule = parse_rule(text)
        if rule.kind == "best" and rule.metric not in curves:
            remedy = _measured(curves, dataset)
            yield key, "must choose by a metric that this arm measures after each epoch", text, remedy
    schedule = recipe.schedule
    if isinstance(schedule, ReduceOnPlateau) and schedule.metric not in curves:
        rule = "must be a metric that this arm measures after each epoch"
        yield "schedule.metric", rule, schedule.metric, _measured(curves, dataset)


def _measured(curves: tuple[str, ...], dataset: Dataset) -> str:
    names = ", ".join(name for name in curves if name != "lr")
    each = f", and val_rmse:NAME of each of {', '.join(dataset.targets)}" if len(dataset.targets) > 1 else ""
    return f"it measures {names}{each}"


def _about_targets(recipe: Recipe, dataset: Dataset) -> Iterator[Misfit]:
    classes = len(dataset.classes)
    if recipe.task == "regression" and not dataset.targets:
        rule = "must have numbers to be predicted, as the task is regression"
        yield "data.source", rule, dataset.source, "name them in data.target, or use task = 'classification'"
        return
    if recipe.task == "classification" and not classes:
        remedy = "use network.kind = 'autoencoder' with loss.kind = 'mse', or data with labels"
        yield "data.source", "must have labels, as the task is classification", dataset.source, remedy
        return
    try:
        recipe.widths(dataset)
    except ValueError as error:
        yield "loss.kind", str(error), recipe.loss.kind, "use cross-entropy"
    weights = recipe.loss.class_weights if isinstance(recipe.loss, CrossEntropy) else None
    if weights is not None and len(weights) != classes:
        rule = f"must have one weight for each of the {classes} classes"
        yield "loss.class_weights", rule, Shown(f"{len(weights)} weights"), f"give {classes} of them"
    yield from _about_matrices(recipe, classes)


def _about_matrices(recipe: Recipe, classes: int) -> Iterator[Misfit]:
    """Matrices of probabilities by true and given class."""
    noise, loss = recipe.data.label_noise, recipe.loss
    given = {
        "data.label_noise.matrix": noise.matrix if isinstance(noise, MatrixNoise) else None,
        "loss.matrix": loss.matrix if isinstance(loss, ForwardCorrection) else None,
    }
    for key, matrix in given.items():
        if matrix is not None and len(matrix) != classes:
            rule = f"must have a row for each of the {classes} classes"
            yield key, rule, Shown(f"{len(matrix)} rows"), f"give {classes} of them, each with {classes} numbers"


def _about_splits(recipe: Recipe, dataset: Dataset) -> Iterator[Misfit]:
    batch, train, limit = recipe.training.batch_size, dataset.train, recipe.data.limit
    if batch > train:
        rule = f"must be at most the number of training examples ({train})"
        yield "training.batch_size", rule, batch, "make it smaller"
    if recipe.network.batch_norm and train % batch == (1 if batch > 1 else 0):
        rule = f"must leave no batch of 1 example, which has no variance to normalise by, of {train} training examples"
        yield "training.batch_size", rule, batch, "change it by one, or set network.batch_norm to false"
    if limit.validation is not None and not dataset.validation:
        yield "data.limit.validation", "needs a validation split", limit.validation, "take it out, or add one"
    if limit.test is not None and not dataset.test:
        yield "data.limit.test", "needs a test split", limit.test, "take it out: these data have none"
    if recipe.references and not dataset.validation and not (recipe.test.read_at and dataset.test):
        rule = "need a validation split, or test data that test.read_at reads"
        yield "references", rule, list(recipe.references), "take them out, or hold out validation examples"
    if (recipe.test.read_at or recipe.test.monitor_every) and not dataset.test:
        given = list(recipe.test.read_at) or recipe.test.monitor_every
        yield "test", "needs a test split", given, "take it out: these data have none"


def _about_augmentation(recipe: Recipe, dataset: Dataset) -> Iterator[Misfit]:
    own, shape = recipe.augmentation, dataset.shape
    if own.moves_pixels and len(shape) not in (2, 3):
        key, given = ("shift", own.shift) if own.shift else ("flip", own.flip)
        rule = f"needs images, and an example of {dataset.source} is a row of {dataset.features} features"
        yield f"augmentation.{key}", rule, given, "take it out: augmentation.noise and augmentation.zeroed serve rows"
    elif own.shift and own.shift >= min(shape[-2:]):
        rule = f"must be below the height and the width of an image, {shape[-2]} x {shape[-1]} pixels"
        yield "augmentation.shift", rule, own.shift, "make it smaller"


def _about_occlusion(recipe: Recipe, dataset: Dataset) -> Iterator[Misfit]:
    own, shape = recipe.occlusion, dataset.shape
    if not own.patch:
        return
    if len(shape) not in (2, 3):
        rule = f"needs images, and an example of {dataset.source} is a row of {dataset.features} features"
        yield "occlusion.patch", rule, own.patch, "take it out"
    elif own.patch >= min(shape[-2:]):
        rule = f"must be below the height and the width of an image, {shape[-2]} x {shape[-1]} pixels"
        yield "occlusion.patch", rule, own.patch, "make it smaller"
    elif (count := len(own.positions(shape[-2])) * len(own.positions(shape[-1]))) > MAX_POSITIONS:
        rule = f"must leave at most {MAX_POSITIONS} positions in an image, and leaves {count}"
        yield "occlusion.stride", rule, own.step, "make it larger"


def _about_denoising(recipe: Recipe, dataset: Dataset) -> Iterator[Misfit]:
    block = recipe.denoising.block
    if block and len(dataset.shape) not in (2, 3):
        rule = f"needs images, and an example of {dataset.source} is a row of {dataset.features} features"
        yield "denoising.block", rule, list(block), "take it out: denoising.zeroed serves rows"


def _about_preprocessing(recipe: Recipe, dataset: Dataset) -> Iterator[Misfit]:
    """Scaling of targets is on by default, so it is refused only where a study asks for it."""
    if "scale_target" in recipe.data.model_fields_set and not dataset.targets:
        rule = f"needs numbers to be predicted, and the task is {recipe.task}"
        yield "data.scale_target", rule, recipe.data.scale_target, "take it out"


def refuse_unmeasured_choice(study: Study, datasets: dict[str, Dataset]) -> None:
    """Raises UserError where `choose` names a metric that an arm never measures; `datasets` is by arm."""
    if study.choose is None:
        return
    keys = [("choose.metric", study.choose.metric), *(("choose.without", name) for name in study.choose.without)]
    for key, name in keys:
        for arm in study.arms:
            recipe, metric = arm.recipe, METRICS[name]
            rule = study.deploy if study.deploy in recipe.selection.rules else recipe.selection.rules[0]
            if recipe.task not in metric.tasks or not is_measured(metric, recipe, datasets[arm.name], rule):
                raise UserError(f"must be a metric that arm {arm.name} measures at rule {rule}", given=name,
                                place=f"study {study.name}, key {key}", remedy=_others_of(recipe, "name"))  # fmt: skip


def refuse_unmeasured_claims(study: Study, datasets: dict[str, Dataset]) -> None:
    """Raises UserError for a claim that could not get a verdict, because an arm never measures its metric.

    `datasets` has the facts of each arm's data by the arm's name.
    """
    for i, claim in enumerate(study.claims):
        for end in (claim.better, claim.than):
            place = f"study {study.name}, key claims[{i}]"
            _refuse_unmeasured(claim, end, study, datasets[end.arm], place)


def _refuse_unmeasured(claim: Claim, end: ArmReference, study: Study, dataset: Dataset, place: str) -> None:
    recipe, rule = study.arm(end.arm).recipe, end.rule or study.deploy
    if rule not in recipe.selection.rules:
        raise UserError(
            f"must be a selection rule of arm {end.arm}",
            given=rule,
            place=place,
            remedy="add it to selection.rules, or name another",
        )
    metric = METRICS[claim.metric]
    if recipe.task not in metric.tasks:
        raise UserError(
            f"must be a metric of {recipe.task}, the task of arm {end.arm}",
            given=claim.metric,
            place=place,
            remedy=_others_of(recipe),
        )
    if metric.target and (len(dataset.targets) < 2 or metric.target not in dataset.targets):
        rule = "must be of one of several numbers to be predicted"
        remedy = nearest(metric.target, dataset.targets) if len(dataset.targets) > 1 else "leave out what follows the :"
        raise UserError(rule, given=claim.metric, place=place, remedy=remedy)
    if not is_measured(metric, recipe, dataset, rule):
        raise UserError(
            f"must be measured in arm {end.arm} at rule {rule}",
            given=claim.metric,
            place=place,
            remedy="add the rule to test.read_at" if metric.split == "test" else "claim something that is measured",
        )


def is_measured(metric: Metric, recipe: Recipe, dataset: Dataset, rule: str) -> bool:
    """Whether a run of `recipe` has `metric`, which is one of its task, at the epoch that `rule` chooses."""
    if metric.split == "test" and rule in recipe.test.read_at:
        return True
    if metric.per_epoch and not metric.target:
        return metric.name in recipe.curves(dataset)
    return metric.split != "test" and (metric.split != "val" or dataset.validation > 0)


def _others_of(recipe: Recipe, verb: str = "claim") -> str:
    known = [m.name for m in METRICS.values() if recipe.task in m.tasks and m.direction and m.priority]
    return f"{verb} {' or '.join(known)}"
