"""Studies made up in memory: known numbers in, so that every table that comes out can be checked by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.spec.dataset import Dataset
from paribus.spec.rules import parse_rule, selected_epoch
from paribus.spec.study import parse
from paribus.store.records import Artifact, Forecast, Selected, Snapshot, TestRead, UsageRecord

CLASSIFIERS = """
format = 1
name = "made-up"
question = "Does a schedule help, and which epoch is best?"
replicates = {replicates}
control = "fixed"
deploy = "max-val-accuracy"
[data]
source = "fashion-mnist"
split = "scarce"
[network]
hidden = [32]
[optimizer]
kind = "sgd"
lr = 1e-3
momentum = 0.9
[training]
epochs = {epochs}
batch_size = 128
[selection]
rules = ["min-train-loss", "max-val-accuracy"]
[test]
read_at = ["min-train-loss", "max-val-accuracy"]
[[arms]]
name = "fixed"
[[arms]]
name = "dropped"
schedule = {{ kind = "multi-step", milestones = [2] }}
{more}
"""

AUTOENCODERS = """
format = 1
name = "made-up-faces"
question = "What does an autoencoder learn?"
replicates = {replicates}
[data]
source = "faces.npy"
split = "all"
[network]
kind = "autoencoder"
hidden = [{units}]
[loss]
kind = "mse"
[optimizer]
kind = "adam"
lr = 1e-4
[training]
epochs = {epochs}
batch_size = 64
[denoising]
uniform = [0.4, 0.9]
zeroed = [0.5]
[[arms]]
name = "plain"
[[arms]]
name = "centred"
data = {{ scale = "centre" }}
{more}
"""


GARMENTS = Dataset(
    source="fashion-mnist",
    features=784,
    shape=(28, 28),
    classes=tuple("0123456789"),
    train=8_000,
    validation=2_000,
    test=60_000,
    held_out_of=10_000,
)
FACES = Dataset(
    source="faces.npy", features=4096, shape=(64, 64), classes=(), train=30, validation=0, test=0, held_out_of=30
)


class Maker:
    """Collects runs of one study, then hands out its results."""

    def __init__(self, text: str, dataset: Dataset) -> None:
        self.study = parse(text, place="a made-up study")
        self.dataset = dataset
        self.runs: list[Run] = []
        self.tensors: dict[str, Mapping[str, Any]] = {}
        self.test_reads: list[TestRead] = []
        self.usage: list[UsageRecord] = []
        self.forecasts: list[Forecast] = []

    def keep(self, **arrays: Any) -> str:
        """Store named arrays (`fc1_weight` is kept as `fc1.weight`), and hand out their name."""
        name = f"tensors-{len(self.tensors)}"
        self.tensors[name] = {key.replace("_weight", ".weight"): np.asarray(value) for key, value in arrays.items()}
        return name

    def units(self, rule: str, *, dead: int, unmoved: int, of: int) -> Artifact:
        """A `units` artifact of one hidden layer whose first units are dead, and whose first units are unmoved."""
        variance, cosine = np.ones(of), np.zeros(of)
        variance[:dead], cosine[:unmoved] = 0.0, 0.99
        arrays = {"mean": np.zeros(of), "variance": variance, "active": variance / 2, "cosine": cosine}
        return Artifact(rule, "units", self.keep(**{f"fc1.{name}": array for name, array in arrays.items()}))

    def labels(self, counts: Sequence[int]) -> Artifact:
        """A `targets/train` artifact with so many examples of each class."""
        labels = np.repeat(np.arange(len(counts)), counts)
        return Artifact("", "targets/train", self.keep(rows=np.arange(len(labels)), labels=labels))

    def run(
        self,
        arm: str,
        replicate: int,
        *,
        curves: Mapping[str, Sequence[float]],
        measured: Mapping[tuple[str, str], float] | None = None,
        state: Any = "done",
        networks: Mapping[str, str] | None = None,
        snapshots: Sequence[Snapshot] = (),
        artifacts: Sequence[Artifact] = (),
    ) -> Run:
        """Add a run whose selections follow from its curves."""
        epochs = max(map(len, curves.values()))
        lists = {name: list(values) for name, values in curves.items()}
        selections: dict[str, Selected] = {}
        if state in ("done", "diverged"):
            for rule in self.study.arm(arm).recipe.selection.rules:
                epoch = selected_epoch(parse_rule(rule), lists, epochs)
                selections[rule] = Selected(rule, epoch, None, (networks or {}).get(rule))
        made = Run(
            arm=arm,
            replicate=replicate,
            id=f"{arm}-{replicate}",
            identity="{}",
            state=state,
            epochs_done=epochs,
            dataset=self.dataset,
            tensors=Folder(self.tensors),
            curves={name: np.array(values, np.float64) for name, values in lists.items()},
            selections=selections,
            snapshots=tuple(snapshots),
            measurements=dict(measured or {}),
            artifacts={(entry.rule, entry.name): entry.tensors for entry in artifacts},
        )
        self.runs.append(made)
        return made

    def results(self) -> Results:
        return Results(
            study=self.study,
            study_id=self.study.digest[:32],
            runs=tuple(self.runs),
            test_reads=tuple(self.test_reads),
            usage=tuple(self.usage),
            forecasts=tuple(self.forecasts),
        )


class Folder:
    def __init__(self, kept: Mapping[str, Mapping[str, Any]]) -> None:
        self.kept = kept

    def get(self, name: str, /) -> Mapping[str, Any]:
        return self.kept[name]


@pytest.fixture
def classifiers() -> Callable[..., Maker]:
    """A maker of a study of two classifiers that differ in their schedule only."""

    def make(*, replicates: int = 3, epochs: int = 4, more: str = "", text: str = CLASSIFIERS) -> Maker:
        return Maker(text.format(replicates=replicates, epochs=epochs, more=more), GARMENTS)

    return make


@pytest.fixture
def compared(classifiers: Callable[..., Maker]) -> Callable[..., Results]:
    """Results of the two classifiers from test accuracies, one a replicate, the same at both selection rules."""

    def make(fixed: Sequence[float], dropped: Sequence[float], *, more: str = "") -> Results:
        maker = classifiers(replicates=len(fixed), more=more)
        for arm, accuracies in (("fixed", fixed), ("dropped", dropped)):
            for replicate, accuracy in enumerate(accuracies):
                maker.run(
                    arm,
                    replicate,
                    curves=steady_curves(replicate),
                    measured={(rule, "test_accuracy"): accuracy for rule in ("min-train-loss", "max-val-accuracy")},
                )
        return maker.results()

    return make


def steady_curves(replicate: int = 0) -> dict[str, list[float]]:
    """Four epochs: training loss falls, validation loss rises again, validation accuracy is best at epoch 3."""
    shift = 0.01 * replicate
    return {
        "train_loss": [1.0 + shift, 0.5, 0.3, 0.2 + shift],
        "val_loss": [1.1, 0.7 + shift, 0.8, 0.9],
        "val_accuracy": [0.5, 0.7, 0.8 + shift, 0.75],
        "lr": [1e-3, 1e-3, 1e-4, 1e-4],
    }


@pytest.fixture
def steady() -> Callable[[int], dict[str, list[float]]]:
    return steady_curves


@pytest.fixture
def autoencoders() -> Callable[..., Maker]:
    """A maker of a study of two autoencoders that differ in whether their inputs are centred."""

    def make(*, replicates: int = 2, units: int = 4, more: str = "", shape: tuple[int, ...] = (64, 64)) -> Maker:
        text = AUTOENCODERS.format(replicates=replicates, epochs=3, units=units, more=more)
        return Maker(text, replace(FACES, shape=shape))

    return make
