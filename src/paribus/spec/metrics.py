"""The metrics that paribus knows, and all that is known of each: the one place that analysis, report and CLI read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

from paribus.spec.losses import Task

Form = Literal["share", "count", "loss", "error", "ratio", "rate", "quantity"]
"""How numbers of a kind are written.

share: a fraction, read in per cent; differences are percentage points. count: a whole number. loss: four decimals.
error: five decimals, for mean squares of values in [0, 1]. ratio: three decimals. rate: as few digits as it has.
quantity: in a unit of the user's, so of any size: as many digits as the spread allows, else four.
"""

Scope = Literal["epoch", "snapshot", "run"]
"""What one value belongs to: an epoch (the values of a run are a curve), a selected snapshot, or the run."""

Kind = Literal["continuous", "binary", "exact"]
"""How a metric's values vary from replicate to replicate.

continuous: by chance, over a range. binary: 0 or 1 in each. exact: not at all, because the recipe decides them.
"""

CALIBRATION_BINS: Final = 15
"""Of equal width over [0, 1], as in Guo et al., "On calibration of modern neural networks" (2017)."""

EVERY_TASK: Final[tuple[Task, ...]] = ("classification", "regression", "reconstruction")
CLASSES: Final[tuple[Task, ...]] = ("classification",)
NUMBERS: Final[tuple[Task, ...]] = ("regression",)
RECONSTRUCTION: Final[tuple[Task, ...]] = ("reconstruction",)


@dataclass(frozen=True)
class Metric:
    """A measured quantity.

    `label` is its name in a sentence, `short` its title above a column, `unit` what stands behind a number of it.
    `direction` is +1 where more is better, -1 where less is better and 0 where neither is. A metric with a value an
    epoch and direction 0 is a setting (the learning rate), no result.

    `kind` says how its values vary, and so which interval they have.

    `tasks` are those that measure it. `column` says whether the report's table of selected epochs shows it (the CSV
    file has every metric), `chart` whether the report draws its curve. Arms are compared in the metric of the highest
    `priority` that was measured; 0 never. With `by_target`, each of several numbers to be predicted has its own, too.
    Those `by_true_labels` compare wrong labels with the true ones, which training does not know.
    """

    name: str
    label: str
    short: str
    form: Form
    scope: Scope = "snapshot"
    split: Literal["train", "val", "test", "none"] = "train"
    direction: Literal[-1, 0, 1] = 0
    tasks: tuple[Task, ...] = EVERY_TASK
    kind: Kind = "continuous"
    unit: str = ""
    column: bool = False
    chart: bool = False
    priority: int = 0
    by_target: bool = False
    by_true_labels: bool = False

    @property
    def target(self) -> str:
        """The number to be predicted that it is of; empty where it is of all of them."""
        return self.name.partition(":")[2]

    @property
    def per_epoch(self) -> bool:
        """Whether a run has a curve of it."""
        return self.scope == "epoch"

    @property
    def is_share(self) -> bool:
        """Whether it is a fraction that people read in per cent."""
        return self.form == "share"


_LOSSES = (
    Metric("train_loss", "training loss", "train loss", "loss", "epoch", direction=-1, column=True, chart=True),
    Metric(
        "train_loss_examples", "training loss as the mean over examples", "train loss over examples", "loss", "epoch",
        direction=-1,
    ),
    Metric(
        "train_loss_end", "training loss at the epoch's end", "train loss at epoch end", "loss", "epoch",
        direction=-1, column=True, chart=True,
    ),
    Metric("val_loss", "validation loss", "val. loss", "loss", "epoch", "val", -1, column=True, chart=True),
    Metric("test_loss", "test loss", "test loss", "loss", "epoch", "test", -1, chart=True),
)  # fmt: skip
_ACCURACIES = (
    Metric(
        "val_accuracy", "validation accuracy", "val. accuracy", "share", "epoch", "val", 1, CLASSES,
        column=True, chart=True, priority=2,
    ),
    Metric(
        "test_accuracy", "test accuracy", "test accuracy", "share", "epoch", "test", 1, CLASSES,
        column=True, chart=True, priority=3,
    ),
)  # fmt: skip


def _of_split(
    name: str,
    label: str,
    form: Form,
    direction: Literal[-1, 1],
    tasks: tuple[Task, ...],
    *,
    short: str = "",
    scope: Scope = "snapshot",
    shown: bool = False,
    priority: int = 0,
) -> tuple[Metric, Metric]:
    """A metric of validation and of test data, the latter with one more in `priority`."""
    of_val = Metric(
        f"val_{name}", f"validation {label}", f"val. {short or label}", form, scope, "val", direction, tasks,
        unit="in the unit of the target" if form == "quantity" else "", column=shown, chart=shown and scope == "epoch",
        priority=priority, by_target=tasks == NUMBERS,
    )  # fmt: skip
    of_test = replace(
        of_val,
        name=f"test_{name}",
        label=f"test {label}",
        short=f"test {short or label}",
        split="test",
        priority=priority + 1 if priority else 0,
    )
    return of_val, of_test


def _errors_of(start: str, words: str, split: Literal["train", "val", "test"], *, priority: int) -> tuple[Metric, ...]:
    """The error of reconstructions on one split, and what it is compared with. Names begin with `start`, labels with
    `words`."""
    named = partial(Metric, form="error", split=split, tasks=RECONSTRUCTION, unit="per pixel")
    return (
        named(f"{start}mse", f"{words}reconstruction error", f"{words}error", direction=-1, column=True,
              priority=priority),
        named(f"{start}pca_mse", f"{words}error of PCA of the same rank on the same images", f"{words}PCA error",
              column=True),
        named(f"{start}mean_mse", f"{words}error of the mean image", f"{words}error of the mean image"),
    )  # fmt: skip


_PREDICTED_CLASSES = (
    *_of_split("balanced_accuracy", "balanced accuracy", "share", 1, CLASSES),
    *_of_split("macro_f1", "macro F1", "share", 1, CLASSES),
    *_of_split("auroc", "AUROC", "ratio", 1, CLASSES),
    *_of_split("log_loss", "log loss", "loss", -1, CLASSES),
    *_of_split("ece", "expected calibration error", "share", -1, CLASSES, short="ECE"),
)
_PREDICTED_NUMBERS = (
    *_of_split("rmse", "RMSE", "quantity", -1, NUMBERS, scope="epoch", shown=True, priority=2),
    *_of_split("mae", "MAE", "quantity", -1, NUMBERS),
    *_of_split("r2", "R²", "ratio", 1, NUMBERS),
    Metric("train_rmse", "training RMSE", "train RMSE", "quantity", direction=-1, tasks=NUMBERS,
           unit="in the unit of the target"),
    Metric("train_r2", "training R²", "train R²", "ratio", direction=1, tasks=NUMBERS),
)  # fmt: skip
_ERRORS = (
    *_errors_of("", "", "train", priority=1),
    *_errors_of("val_", "validation ", "val", priority=2),
    *_errors_of("test_", "test ", "test", priority=3),
    Metric(
        "output_variation", "variance of the outputs as a share of the inputs'", "output variation", "share",
        tasks=RECONSTRUCTION,
    ),
    Metric("collapsed", "share of collapsed networks", "collapsed", "count", direction=-1, tasks=RECONSTRUCTION,
           kind="binary"),
)  # fmt: skip
_UNITS = (
    Metric("dead_units", "number of dead hidden units", "dead units", "count", direction=-1, column=True),
    Metric("hidden_units", "number of hidden units", "hidden units", "count", split="none", kind="exact"),
    Metric(
        "unmoved_units", "number of hidden units close to their initial weights", "unmoved units", "count",
        split="none",
    ),
)  # fmt: skip
_LABELS = (
    Metric("train_accuracy", "training accuracy", "train accuracy", "share", direction=1, tasks=CLASSES),
    Metric(
        "memorised", "share of the wrong training labels that the network predicts", "memorised", "share",
        direction=-1, tasks=CLASSES, column=True,
    ),
    Metric("mislabelled", "share of the training labels that are wrong", "wrong labels", "share", tasks=CLASSES),
    Metric(
        "train_accuracy_clean", "share of the correct training labels that are predicted", "correct labels predicted",
        "share", "epoch", direction=1, tasks=CLASSES, chart=True, by_true_labels=True,
    ),
    Metric(
        "train_accuracy_wrong", "share of the wrong training labels that are predicted", "wrong labels predicted",
        "share", "epoch", direction=-1, tasks=CLASSES, chart=True, by_true_labels=True,
    ),
    Metric(
        "train_accuracy_true", "share of the wrongly labelled training examples whose true class is predicted",
        "true classes predicted", "share", "epoch", direction=1, tasks=CLASSES, chart=True, by_true_labels=True,
    ),
)  # fmt: skip


class Metrics(dict[str, Metric]):
    """Metrics by name. Of several numbers to be predicted, `metrics["test_rmse:price"]` is the `test_rmse` of one."""

    def __missing__(self, name: str) -> Metric:
        base, _, target = name.partition(":")
        if not target or not self[base].by_target:
            raise KeyError(name)
        own = self[base]
        return replace(own, name=name, label=f"{own.label} of {target}", short=f"{own.short} of {target}", priority=0)

    def known(self, name: str) -> Metric | None:
        """The metric of that name, or None."""
        try:
            return self[name]
        except KeyError:
            return None


METRICS: Final = Metrics(
    (metric.name, metric)
    for metric in (
        Metric("epoch", "epoch", "epoch", "count", split="none", column=True),
        *_LOSSES,
        *_ACCURACIES,
        *_PREDICTED_CLASSES,
        *_PREDICTED_NUMBERS,
        *_ERRORS,
        *_UNITS,
        *_LABELS,
        Metric("lr", "learning rate", "learning rate", "rate", "epoch", "none", chart=True),
        Metric("parameters", "number of parameters", "parameters", "count", "run", "none", kind="exact"),
        Metric("weights", "number of weights without biases", "weights alone", "count", "run", "none", kind="exact"),
        Metric(
            "operations", "number of operations of a forward pass of one example", "operations", "count", "run", "none",
            kind="exact",
        ),
        Metric(
            "training_operations", "number of operations of a training step for one example", "training operations",
            "count", "run", "none", kind="exact",
        ),
        Metric(
            "activation_bytes", "number of bytes kept of one example for the backward pass", "bytes of activations",
            "count", "run", "none", kind="exact",
        ),
    )
)  # fmt: skip
"""In the order in which tables and figures show them."""


BY_TRUE_LABELS: Final = frozenset(metric.name for metric in METRICS.values() if metric.by_true_labels)


def metric_named(name: str) -> Metric:
    """The metric of that name, which is known. Raises KeyError."""
    return METRICS[name]


def by_priority() -> tuple[Metric, ...]:
    """The metrics in which arms are compared, the first choice first."""
    return tuple(sorted((m for m in METRICS.values() if m.priority), key=lambda metric: -metric.priority))
