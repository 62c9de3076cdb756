"""Runs of a made-up study that have recorded outputs for single examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paribus.store.records import Artifact
from tests.analysis.conftest import GARMENTS, Maker, steady_curves

RULE = "max-val-accuracy"
STUDY = """
format = 1
name = "made-up"
question = "Which examples are hard?"
replicates = {replicates}
deploy = "max-val-accuracy"
{loss}
[data]
source = "points.csv"
split = "given"
{task}
[network]
hidden = [4]
[optimizer]
kind = "sgd"
lr = 0.1
[training]
epochs = 4
batch_size = 8
[selection]
rules = ["max-val-accuracy"]
[[arms]]
name = "one"
[[arms]]
name = "two"
optimizer = {{ lr = 0.2 }}
"""


def classifiers(classes: Sequence[str], *, replicates: int = 3, loss: str = "") -> Maker:
    """A maker of a study of two classifiers."""
    text = STUDY.format(replicates=replicates, loss=loss, task="")
    return Maker(text, replace(GARMENTS, source="points.csv", classes=tuple(classes), shape=(2,), features=2))


def regressions(targets: Sequence[str], *, replicates: int = 2) -> Maker:
    """A maker of a study of two regressions."""
    text = STUDY.format(replicates=replicates, loss='loss = "mse"', task='task = "regression"').replace(
        "max-val-accuracy", "min-val-loss"
    )
    data = replace(GARMENTS, source="points.csv", classes=(), targets=tuple(targets), shape=(2,), features=2)
    return Maker(text, data)


def add(
    maker: Maker,
    outputs: np.ndarray,
    *,
    labels: Sequence[int] | np.ndarray | None = None,
    numbers: np.ndarray | None = None,
    rows: Sequence[int] | np.ndarray | None = None,
    arm: str = "one",
    replicate: int = 0,
    split: str = "test",
    more: Sequence[Artifact] = (),
) -> None:
    """A run with these outputs (example, output) at its deploy rule, of examples at `rows` (by default 0, 1, ...)."""
    rule = RULE if numbers is None else "min-val-loss"
    targets = {"rows": np.arange(len(outputs)) if rows is None else np.asarray(rows)}
    if labels is not None:
        targets["labels"] = np.asarray(labels)
    if numbers is not None:
        targets["numbers"] = numbers
    artifacts = [
        Artifact(rule, f"outputs/{split}", maker.keep(outputs=outputs)),
        Artifact("", f"targets/{split}", maker.keep(**targets)),
        *more,
    ]
    maker.run(arm, replicate, curves=steady_curves(), artifacts=artifacts)


def random_logits(rng: np.random.Generator, labels: np.ndarray, classes: int, scale: float = 2.0) -> np.ndarray:
    """Logits in half precision that are right more often than not."""
    return (rng.normal(size=(len(labels), classes)) + scale * np.eye(classes)[labels]).astype(np.float16)
