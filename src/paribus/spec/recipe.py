"""One arm's full configuration: data, network, loss, optimizer, schedule, and what to keep."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from annotated_types import Len
from pydantic import Field, Strict, model_validator

from paribus.spec.fields import (
    ClosedFraction,
    Count,
    CountOrZero,
    FilePath,
    Flag,
    Fraction,
    Frozen,
    NotNegative,
    Positive,
    Width,
)
from paribus.spec.metrics import METRICS
from paribus.spec.rules import RuleName, parse_rule

Protocol = Literal[
    "fashion-mnist/scarce",
    "fashion-mnist/noisy-labels",
    "fashion-mnist/standard",
    "faces/all",
    "file/faces",
    "file/train-val-test",
    "file/train-test",
]
_PIXELS = {
    "fashion-mnist/scarce": 784,
    "fashion-mnist/noisy-labels": 784,
    "fashion-mnist/standard": 784,
    "faces/all": 4096,
    "file/faces": 4096,
}
_CLASSES = 10
VALIDATION_IMAGES = {"fashion-mnist/scarce": 2_000, "fashion-mnist/standard": 10_000}
"""Images that a protocol itself holds out of its training file."""
_WITH_VALIDATION = (*VALIDATION_IMAGES, "file/train-val-test")
_WITHOUT_LABELS = ("faces/all", "file/faces")  # nor a test split


class Data(Frozen):
    """Where images come from and how they are split.

    `train_images`, `validation_images` and `test_images` cap the splits (the first of each, after the split is drawn).
    `label_noise` is the share of training labels replaced by a uniformly drawn class.
    `center` subtracts the mean of the training images from every input (and so from an autoencoder's target).
    `validation_fraction` holds out a share of the training images, labels as they are, where the protocol has no
    validation split of its own.
    """

    protocol: Protocol
    file: FilePath | None = None
    label_noise: Fraction = 0.0
    validation_fraction: Fraction = 0.0
    center: Flag = False
    train_images: Count | None = None
    validation_images: Count | None = None
    test_images: Count | None = None

    @property
    def from_file(self) -> bool:
        return self.protocol.startswith("file/")

    @model_validator(mode="after")
    def _file_given_where_needed(self) -> Self:
        if self.from_file != (self.file is not None):
            need = "needs" if self.from_file else "takes no"
            raise ValueError(f"protocol {self.protocol} {need} `file`")
        return self


class Network(Frozen):
    """Layers of a multi-layer perceptron, widths from input to output; ReLU between, none after the last."""

    kind: Literal["mlp", "autoencoder"] = "mlp"
    layers: Annotated[tuple[Width, ...], Len(3, 20)]
    dropout: Fraction = 0.0

    @model_validator(mode="after")
    def _autoencoder_returns_to_its_input(self) -> Self:
        if self.kind == "autoencoder" and (self.layers[0] != self.layers[-1] or len(self.layers) < 3):
            raise ValueError("an autoencoder's last layer must be as wide as its first, with at least one between")
        return self


class Loss(Frozen):
    """What training minimises."""

    kind: Literal["cross-entropy", "mse"] = "cross-entropy"
    label_smoothing: Fraction = 0.0

    @model_validator(mode="after")
    def _smoothing_needs_labels(self) -> Self:
        if self.label_smoothing and self.kind != "cross-entropy":
            raise ValueError("label_smoothing goes with cross-entropy only")
        return self


class Sgd(Frozen):
    """`torch.optim.SGD`."""

    kind: Literal["sgd"]
    lr: Positive
    momentum: Fraction = 0.0
    nesterov: Flag = False
    weight_decay: NotNegative = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class _AdamFields(Frozen):
    lr: Positive
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    eps: Positive = 1e-8


class Adam(_AdamFields):
    """`torch.optim.Adam`: weight decay is added to the gradient."""

    kind: Literal["adam"]
    weight_decay: NotNegative = 0.0


class AdamW(_AdamFields):
    """`torch.optim.AdamW`: weight decay shrinks the weights directly."""

    kind: Literal["adamw"]
    weight_decay: NotNegative = 0.01


Optimizer = Annotated[Sgd | Adam | AdamW, Field(discriminator="kind")]


class Constant(Frozen):
    """The optimizer's lr throughout."""

    kind: Literal["constant"] = "constant"


class Step(Frozen):
    """`StepLR`: times `gamma` every `step_size` epochs."""

    kind: Literal["step"]
    step_size: Count
    gamma: Positive = 0.1


class MultiStep(Frozen):
    """`MultiStepLR`: times `gamma` after each of the `milestones`, counted in finished epochs."""

    kind: Literal["multi-step"]
    milestones: Annotated[tuple[Count, ...], Len(1, 100)]
    gamma: Positive = 0.1

    @model_validator(mode="after")
    def _milestones_ascend(self) -> Self:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones must ascend")
        return self


class Exponential(Frozen):
    """`ExponentialLR`: times `gamma` every epoch."""

    kind: Literal["exponential"]
    gamma: Positive


class Cosine(Frozen):
    """`CosineAnnealingLR` down to `min_lr` at the end, after `warmup_epochs` of `LinearLR` from `warmup_start`."""

    kind: Literal["cosine"]
    min_lr: NotNegative = 0.0
    warmup_epochs: CountOrZero = 0
    warmup_start: Positive = 0.1


class ReduceOnPlateau(Frozen):
    """`ReduceLROnPlateau` (threshold mode `rel`), watched run by run."""

    kind: Literal["reduce-on-plateau"]
    metric: Literal["train_loss", "val_loss", "val_accuracy"] = "val_loss"
    factor: Fraction = 0.1
    patience: CountOrZero = 10
    threshold: NotNegative = 1e-4
    cooldown: CountOrZero = 0
    min_lr: NotNegative = 0.0


class Settle(Frozen):
    """Times `gamma`, once, when the training loss has stopped changing noticeably (`spec.rules.has_settled`)."""

    kind: Literal["settle"]
    window: Annotated[int, Strict(), Field(ge=1, le=10_000)] = 10
    threshold: Positive = 0.01
    gamma: Positive = 0.1


Schedule = Annotated[
    Constant | Step | MultiStep | Exponential | Cosine | ReduceOnPlateau | Settle, Field(discriminator="kind")
]


class EarlyStop(Frozen):
    """Stop a run when `rule` has chosen no later epoch for `patience` epochs."""

    rule: RuleName
    patience: Count


class Training(Frozen):
    """How long and in what bites."""

    epochs: Count
    batch_size: Annotated[int, Strict(), Field(ge=1, le=65_536)]
    early_stop: EarlyStop | None = None
    measure_train_loss_end: Flag = False


class Selection(Frozen):
    """The selection rules whose exact epochs are kept."""

    rules: Annotated[tuple[RuleName, ...], Len(1, 50)] = ("last",)


class Snapshots(Frozen):
    """Interval snapshots, epoch 0 (the random start) included: whole networks, or the first layer only. 0: none."""

    every: CountOrZero = 0
    first_layer_every: CountOrZero = 0


class Test(Frozen):
    """What may be read from the locked drawer.

    `read_at` names the selection rules whose snapshots are measured on the test split. `monitor_every` measures it
    during training too (0: never), on the first `monitor_images` images of the split or on all of them; a study that
    does so says so in its report.
    """

    read_at: tuple[RuleName, ...] = ()
    monitor_every: CountOrZero = 0
    monitor_images: Count | None = None


class Denoising(Frozen):
    """Corruptions that the selected networks are shown after training; inputs stay within [0, 1].

    `uniform` lists half-widths of additive uniform noise, `zeroed` shares of pixels set to zero.
    """

    uniform: tuple[Positive, ...] = ()
    zeroed: tuple[ClosedFraction, ...] = ()


class Recipe(Frozen):
    """One arm's full configuration. Everything here is part of a run's identity."""

    data: Data
    network: Network
    loss: Loss = Loss()
    optimizer: Optimizer
    schedule: Schedule = Constant()
    training: Training
    selection: Selection = Selection()
    snapshots: Snapshots = Snapshots()
    test: Test = Test()
    denoising: Denoising = Denoising()

    @property
    def has_labels(self) -> bool:
        return self.network.kind == "mlp"

    @property
    def has_validation(self) -> bool:
        return self.data.protocol in _WITH_VALIDATION or self.data.validation_fraction > 0

    @property
    def has_test(self) -> bool:
        return self.data.protocol not in _WITHOUT_LABELS

    @property
    def curves(self) -> tuple[str, ...]:
        """The metrics that a run of this recipe has one value of an epoch."""
        names = ["train_loss"]
        if self.training.measure_train_loss_end:
            names.append("train_loss_end")
        for split, present in (("val", self.has_validation), ("test", self.test.monitor_every > 0)):
            if present:
                names.append(f"{split}_loss")
                if self.has_labels:
                    names.append(f"{split}_accuracy")
        return (*names, "lr")

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        for problem in itertools.chain(_about_data(self), _about_rules(self), _about_schedule(self)):
            raise ValueError(problem)
        return self


def _about_data(recipe: Recipe) -> Iterator[str]:
    data, layers, name = recipe.data, recipe.network.layers, recipe.data.protocol
    if recipe.network.kind == "autoencoder" and recipe.loss.kind != "mse":
        yield "an autoencoder needs loss.kind = 'mse'"
    if recipe.has_labels and name in _WITHOUT_LABELS:
        yield f"protocol {name} has no labels: network.kind must be 'autoencoder'"
    if recipe.has_labels and recipe.loss.kind != "cross-entropy":
        yield "an mlp needs loss.kind = 'cross-entropy'"
    if name in _WITHOUT_LABELS and data.label_noise:
        yield f"protocol {name} has no labels for data.label_noise to change"
    if name in _PIXELS and layers[0] != _PIXELS[name]:
        yield f"protocol {name} has images of {_PIXELS[name]} pixels, but network.layers begins with {layers[0]}"
    if name in _PIXELS and recipe.has_labels and layers[-1] != _CLASSES:
        yield f"protocol {name} has {_CLASSES} classes, but network.layers ends with {layers[-1]}"
    if name in _WITH_VALIDATION and data.validation_fraction:
        yield f"protocol {name} has its own validation split: data.validation_fraction must be 0"
    if data.validation_images is not None and not recipe.has_validation:
        yield "data.validation_images is given, but this arm has no validation split"
    if data.test_images is not None and not recipe.has_test:
        yield f"data.test_images is given, but protocol {name} has no test split"


def _about_rules(recipe: Recipe) -> Iterator[str]:
    training, test = recipe.training, recipe.test
    if (test.read_at or test.monitor_every) and not recipe.has_test:
        yield f"protocol {recipe.data.protocol} has no test split to read"
    for rule in test.read_at:
        if rule not in recipe.selection.rules:
            yield f"test.read_at names {rule}, which selection.rules does not"
    watched = [("selection.rules", text) for text in recipe.selection.rules]
    if training.early_stop is not None:
        watched.append(("training.early_stop.rule", training.early_stop.rule))
    for key, text in watched:
        rule = parse_rule(text)
        if rule.kind == "best" and rule.metric not in recipe.curves:
            yield f"{key} has {text}, but {METRICS[rule.metric].label} is not measured in this arm"
        if rule.kind == "epoch" and rule.epoch > training.epochs:
            yield f"{key} has {text}, but training ends at epoch {training.epochs}"
    if training.early_stop is not None:
        stop = parse_rule(training.early_stop.rule)
        if stop.kind != "best" or METRICS[stop.metric].split == "test":
            yield "training.early_stop.rule must be a min- or max- rule, and never of test data"


def _about_schedule(recipe: Recipe) -> Iterator[str]:
    schedule = recipe.schedule
    if isinstance(schedule, ReduceOnPlateau) and schedule.metric not in recipe.curves:
        yield f"schedule.metric is {schedule.metric}, which is not measured in this arm"
    if isinstance(schedule, Cosine) and schedule.warmup_epochs >= recipe.training.epochs:
        yield "schedule.warmup_epochs must be below training.epochs"
