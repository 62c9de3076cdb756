"""One arm's full configuration: data, network, loss, optimizer, schedule, and what to keep and measure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from annotated_types import Len
from pydantic import AfterValidator, Field, Strict, model_validator

from paribus.spec.augmentation import Augmentation
from paribus.spec.data import Data
from paribus.spec.dataset import Dataset
from paribus.spec.fields import ClosedFraction, Count, CountOrZero, Flag, Frozen, OpenFraction, Positive
from paribus.spec.label_noise import InstanceNoise
from paribus.spec.losses import CrossEntropy, ForwardCorrection, FunctionLoss, Loss, LossBase, Task
from paribus.spec.metrics import BY_TRUE_LABELS, METRICS
from paribus.spec.network import Autoencoder, Module, Network
from paribus.spec.occlusion import Occlusion
from paribus.spec.optimizers import Optimizer
from paribus.spec.references import Reference
from paribus.spec.rules import RuleName, parse_rule
from paribus.spec.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
)


class EarlyStop(Frozen):
    """Stop a run when `rule` has chosen no later epoch for `patience` epochs."""

    rule: RuleName
    patience: Count


class Clip(Frozen):
    """Gradient clipping: the norm of all gradients together is at most `norm`, or each element at most `value`."""

    norm: Positive | None = None
    value: Positive | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.norm is None and self.value is None:
            raise ValueError("clip needs norm or value")
        if self.norm is not None and self.value is not None:
            raise ValueError("clip takes norm or value, and not both")
        return self


class CoTeaching(Frozen):
    """Each run is two networks with other initial weights, which choose examples for each other; the first one counts.

    In epoch T each trains on the examples of a batch with the smallest losses in the other's network, all but the share
    `forget` times min(T / `epochs`, 1). Han et al.: "Co-teaching: robust training of deep neural networks with
    extremely noisy labels" (2018), algorithm 1, where `forget` is the share of wrong labels.
    """

    forget: OpenFraction
    epochs: Count = 10

    def kept(self, epoch: int) -> float:
        """The share of a batch that is trained on in an epoch, counted from 1."""
        return 1 - self.forget * min(epoch / self.epochs, 1.0)


class Training(Frozen):
    """How long to train, and with how many examples at each step."""

    epochs: Count
    batch_size: Annotated[int, Strict(), Field(ge=1, le=65_536)]
    early_stop: EarlyStop | None = None
    clip: Clip | None = None
    co_teaching: CoTeaching | None = None


def _all_different(rules: tuple[str, ...]) -> tuple[str, ...]:
    for rule in rules:
        if rules.count(rule) > 1:
            raise ValueError(f"must name each rule once, and names {rule} {rules.count(rule)} times")
    return rules


def _each_once(names: tuple[Reference, ...]) -> tuple[Reference, ...]:
    if len(set(names)) < len(names):
        raise ValueError("must name each reference once")
    return names


RuleNames = Annotated[tuple[RuleName, ...], AfterValidator(_all_different)]


class Selection(Frozen):
    """The selection rules whose exact epochs are kept."""

    rules: Annotated[RuleNames, Len(1, 50)] = ("last",)


class Snapshots(Frozen):
    """What is kept of a run besides the selected weights.

    `every` and `first_layer_every` keep weights at intervals, epoch 0 (the initial weights) included: whole networks,
    or the first layer only; 0 keeps none. `outputs` keeps the network's outputs for each example of every split that
    is read, at each selected snapshot. `margins` keeps each training example's margin, its class's output less the
    largest other one, as the mean over all epochs of what training saw (the area under the margin of Pleiss et al.
    2020).
    """

    every: CountOrZero = 0
    first_layer_every: CountOrZero = 0
    outputs: Flag = True
    margins: Flag = False


class Test(Frozen):
    """What may be read from the locked test set.

    `read_at` names the selection rules whose snapshots are evaluated on the test split. `monitor_every` evaluates it
    during training too (0: never), on `monitor_examples` examples of the split or on all of them; a study that does so
    says so in its report.
    """

    read_at: RuleNames = ()
    monitor_every: CountOrZero = 0
    monitor_examples: Count | None = None


class Denoising(Frozen):
    """Corruptions that are shown to the selected networks after training; inputs stay within [0, 1].

    Each lists severities: `uniform` half-widths of additive uniform noise, `gaussian` standard deviations of additive
    normal noise, `zeroed` shares of features set to zero, `block` shares of an image's pixels under a black block.
    """

    uniform: tuple[Positive, ...] = ()
    gaussian: tuple[Positive, ...] = ()
    zeroed: tuple[ClosedFraction, ...] = ()
    block: tuple[ClosedFraction, ...] = ()


EpochMetric = Literal["train_loss_end", "train_accuracy_clean", "train_accuracy_wrong", "train_accuracy_true"]
"""Metrics that are measured after each epoch only where a study asks for them."""


References = Annotated[tuple[Reference, ...], AfterValidator(_each_once)]


class Recipe(Frozen):
    """One arm's full configuration.

    What changes training is part of a run's identity. `snapshots`, `test`, `denoising`, `occlusion`, `metrics` and
    `references` are not: they say what is kept and measured. `references` are simple models that are fitted on the same
    splits.
    """

    data: Data
    augmentation: Augmentation = Augmentation()
    network: Network
    loss: Loss = CrossEntropy()
    optimizer: Optimizer
    schedule: Schedule = Constant()
    training: Training
    selection: Selection = Selection()
    snapshots: Snapshots = Snapshots()
    test: Test = Test()
    denoising: Denoising = Denoising()
    occlusion: Occlusion = Occlusion()
    metrics: tuple[EpochMetric, ...] = ()
    references: References = ()

    @property
    def task(self) -> Task:
        """What the network is for."""
        default: Task = "reconstruction" if isinstance(self.network, Autoencoder) else "classification"
        return self.data.task or default

    @property
    def has_classes(self) -> bool:
        """Whether targets are classes, and outputs can be right or wrong."""
        return self.task == "classification"

    def widths(self, dataset: Dataset) -> tuple[int, ...]:
        """Units of each layer of the network on these data, the input first; none of a module.

        Raises ValueError where the loss does not fit the number of classes.
        """
        return self.network.widths(dataset.features, self.loss.outputs_for(dataset.outputs))

    def loss_on(self, dataset: Dataset) -> LossBase:
        """The loss that is minimised on these data: a forward correction has the matrix of their label noise, unless it
        has one of its own."""
        loss, noise = self.loss, self.data.label_noise
        if not isinstance(loss, ForwardCorrection) or loss.matrix is not None or noise is None:
            return loss
        return loss.model_copy(update={"matrix": noise.transitions(len(dataset.classes))})

    def curves(self, dataset: Dataset) -> tuple[str, ...]:
        """The metrics that a run of this recipe has one value of for each epoch.

        Of several numbers to be predicted, those have curves of their own by which a rule chooses.
        """
        names = ["train_loss", "train_loss_examples", *self.metrics]
        for split, present in (("val", dataset.validation > 0), ("test", self.test.monitor_every > 0)):
            if present:
                names.append(f"{split}_loss")
                if self.task != "reconstruction":
                    names.append(f"{split}_accuracy" if self.has_classes else f"{split}_rmse")
                names += [metric for metric in self._chosen_by() if metric in _by_target(split, dataset)]
        return (*names, "lr")

    def _chosen_by(self) -> tuple[str, ...]:
        """The metrics by which rules choose epochs, each once."""
        stop = self.training.early_stop
        rules = [*self.selection.rules, *([] if stop is None else [stop.rule])]
        return tuple(dict.fromkeys(parse_rule(rule).metric for rule in rules))

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for problem in itertools.chain(
            _about_task(self), _about_labels(self), _about_module(self), _about_rules(self), _about_schedule(self)
        ):
            raise ValueError(problem)
        return self


def _by_target(split: str, dataset: Dataset) -> list[str]:
    """The RMSE of each of several numbers to be predicted."""
    return [f"{split}_rmse:{target}" for target in dataset.targets] if len(dataset.targets) > 1 else []


def _about_task(recipe: Recipe) -> Iterator[str]:
    task, loss = recipe.task, recipe.loss
    fits = isinstance(recipe.network, Module) or (task == "reconstruction") == isinstance(recipe.network, Autoencoder)
    if not fits:
        yield "data.task = 'reconstruction' goes with network.kind = 'autoencoder' or 'module', and with no other"
    if task not in loss.tasks:
        yield f"loss.kind = '{loss.kind}' does not serve {task}: choose a loss for it, such as {_loss_for(task)}"
    if task != "classification" and recipe.data.planted is not None:
        yield f"data.planted changes classes, and {task} has none"
    if task != "classification" and recipe.data.label_noise is not None:
        yield f"data.label_noise changes classes, and {task} has none"
    if task != "classification" and recipe.snapshots.margins:
        yield f"snapshots.margins are of classes, and {task} has none"
    if task == "reconstruction" and recipe.references:
        yield "references are models of classes or numbers, and reconstruction has neither"
    if task == "reconstruction" and recipe.occlusion.patch:
        yield "occlusion follows the prediction of a class or of a number, and reconstruction has neither"


def _about_labels(recipe: Recipe) -> Iterator[str]:
    """What is known of wrong labels, and what is done against them."""
    loss = recipe.loss
    if recipe.augmentation.mixup and not _is_plain_cross_entropy(loss):
        yield "augmentation.mixup mixes labels: it goes with loss.kind = 'cross-entropy' without class_weights only"
    if recipe.training.co_teaching is not None:
        if not _is_plain_cross_entropy(loss):
            yield "training.co_teaching goes with loss.kind = 'cross-entropy' without class_weights, and with no other"
        if recipe.augmentation.mixup:
            yield "training.co_teaching chooses whole examples: it does not go with augmentation.mixup"
        if isinstance(recipe.network, Module) or recipe.network.batch_norm:
            yield "training.co_teaching goes with network.kind = 'mlp' without batch_norm, and with no other"
    by_label = [metric for metric in recipe.metrics if metric in BY_TRUE_LABELS]
    if by_label and recipe.data.label_noise is None:
        yield f"metrics has {by_label[0]}, and without data.label_noise no label is wrong"
    if isinstance(loss, ForwardCorrection) and loss.matrix is None:
        noise = recipe.data.label_noise
        if noise is None or isinstance(noise, InstanceNoise):
            why = "there is none" if noise is None else "instance noise has none"
            yield f"loss.matrix is needed: without it, it is the matrix of data.label_noise, and {why}"


def _is_plain_cross_entropy(loss: LossBase) -> bool:
    return isinstance(loss, CrossEntropy) and loss.class_weights is None


def _about_module(recipe: Recipe) -> Iterator[str]:
    """What needs a module's file, or to know a network's layers."""
    loss, network = recipe.loss, recipe.network
    if isinstance(loss, FunctionLoss) and not isinstance(network, Module):
        yield "loss.kind = 'function' goes with network.kind = 'module', and with no other"
    if not isinstance(network, Module):
        return
    if isinstance(loss, FunctionLoss) and loss.file != network.file:
        here = f"{network.file}:{loss.name}"
        yield f"loss.function must be in the file of network.module: write {here}, and import it there"
    if recipe.snapshots.first_layer_every:
        yield "snapshots.first_layer_every needs a network whose first layer is known: use snapshots.every for a module"
    if recipe.denoising != Denoising():
        yield "denoising goes with network.kind = 'autoencoder', and with no module"


def _loss_for(task: Task) -> str:
    return "'cross-entropy'" if task == "classification" else "'mse'"


def _about_rules(recipe: Recipe) -> Iterator[str]:
    training, test = recipe.training, recipe.test
    for rule in test.read_at:
        if rule not in recipe.selection.rules:
            yield f"test.read_at names {rule}, which selection.rules does not"
    for text in recipe.selection.rules:
        rule = parse_rule(text)
        if rule.kind == "epoch" and rule.epoch > training.epochs:
            yield f"selection.rules has {text}, but training ends at epoch {training.epochs}"
    if training.early_stop is not None:
        stop = parse_rule(training.early_stop.rule)
        if stop.kind != "best" or METRICS[stop.metric].split == "test":
            yield "training.early_stop.rule must be a min- or max- rule, and not of test data"


def _about_schedule(recipe: Recipe) -> Iterator[str]:
    schedule, lr, epochs = recipe.schedule, recipe.optimizer.lr, recipe.training.epochs
    if isinstance(schedule, Cosine) and schedule.warmup_epochs >= epochs:
        yield f"schedule.warmup_epochs is {schedule.warmup_epochs}, and must be below training.epochs, {epochs}"
    if isinstance(schedule, Cosine | CosineRestarts | ReduceOnPlateau) and schedule.min_lr > lr:
        yield f"schedule.min_lr is {schedule.min_lr}, above optimizer.lr, {lr}: the rate would rise, or never fall"
    if isinstance(schedule, OneCycle) and schedule.cycle_momentum and not recipe.optimizer.has_momentum:
        yield "schedule.cycle_momentum needs an optimizer with momentum: set it to false, or optimizer.momentum above 0"
