"""The metrics that paribus knows: each a measured quantity with a split, a direction and a unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Metric:
    """A measured quantity.

    `direction` is +1 where more is better, -1 where less is better and 0 where neither is.
    `per_epoch` metrics have one value an epoch (a curve); the others one value a selected snapshot or a run.
    """

    name: str
    label: str
    split: Literal["train", "val", "test", "none"]
    direction: Literal[-1, 0, 1]
    unit: str
    per_epoch: bool


_ALL = (
    Metric("train_loss", "training loss (mean over the epoch's batches)", "train", -1, "", True),
    Metric("train_loss_examples", "training loss (mean over the epoch's examples)", "train", -1, "", True),
    Metric("train_loss_end", "training loss at the epoch's end", "train", -1, "", True),
    Metric("val_loss", "validation loss", "val", -1, "", True),
    Metric("val_accuracy", "validation accuracy", "val", 1, "fraction", True),
    Metric("test_loss", "test loss", "test", -1, "", True),
    Metric("test_accuracy", "test accuracy", "test", 1, "fraction", True),
    Metric("lr", "learning rate", "none", 0, "", True),
    Metric("epoch", "epoch", "none", 0, "epochs", False),
    Metric("parameters", "parameters", "none", 0, "", False),
    Metric("weights", "weights, without biases", "none", 0, "", False),
    Metric("mse", "reconstruction error", "train", -1, "per pixel", False),
    Metric("pca_mse", "error of PCA of the same rank on the same images", "train", -1, "per pixel", False),
    Metric("dead_units", "dead hidden units", "train", -1, "", False),
    Metric(
        "collapsed", "1 if the network has collapsed: nearly the same output for every input", "train", -1, "", False
    ),
    Metric("memorised", "share of the wrong training labels that the network predicts", "train", -1, "fraction", False),
)

METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in _ALL}
