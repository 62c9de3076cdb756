"""Skipping steps that are zero: no bit of a matmul, and none of a run, differs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from paribus.data.protocols import load_splits

from paribus.training import streams
from paribus.training.cpu import zero_skipping
from paribus.training.cpu.matmul import INNER_BLOCK, matmul
from paribus.training.cpu.sparse_matmul import SKIP_ROWS, skipping_buffers, zero_skipping_matmul
from paribus.training.cpu.vectors import LANES
from paribus.training.cpu.zero_skipping import (
    RANK_BITS,
    NonzeroSteps,
    find_nonzero_examples,
    find_nonzero_features,
    nonzero_bits,
    nonzero_groups,
    step_lists,
    zero_pattern,
)
from tests.training.conftest import AUTOENCODER, CLASSIFIER, differing, member, recipe, trained

DROPOUT = {**CLASSIFIER, "network": {"layers": [784, 70, 24, 10], "dropout": 0.3}}
WIDE = {**CLASSIFIER, "network": {"layers": [784, 800, 10]}}
AUTO = {**AUTOENCODER, "data": CLASSIFIER["data"], "network": {"kind": "autoencoder", "layers": [784, 40, 784]}}
KINDS = {"classifier": CLASSIFIER, "dropout": DROPOUT, "wide": WIDE, "autoencoder": AUTO}


@pytest.fixture(scope="module")
def images():
    """Bytes (image, pixel)."""
    inputs = load_splits(recipe().data, seed=7, replicate=0).train.inputs
    return np.rint(inputs * 255).astype(np.uint8)


def ranks(count):
    """Of examples in the order in which they are."""
    return (np.arange(count) << RANK_BITS) // count


def sparse(rows, columns, nonzero=0.3):
    """A matrix whose rows, in groups of five, are zero in the same columns."""
    generator = np.random.default_rng(rows)
    blocks = np.repeat(generator.random((-(-rows // 5), columns)) < nonzero, 5, axis=0)[:rows]
    return (generator.standard_normal((rows, columns)) * blocks).astype(np.float32)


@pytest.mark.parametrize("columns", [LANES, 2 * LANES, 5 * LANES])
@pytest.mark.parametrize(
    ("rows", "inner"), [(5 * SKIP_ROWS, 2 * INNER_BLOCK + 16), (2 * SKIP_ROWS + 5, INNER_BLOCK), (3, 40)]
)
def test_a_matmul_that_skips_zero_steps_has_the_same_bits(rows, inner, columns):
    a, b = sparse(rows, inner), np.random.default_rng(1).standard_normal((inner, columns)).astype(np.float32)
    expected, out = np.zeros((2, rows, columns), np.float32)
    matmul(a, b, expected, False, 0, False)
    order, row_order = np.arange(rows), np.zeros(rows, np.int64)
    numbers, counts = step_lists(rows, inner)
    rank = np.random.default_rng(2).permutation(ranks(rows))
    find_nonzero_features(nonzero_bits(a), order, rank, row_order, numbers, counts)
    assert sorted(row_order) == list(order) != list(row_order)
    out[:] = np.nan
    steps = NonzeroSteps(True, row_order, numbers, counts, *step_lists(0, 0))
    zero_skipping_matmul(a, b, out, False, 0, steps, skipping_buffers(rows, 0, 0))
    assert counts.sum() < counts.shape[0] * inner
    assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("columns", [LANES, 2 * LANES, 3 * LANES])
def test_a_weight_gradient_that_skips_examples_that_are_zero_has_the_same_bits(columns):
    inner, rows, block = INNER_BLOCK + 50, 8 * SKIP_ROWS + 1, 4 * SKIP_ROWS
    a, b = sparse(inner, rows), np.random.default_rng(1).standard_normal((inner, columns)).astype(np.float32)
    a[:, ::2] = 0
    a[:100, : 5 * SKIP_ROWS] = 0
    expected, out = np.zeros((2, rows, columns), np.float32)
    matmul(a, b, expected, True, 0, False)
    numbers, counts = step_lists(rows, inner)
    find_nonzero_examples(nonzero_groups(a), np.arange(inner), numbers, counts)
    assert counts.sum() < counts.shape[0] * inner
    steps = NonzeroSteps(True, np.zeros(0, np.int64), *step_lists(0, 0), numbers, counts)
    buffers = skipping_buffers(block, inner, columns)
    for first in range(0, rows, block):
        zero_skipping_matmul(a, b, out[first : first + block], True, first, steps, buffers)
    assert out.tobytes() == expected.tobytes()


def test_the_listed_features_are_all_those_in_which_a_row_of_the_tile_is_nonzero():
    a = sparse(5 * SKIP_ROWS, 2 * INNER_BLOCK + 70)
    numbers, counts = step_lists(*a.shape)
    row_order = np.zeros(len(a), np.int64)
    find_nonzero_features(nonzero_bits(a), np.arange(len(a)), ranks(len(a)), row_order, numbers, counts)
    for tile, nonzero in enumerate(np.split(a != 0, len(counts))):
        for block, begin in enumerate(range(0, a.shape[1], INNER_BLOCK)):
            (expected,) = np.nonzero(nonzero[:, begin : begin + INNER_BLOCK].any(0))
            assert numbers[tile, begin : begin + counts[tile, block]].tolist() == expected.tolist()


@pytest.mark.parametrize("base", KINDS.values(), ids=KINDS)
def test_a_run_has_the_same_bits_with_and_without_skipping(base, monkeypatch):
    of = {**base, "optimizer": {"kind": "adam", "lr": 1e-3}}
    runs = [member(recipe(of), replicate=i // 2, seed=7) for i in range(2)]
    skipping = trained(runs)
    assert streams.StreamData(runs[0], torch.device("cpu")).zeros is not None
    monkeypatch.setattr(zero_skipping, "MIN_ZERO_SHARE", 2.0)
    monkeypatch.setattr(streams, "_pools", type(streams._pools)())
    assert streams.StreamData(runs[0], torch.device("cpu")).zeros is None
    assert not differing(skipping, trained(runs))


def test_the_order_by_similarity_skips_more(images):
    pattern, bits = zero_pattern(images), nonzero_bits(images)
    given = ranks(len(images))
    assert sorted(pattern.rank) == given.tolist()
    shares = []
    for rank in (pattern.rank, given):
        numbers, counts = step_lists(len(images), images.shape[1])
        row_order = np.zeros(len(images), np.int64)
        find_nonzero_features(bits, np.arange(len(images)), rank, row_order, numbers, counts)
        shares.append(counts.sum() / counts.shape[0] / images.shape[1])
    assert shares[0] < 0.9 * shares[1] < 0.9


def test_examples_with_few_zeros_have_no_pattern(images):
    assert zero_pattern(np.maximum(images, 1)) is None
    assert zero_pattern(images[:3]) is None
    faces = load_splits(recipe(AUTOENCODER).data, seed=7, replicate=0).train.inputs
    assert zero_pattern(faces) is None
