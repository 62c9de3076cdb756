"""Dropout's draws, and evaluation without it. That its gradients are autograd's is in `test_pytorch.py`."""

from __future__ import annotations

import numpy as np

from paribus.training.cohort import Cohort
from paribus.training.cpu.dropout import uniform
from paribus.training.cpu.engine import CompiledEngine
from tests.training.conftest import active, recipe
from tests.training.oracle import dropout_numbers


def test_draws_are_uniform_and_independent_from_layer_to_layer():
    numbers = uniform(2021, 3, 100_000)
    assert 0 <= numbers.min() < numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.005
    assert abs(numbers.var() - 1 / 12) < 0.001
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.01
    assert abs(np.corrcoef(numbers, uniform(2021, 4, 100_000))[0, 1]) < 0.01


def test_draws_are_splitmix64s():
    key = 0xFEDCBA9876543210
    np.testing.assert_array_equal(uniform(np.uint64(key), 5, 1000), dropout_numbers(key, 5, 1000))


def test_dropout_is_off_in_evaluation():
    of = active(recipe(network={"dropout": 0.9}))
    cohort = Cohort([of], CompiledEngine())
    cohort.add_set("val", [of.splits.validation])
    first, second = cohort.evaluate("val"), cohort.evaluate("val")
    assert first.loss == second.loss
