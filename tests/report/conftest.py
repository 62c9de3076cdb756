"""Results made up in memory: curves that look like training, real faces, and whatever else a report may be given."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.data import faces
from paribus.data.pool import whole
from paribus.spec import builtin
from paribus.spec.dataset import Dataset
from paribus.spec.recipe import Recipe
from paribus.spec.study import Study, parse
from paribus.store.records import Forecast, Selected, Snapshot, TestRead, UsageRecord

PLAIN = """
format = 1
name = "{name}"
title = {title}
question = {question}
replicates = {replicates}
[data]
source = "fashion-mnist"
split = "scarce"
[network]
hidden = [8]
[optimizer]
kind = "sgd"
lr = 0.1
[training]
epochs = 12
batch_size = 128
[selection]
rules = ["max-val-accuracy"]
[test]
read_at = ["max-val-accuracy"]
[[arms]]
name = {arm}
[[arms]]
name = "other"
[arms.optimizer]
lr = 0.01
[[claims]]
statement = {title}
metric = "test_accuracy"
better = {{ arm = {arm} }}
than = {{ arm = "other" }}
by = 0.001
"""


GARMENTS = Dataset(
    source="fashion-mnist",
    features=784,
    shape=(28, 28),
    classes=("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"),
    train=8_000,
    validation=2_000,
    test=60_000,
    held_out_of=10_000,
)
NOISY = replace(GARMENTS, train=10_000, validation=0)
FACES = Dataset(
    source="faces", features=4096, shape=(64, 64), classes=(), train=400, validation=0, test=0, held_out_of=400
)


def few(text: str) -> str:
    """A study's text with two replicates: pages of faces take many seconds to make up and to draw."""
    assert "\nreplicates = 5\n" in text
    return text.replace("\nreplicates = 5\n", "\nreplicates = 2\n")


NOISE: dict[str, Callable[[np.random.Generator, np.ndarray, float], np.ndarray]] = {
    "uniform": lambda rng, images, amount: images + rng.uniform(-amount, amount, images.shape),
    "gaussian": lambda rng, images, amount: images + amount * rng.standard_normal(images.shape),
    "zeroed": lambda rng, images, amount: np.where(rng.random(images.shape) < amount, 0, images),
    "block": lambda rng, images, amount: images * (np.arange(images.shape[1]) > amount * images.shape[1]),
}


class Folder(dict[str, Mapping[str, Any]]):
    """Tensors by name, as a workspace's folder of them."""

    def get(self, name: str, /) -> Mapping[str, Any]:
        return self[name]

    def put(self, tensors: Mapping[str, Any]) -> str:
        name = f"tensors-{len(self)}"
        self[name] = dict(tensors)
        return name


STUDY_ID = hashlib.sha256(b"a made-up study").hexdigest()[:32]


class Maker:
    """Makes one study's results."""

    def __init__(self, text: str, states: Mapping[tuple[str, int], str] | None = None) -> None:
        self.study: Study = parse(text, place="a made-up study")
        self.epochs = max(arm.recipe.training.epochs for arm in self.study.arms)
        self.states = states or {}
        self.tensors = Folder()
        self.images = whole(faces.pool()).inputs if self.study.name == "faces" else None
        if self.images is not None:
            mean = self.images.mean(0)
            values, vectors = np.linalg.eigh((self.images - mean) @ (self.images - mean).T)
            values, vectors = values[::-1][:64], vectors[:, ::-1][:, :64]
            self.eigenfaces = mean, values, vectors.T @ (self.images - mean) / np.sqrt(values)[:, None]

    def results(self) -> Results:
        runs = [
            self.run(place, arm.name, arm.recipe, r)
            for place, arm in enumerate(self.study.arms)
            for r in self.study.replicates.indices
            if self.states.get((arm.name, r)) != "missing"
        ]
        reads = [
            TestRead(run.id, rule, run.epoch(rule), 60_000, "selected snapshot", "2025-03-01T10:00:00+00:00")
            for run in runs
            for rule in self.study.arm(run.arm).recipe.test.read_at
            if run.state == "done"
        ]
        reads += [
            TestRead(run.id, "", None, 10_000, "monitoring", "2025-03-01T10:00:00+00:00")
            for run in runs
            if self.study.arm(run.arm).recipe.test.monitor_every
        ]
        shares = {run.id: 1 / len(runs) for run in runs}
        method = {"tag": "modelled", "watts_a_core": 12.5, "basis": "CPU time times a stated power"}
        used = UsageRecord("s", "2025-03-01T09:00:00+00:00", 412.0, 790.0, 9875.0, "modelled", method, shares, 1000)
        forecast = Forecast(STUDY_ID, "2025-03-01T08:59:00+00:00", 1000, 380.0, 9000.0, "a short trial of each cohort")
        return Results(self.study, STUDY_ID, tuple(runs), tuple(reads), (used,), (forecast,))

    def dataset(self, recipe: Recipe) -> Dataset:
        if recipe.task == "reconstruction":
            return FACES
        if recipe.data.split.by == "scarce":
            return GARMENTS
        held_out = round(recipe.data.split.validation * NOISY.train)
        return replace(NOISY, train=NOISY.train - held_out, validation=held_out)

    def run(self, place: int, arm: str, recipe: Recipe, replicate: int) -> Run:
        rng = np.random.default_rng([place, replicate])
        state = self.states.get((arm, replicate), "done")
        epochs = recipe.training.epochs if state == "done" else recipe.training.epochs // 3
        curves = self.curves(rng, place, recipe, epochs)
        run_id = hashlib.sha256(f"{self.study.name} {arm} {replicate}".encode()).hexdigest()[:32]
        dataset = self.dataset(recipe)
        run = Run(arm, replicate, run_id, "{}", state, epochs, dataset, curves, self.tensors)
        measured: dict[tuple[str, str], float] = {}
        artifacts: dict[tuple[str, str], str] = {}
        selections: dict[str, Selected] = {}
        snapshots: tuple[Snapshot, ...] = ()
        if state == "done":
            widths = recipe.widths(dataset)
            weights = sum(a * b for a, b in itertools.pairwise(widths))
            measured["", "weights"], measured["", "parameters"] = weights, weights + sum(widths[1:])
            for rule in recipe.selection.rules:
                epoch = run.epoch(rule)
                selections[rule] = Selected(rule, epoch, None, None)
                if rule in recipe.test.read_at and epoch is not None:
                    measured[rule, "test_accuracy"] = float(curves["_test"][epoch - 1])
                    counts = rng.poisson(60, (10, 10)) + np.diag(rng.integers(4500, 5800, 10))
                    artifacts[rule, "confusion"] = self.tensors.put({"counts": counts})
                if recipe.data.label_noise:
                    measured[rule, "mislabelled"], measured[rule, "memorised"] = 0.27, 0.9 / (place + 1)
                    measured[rule, "train_accuracy"] = 0.7
            if self.images is not None:
                snapshots = self.pictured(rng, place, recipe, measured, artifacts, selections)
        curves.pop("_test", None)
        environment = {"python": "3.11.7", "torch": "2.15.0", "threads": 2, "machine": {"cpu": "x86_64", "cores": 2}}
        return replace(
            run,
            curves=curves,
            selections=selections,
            snapshots=snapshots,
            measurements=measured,
            artifacts=artifacts,
            environment=environment,
        )

    def curves(self, rng: np.random.Generator, place: int, recipe: Recipe, epochs: int) -> dict[str, np.ndarray]:
        t = np.arange(1, epochs + 1)
        walk = 1 + 0.01 * rng.standard_normal(epochs) + 0.02 * rng.standard_normal()
        if recipe.network.kind == "autoencoder":
            end = (0.0235, 0.0062, 0.0086, 0.0043)[place % 4] * (1 + 0.03 * rng.standard_normal())
            return {
                "train_loss": (end + 0.2 * np.exp(-t / 6) + 0.012 * np.exp(-t / 60)) * walk,
                "lr": np.full(epochs, 1e-4),
            }
        slow = recipe.schedule.kind == "multi-step"
        fall = 0.32 + 1.6 * np.exp(-t / 25) if slow else 0.05 + 0.4 * np.exp(-t / 350) + 1.6 * np.exp(-t / 20)
        lr = np.where(t > 80, 1e-4, 1e-3) if slow else np.full(epochs, 1e-3)
        found = {"train_loss": fall * walk, "lr": lr}
        risen = 0.46 + 1.5 * np.exp(-t / 20) + (0 if slow else 0.4 * (t / 1500) ** 1.2) + 0.004 * place
        accuracy = 0.835 - 0.5 * np.exp(-t / 12) - (0 if slow else 0.02 * t / 1500) + 0.004 * place
        noise = 0.002 * rng.standard_normal(epochs) + 0.003 * rng.standard_normal()
        if self.dataset(recipe).validation:
            found["val_loss"], found["val_accuracy"] = risen * walk, accuracy + noise
        found["_test"] = accuracy + 0.016 + noise / 2
        if recipe.test.monitor_every:
            found["test_accuracy"] = (
                0.843 - 0.4 * np.exp(-t / 8) - (0.16 / (place + 1)) * (1 - np.exp(-np.maximum(t - 40, 0) / 60)) + noise
            )
            found["test_loss"] = 0.6 + 1.4 * np.exp(-t / 8) + np.maximum(t - 40, 0) / 150 / (place + 1)
            found["_test"] = found["test_accuracy"]
        return found

    def pictured(self, rng, place, recipe, measured, artifacts, selections) -> tuple[Snapshot, ...]:
        """Everything that an autoencoder's run keeps; all but four units of the first arm are dead."""
        assert self.images is not None
        images, (n,) = self.images, recipe.network.hidden
        mean, values, components = self.eigenfaces
        total = float(((images - mean) ** 2).mean())
        by_rank = total - np.concatenate([[0], np.cumsum(values)]) / images.size
        artifacts["", "pca"] = self.tensors.put(
            {"mean": mean, "components": components, "variance": values / 400, "mse_by_rank": by_rank}
        )
        artifacts["", "examples"] = self.tensors.put({"images": images[:16], "shape": np.array([64, 64])})
        kept = {0: 3, 1: 40, 2: 14, 3: 60}[place % 4]
        basis = components[:kept]

        def through(x: np.ndarray) -> np.ndarray:
            return np.clip(mean + (x - mean) @ basis.T @ basis, 0, 1)

        pick = images[::25][:16]
        alive = n if place else 4
        turn = np.linalg.qr(rng.standard_normal((n, n)))[0]
        goal = np.zeros((n, 4096))
        goal[:, :] = (turn[:, : min(n, 64)] @ components[: min(n, 64)]) * 0.4
        start = rng.uniform(-1, 1, (n, 4096)) / 64
        snapshots = []
        for epoch in range(0, self.epochs + 1, 10):
            share = 1 - np.exp(-epoch / 80)
            weights = start + share * goal * (np.arange(n) < alive)[:, None]
            snapshots.append(
                Snapshot(epoch, "first-layer", self.tensors.put({"fc1.weight": weights.astype(np.float32)}))
            )
        final = {
            "fc1.weight": weights.astype(np.float32),
            "fc1.bias": np.zeros(n),
            "fc2.weight": (goal.T).astype(np.float32),
            "fc2.bias": mean,
        }
        conditions = [(kind, amount) for kind in NOISE for amount in getattr(recipe.denoising, kind)]
        noise = [np.clip(NOISE[kind](rng, pick, amount), 0, 1) for kind, amount in conditions]
        names = [f"{kind}-{amount:g}" for kind, amount in conditions]
        for rule in recipe.selection.rules:
            selections[rule] = Selected(rule, selections[rule].epoch, None, self.tensors.put(final))
            out = through(pick)
            artifacts[rule, "reconstructions"] = self.tensors.put({"inputs": pick, "outputs": out})
            errors = ((through(images) - images) ** 2).mean(axis=1)
            order = np.argsort(errors)
            extremes = {
                f"{which}_{name}": array[rows]
                for which, rows in (("best", order[:6]), ("worst", order[-6:]))
                for name, array in (("error", errors), ("inputs", images), ("outputs", through(images)))
            }
            artifacts[rule, "extremes"] = self.tensors.put(extremes)
            pca = [mean + (x - mean) @ components[:n].T @ components[:n] for x in noise]
            for name, noisy, projected in zip(names, noise, pca, strict=True):
                kept = {"inputs": noisy, "outputs": through(noisy), "pca": projected, "clean": pick}
                as_bytes = {key: np.rint(255 * np.clip(array[:4], 0, 1)) for key, array in kept.items()}
                bytes_of = {key: array.astype(np.uint8) for key, array in as_bytes.items()}
                artifacts[rule, f"denoising/{name}"] = self.tensors.put(bytes_of)
            rates = np.where(np.arange(n) < alive, rng.uniform(0.2, 0.9, n), 0.0)
            units = {"mean": rates, "variance": rates * (1 - rates), "active": rates, "cosine": 1.0 - (rates > 0)}
            artifacts[rule, "units"] = self.tensors.put({f"fc1.{name}": array for name, array in units.items()})
            mse = float(((through(images) - images) ** 2).mean())
            measured |= {
                (rule, "mse"): mse,
                (rule, "pca_mse"): float(by_rank[n]),
                (rule, "mean_mse"): total,
                (rule, "output_variation"): 1 - mse / total,
            }
            for name, noisy, clean in zip(names, noise, pca, strict=True):
                for who, got in (("noise", noisy), ("denoise", through(noisy)), ("pca_denoise", clean)):
                    error = float(((got - pick) ** 2).mean())
                    measured[rule, f"{who}_mse:{name}"] = error
                    measured[rule, f"{who}_psnr:{name}"] = -10 * np.log10(error)
                    measured[rule, f"{who}_ssim:{name}"] = 1 - 10 * error
        return tuple(snapshots)


@pytest.fixture(scope="session")
def faces_results() -> Results:
    return Maker(few(builtin.text("faces"))).results()


@pytest.fixture(scope="session")
def selection_results() -> Results:
    return Maker(builtin.text("selection")).results()


@pytest.fixture(scope="session")
def noisy_results() -> Results:
    return Maker(builtin.text("noisy-labels"), {("dropout", 2): "diverged"}).results()


@pytest.fixture
def plain_results() -> Callable[..., Results]:
    """Makes a small study; names may be anything, and runs may be missing, running or diverged."""

    def make(
        *,
        arm: str = "one",
        title: str = "A title",
        question: str = "Which?",
        replicates: int = 2,
        name: str = "plain",
        states: Mapping[tuple[str, int], str] | None = None,
    ) -> Results:
        def quoted(text: str) -> str:
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

        text = PLAIN.format(
            name=name, title=quoted(title), question=quoted(question), replicates=replicates, arm=quoted(arm)
        )
        return Maker(text, states).results()

    return make
