from __future__ import annotations

import numpy as np
import pytest
import torch

from paribus.data.pool import Pool, Scaling, Split, Splits
from paribus.seeding import Streams
from paribus.spec.dataset import Dataset
from paribus.spec.identity import RunSpec
from paribus.training.cohort import architecture, fresh_state
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.evaluation import Snapshot, measure_snapshot
from paribus.training.regions import MARGIN, POINTS, SIDE
from tests.training.conftest import active, recipe
from tests.training.oracle import plain_outputs

POINTS_RECIPE = {
    "data": {"source": "points.npz", "split": {"by": "given"}, "scale": "standardise"},
    "network": {"hidden": [6], "activation": "tanh"},
    "optimizer": {"kind": "sgd", "lr": 0.1},
    "training": {"epochs": 1, "batch_size": 8},
}


def points(validation: bool = True, **over):
    """A fresh network of two features, and its data: 600 points, two of three for training where some are held out."""
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(600, 2)) * [1, 50] + [3, -20]).astype(np.float32)
    labels = (values[:, 0] > 3).astype(np.int64)
    pool = Pool("points", values, 1.0, labels, (2,), "f")

    def split(rows):
        return Split(pool, rows, labels[rows], labels[rows])

    rows = np.arange(600)
    train, held_out = (rows[:400], rows[400:]) if validation else (rows, rows[:0])
    scaling = Scaling(values[train].mean(0), 1 / values[train].std(0))
    dataset = Dataset("points.npz", 2, (2,), ("left", "right"), len(train), len(held_out), 0, 600)
    splits = Splits(split(train), split(held_out) if validation else None, None, scaling, dataset)
    spec = RunSpec(recipe(POINTS_RECIPE, **over), dataset, Streams.of_replicate(1, 0), "f")
    return spec, splits, fresh_state(spec).tensors


def recorded(spec, splits, weights):
    found = measure_snapshot(spec, splits, Snapshot("last", 1, weights), CompiledEngine(), None)
    return {name: arrays for rule, name, arrays in found.artifacts if rule in ("last", "")}


def logits_of(spec, splits, weights, features):
    scaled = (features - splits.scaling.centre) * splits.scaling.factor
    return torch.tensor(plain_outputs(architecture(spec), weights, scaled.astype(np.float32))[0])


@pytest.mark.parametrize("loss", ["cross-entropy", "binary-cross-entropy"])
def test_the_grid_has_the_classes_and_probabilities_that_pytorch_gives(loss):
    spec, splits, weights = points(loss={"kind": loss})
    arrays = recorded(spec, splits, weights)
    grid = arrays["regions"]
    train = splits.train.inputs
    for place, axis in enumerate(("x", "y")):
        low, high = train[:, place].min(), train[:, place].max()
        assert (grid[axis][0], grid[axis][-1]) == pytest.approx(
            (low - MARGIN * (high - low), high + MARGIN * (high - low)), rel=1e-5
        )
    plane = np.stack([axis.ravel() for axis in np.meshgrid(grid["x"], grid["y"])], axis=1)
    logits = logits_of(spec, splits, weights, plane)
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    probabilities = logits.softmax(1).numpy()
    assert grid["confidence"].shape == grid["predicted"].shape == (SIDE, SIDE)
    np.testing.assert_allclose(grid["confidence"].ravel(), probabilities.max(1), atol=1e-5)
    sure = np.abs(probabilities[:, 1] - 0.5) > 1e-5
    assert (grid["predicted"].ravel() == probabilities.argmax(1))[sure].all()


def test_validation_examples_are_kept_to_be_drawn_on_it():
    spec, splits, weights = points()
    arrays = recorded(spec, splits, weights)
    kept = arrays["points/validation"]
    assert kept["rows"].tolist() == list(range(400, 600))
    assert (kept["values"] == splits.validation.inputs).all()
    expected = logits_of(spec, splits, weights, kept["values"]).argmax(1).numpy()
    assert (arrays["predicted/validation"]["predicted"] == expected).mean() > 0.99


def test_training_examples_stand_in_where_none_are_held_out():
    spec, splits, weights = points(validation=False)
    arrays = recorded(spec, splits, weights)
    assert len(arrays["points/train"]["rows"]) == POINTS
    assert "points/validation" not in arrays


def test_images_have_no_regions():
    of = active(recipe())
    assert not {"regions", "points/validation"} & recorded(of.spec, of.splits, of.state.tensors).keys()
