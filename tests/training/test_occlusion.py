"""Occlusion maps: with NumPy's own linear classifier, patch by patch, as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from paribus.data.pool import Pool, Split
from paribus.spec.occlusion import Occlusion
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.evaluation import Snapshot, measure_snapshot, missing_of
from paribus.training.occlusion import chosen_examples
from tests.training.conftest import active, recipe

PATCH, STRIDE = 3, 2


def measured(of, known=()):
    snapshot = Snapshot("last", 3, of.state.tensors)
    found = measure_snapshot(of.spec, of.splits, snapshot, CompiledEngine(), None, known)
    return {(rule, name): arrays for rule, name, arrays in found.artifacts}


def test_a_map_is_the_fall_of_the_probability_of_the_predicted_class():
    occlusion = {"patch": PATCH, "stride": STRIDE, "examples": 5}
    of = active(recipe(network={"hidden": []}, occlusion=occlusion, selection={"rules": ["last"]}))
    arrays = measured(of)["last", f"occlusion/{PATCH}-{STRIDE}-5"]
    weight, bias = of.state.tensors["fc1.weight"].astype(float), of.state.tensors["fc1.bias"].astype(float)
    height, width = of.splits.dataset.shape
    mean = of.splits.train.inputs.astype(float).mean(axis=0).reshape(height, width)
    chosen = of.splits.validation.take(chosen_examples(of.splits.validation, 5))
    np.testing.assert_array_equal(arrays["rows"], chosen.source_rows)
    np.testing.assert_array_equal(arrays["labels"], chosen.labels)
    np.testing.assert_array_equal(arrays["values"], chosen.pool.values[chosen.rows])
    assert arrays["y"][-1] == height - PATCH
    for i, image in enumerate(chosen.inputs.astype(float)):
        whole = softmax(image @ weight.T + bias)
        assert arrays["predicted"][i] == whole.argmax()
        assert arrays["given"][i] == pytest.approx(whole.max(), rel=1e-4)
        for row, y in enumerate(arrays["y"]):
            for column, x in enumerate(arrays["x"]):
                hidden = image.reshape(height, width).copy()
                hidden[y : y + PATCH, x : x + PATCH] = mean[y : y + PATCH, x : x + PATCH]
                fall = whole.max() - softmax(hidden.ravel() @ weight.T + bias)[whole.argmax()]
                assert arrays["change"][i, row, column] == pytest.approx(fall, abs=2e-6)


def test_what_is_missing_depends_on_the_squares_that_are_asked_for():
    own = {"network": {"hidden": []}, "selection": {"rules": ["last"]}}
    four, three = (active(recipe(**own, occlusion={"patch": patch})) for patch in (4, 3))
    known = [name for _, name in measured(four)]
    assert four.spec.recipe.occlusion.name in missing_of(four.spec, "last", ())
    assert four.spec.recipe.occlusion.name not in missing_of(four.spec, "last", known)
    assert three.spec.recipe.occlusion.name in missing_of(three.spec, "last", known)
    assert four.spec.id == three.spec.id
    none = active(recipe(**own))
    assert not [name for name in missing_of(none.spec, "last", ()) if name.startswith("occlusion")]


@pytest.mark.parametrize(
    ("patch", "stride", "side", "expected"),
    [(4, None, 10, (0, 4, 6)), (4, 3, 10, (0, 3, 6)), (2, 4, 6, (0, 4)), (3, 5, 9, (0, 5, 6)), (1, 1, 3, (0, 1, 2))],
)
def test_squares_reach_the_edge_of_the_image(patch, stride, side, expected):
    assert Occlusion(patch=patch, stride=stride).positions(side) == expected


def test_the_examples_are_the_first_ones_of_each_class_in_turn():
    labels = np.array([2, 2, 0, 2, 1, 0, 1])
    pool = Pool("p", np.zeros((7, 4), np.uint8), 255.0, labels, (2, 2), "f" * 64)
    split = Split(pool, np.arange(7), labels, labels)
    assert chosen_examples(split, 5).tolist() == [2, 4, 0, 5, 6]
    assert chosen_examples(split, 99).tolist() == [2, 4, 0, 5, 6, 1, 3]
