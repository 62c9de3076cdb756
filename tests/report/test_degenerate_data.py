"""Reports on data that hold next to nothing: one example, equal examples, images of one grey or all black."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.report.blocks import Chart, Montage, within
from paribus.report.folder import write_pages
from paribus.report.page import compose
from paribus.spec.dataset import Dataset
from paribus.spec.study import parse
from paribus.store.records import Selected, Snapshot
from tests.report.conftest import Folder

AUTOENCODER = """
name = "plain"
question = "What is left to learn?"
replicates = 2
loss = "mse"
[data]
source = "images.npy"
split = "all"
[network]
kind = "autoencoder"
hidden = [3]
[optimizer]
kind = "adam"
lr = 1e-3
[training]
epochs = 3
batch_size = 1
[denoising]
uniform = [0.4]
[[arms]]
name = "raw"
[[arms]]
name = "centred"
data = { scale = "centre" }
"""
CLASSIFIER = """
name = "tiny"
question = "Does one example suffice?"
replicates = 2
[data]
source = "tiny.npz"
split = "given"
[network]
hidden = [3]
[optimizer]
kind = "sgd"
lr = 0.1
[training]
epochs = 3
batch_size = 1
[test]
read_at = ["last"]
[[arms]]
name = "one"
[[arms]]
name = "other"
optimizer = { lr = 0.2 }
[[claims]]
statement = "A higher rate does better."
metric = "test_accuracy"
better = { arm = "other" }
than = { arm = "one" }
by = 0.01
"""
IMAGES = Dataset("images.npy", 16, (4, 4), (), 1, 0, 0, 1)
TINY = Dataset("tiny.npz", 16, (4, 4), ("yes", "no"), 1, 1, 1, 2)
CURVES = {"train_loss": np.array([0.2, 0.1, 0.1]), "lr": np.full(3, 1e-3)}


def autoencoders(images: np.ndarray) -> Results:
    """What a run on such images records, by the algorithm's own definitions in NumPy; outputs equal inputs."""
    study, tensors = parse(AUTOENCODER, place="a made-up study"), Folder()
    rank = min(64, len(images) - 1, images.shape[1])
    _, _, components = np.linalg.svd(images - images.mean(0), full_matrices=False)
    variance = np.zeros(rank)
    pca = {
        "mean": images.mean(0),
        "components": components[:rank] * 0.0,
        "variance": variance,
        "mse_by_rank": np.zeros(rank + 1),
    }
    weights = {
        "fc1.weight": np.zeros((3, 16)),
        "fc1.bias": np.zeros(3),
        "fc2.weight": np.zeros((16, 3)),
        "fc2.bias": images[0],
    }
    units = {f"fc1.{name}": np.zeros(3) for name in ("mean", "variance", "active", "cosine")}
    noisy = dict.fromkeys(("inputs", "outputs", "pca"), images)
    artifacts = {
        ("", "pca"): tensors.put(pca),
        ("", "examples"): tensors.put({"images": images, "shape": np.array([4, 4])}),
        ("last", "units"): tensors.put(units),
        ("last", "reconstructions"): tensors.put({"inputs": images, "outputs": images}),
        ("last", "denoising/uniform-0.4"): tensors.put({"clean": images, **noisy}),
    }
    kept = tensors.put(weights)
    names = ("noise_mse:uniform-0.4", "denoise_mse:uniform-0.4", "pca_denoise_mse:uniform-0.4")
    measured = {("last", name): 0.0 for name in ("mse", "pca_mse", "mean_mse", *names)}
    run = Run("", 0, "0", "{}", "done", 3, IMAGES, CURVES, tensors)
    run = replace(run, selections={"last": Selected("last", 3, None, kept)}, measurements=measured, artifacts=artifacts,
                  snapshots=tuple(Snapshot(epoch, "network", kept) for epoch in (0, 3)))  # fmt: skip
    return _results(study, run)


def classifiers() -> Results:
    """One example of each split: the training one is learned, and the test one is of the other class."""
    study, tensors = parse(CLASSIFIER, place="a made-up study"), Folder()
    units = {f"fc1.{name}": np.zeros(3) for name in ("mean", "variance", "active", "cosine")}
    artifacts = {
        ("", "targets/train"): tensors.put({"rows": np.zeros(1), "labels": np.zeros(1, np.int32)}),
        ("last", "units"): tensors.put(units),
        ("last", "confusion"): tensors.put({"counts": np.array([[1, 0], [0, 0]])}),
    }
    measured = {("last", "test_accuracy"): 1.0, ("last", "train_accuracy"): 1.0, ("last", "test_loss"): 0.0}
    curves = {**CURVES, "val_loss": np.zeros(3), "val_accuracy": np.ones(3)}
    run = Run("", 0, "0", "{}", "done", 3, TINY, curves, tensors)
    selections = {"last": Selected("last", 3, None, None)}
    return _results(study, replace(run, selections=selections, measurements=measured, artifacts=artifacts))


def _results(study, run: Run) -> Results:
    runs = [
        replace(run, arm=arm.name, replicate=replicate, id=f"{arm.name}-{replicate}")
        for arm, replicate in study.members()
    ]
    return Results(study, "0" * 32, tuple(runs))


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(np.linspace(0, 1, 16)[None], id="one example"),
        pytest.param(np.repeat(np.linspace(0, 1, 16)[None], 5, axis=0), id="equal examples"),
        pytest.param(np.full((5, 16), 0.3), id="one grey"),
        pytest.param(np.zeros((5, 16)), id="all black"),
        pytest.param(np.zeros((1, 16)), id="one black example"),
    ],
)
def test_images_that_do_not_vary_have_a_report_without_eigenfaces(images: np.ndarray, tmp_path: Path) -> None:
    results = autoencoders(images)
    page = compose(results)
    slugs = {section.slug for section in page.sections}
    assert "eigenfaces" not in slugs
    assert {"reconstructions", "results", "findings"} <= slugs
    assert any(
        "constant training data" in str(section.blocks) for section in page.sections if section.slug == "findings"
    )
    _no_senseless_number(write_pages([results], tmp_path).page)


def test_one_example_of_each_split_has_a_report(tmp_path: Path) -> None:
    results = classifiers()
    page = compose(results)
    blocks = {
        block.name: block
        for section in page.sections
        for block in within(section.blocks)
        if isinstance(block, Chart | Montage)
    }
    assert "No example is misclassified." in blocks["confusion"].alt
    _no_senseless_number(write_pages([results], tmp_path).page)


def _no_senseless_number(page: Path) -> None:
    text = re.sub(r"<script.*?</script>|<style.*?</style>", "", page.read_text(encoding="utf-8"), flags=re.S)
    words = re.sub(r"<[^>]+>", " ", text)
    assert "could not be made" not in words
    assert not re.search(r"\b(nan|inf)\b", words, flags=re.I)
    for table in (page.parent / "tables").iterdir():
        assert not re.search(r"(^|,)-?(nan|inf)(,|$)", table.read_text(encoding="utf-8"), flags=re.M), table.name
