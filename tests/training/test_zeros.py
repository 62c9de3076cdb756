"""Leaving out what is zero: no bit of a product, and none of a run, is another for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paribus.data.protocols import load_splits
from paribus.training import streams, zeros
from paribus.training.tiles import DEPTH, FEW, product, product_of_chosen, room
from paribus.training.vectors import LANES
from paribus.training.zeros import WAY, Choice, choose_pixels, choose_rows, chosen, lit_groups, lit_pixels, zeros_of
from tests.training.conftest import AUTOENCODER, CLASSIFIER, differing, member, recipe, trained

DROPPING = {**CLASSIFIER, "network": {"layers": [784, 70, 24, 10], "dropout": 0.3}}
WIDE = {**CLASSIFIER, "network": {"layers": [784, 800, 10]}}
AUTO = {**AUTOENCODER, "data": CLASSIFIER["data"], "network": {"kind": "autoencoder", "layers": [784, 40, 784]}}
KINDS = {"classifier": CLASSIFIER, "dropout": DROPPING, "wide": WIDE, "autoencoder": AUTO}


@pytest.fixture(scope="module")
def images():
    """Bytes (image, pixel)."""
    inputs = load_splits(recipe().data, seed=7, replicate=0).train.inputs
    return np.rint(inputs * 255).astype(np.uint8)


def places(count):
    """Of images in the order in which they are."""
    return (np.arange(count) << WAY) // count


def sparse(rows, columns, lit=0.3):
    draw = np.random.default_rng(rows)
    blocks = np.repeat(draw.random((-(-rows // 5), columns)) < lit, 5, axis=0)[:rows]
    return (draw.standard_normal((rows, columns)) * blocks).astype(np.float32)


@pytest.mark.parametrize("columns", [LANES, 2 * LANES, 5 * LANES])
@pytest.mark.parametrize(("rows", "inner"), [(5 * FEW, 2 * DEPTH + 16), (2 * FEW + 5, DEPTH), (3, 40)])
def test_a_product_without_the_steps_that_are_zero_has_the_same_bits(rows, inner, columns):
    a, b = sparse(rows, inner), np.random.default_rng(1).standard_normal((inner, columns)).astype(np.float32)
    expected, out = np.zeros((2, rows, columns), np.float32)
    product(a, b, expected, False, 0, False)
    order, rows_of = np.arange(rows), np.zeros(rows, np.int64)
    which, counts = chosen(rows, inner)
    choose_pixels(lit_pixels(a), order, np.random.default_rng(2).permutation(places(rows)), rows_of, which, counts)
    assert sorted(rows_of) == list(order) != list(rows_of)
    out[:] = np.nan
    product_of_chosen(a, b, out, False, 0, Choice(True, rows_of, which, counts, *chosen(0, 0)), room(rows, 0, 0))
    assert counts.sum() < counts.shape[0] * inner
    assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("columns", [LANES, 2 * LANES, 3 * LANES])
def test_rows_of_a_gradient_leave_out_images_that_are_zero_there(columns):
    inner, rows, block = DEPTH + 50, 8 * FEW + 1, 4 * FEW
    a, b = sparse(inner, rows), np.random.default_rng(1).standard_normal((inner, columns)).astype(np.float32)
    a[:, ::2] = 0
    a[:100, : 5 * FEW] = 0
    expected, out = np.zeros((2, rows, columns), np.float32)
    product(a, b, expected, True, 0, False)
    which, counts = chosen(rows, inner)
    choose_rows(lit_groups(a), np.arange(inner), which, counts)
    assert counts.sum() < counts.shape[0] * inner
    choosing, used = Choice(True, np.zeros(0, np.int64), *chosen(0, 0), which, counts), room(block, inner, columns)
    for begin in range(0, rows, block):
        product_of_chosen(a, b, out[begin : begin + block], True, begin, choosing, used)
    assert out.tobytes() == expected.tobytes()


def test_the_steps_that_are_left_are_all_those_of_a_group_that_are_not_zero():
    a = sparse(5 * FEW, 2 * DEPTH + 70)
    which, counts = chosen(*a.shape)
    choose_pixels(lit_pixels(a), np.arange(len(a)), places(len(a)), np.zeros(len(a), np.int64), which, counts)
    for group, own in enumerate(np.split(a != 0, len(counts))):
        for part, begin in enumerate(range(0, a.shape[1], DEPTH)):
            (expected,) = np.nonzero(own[:, begin : begin + DEPTH].any(0))
            assert which[group, begin : begin + counts[group, part]].tolist() == expected.tolist()


@pytest.mark.parametrize("base", KINDS.values(), ids=KINDS)
def test_a_run_has_the_same_bits_with_zeros_and_without_knowing_of_them(base, monkeypatch):
    of = {**base, "optimizer": {"kind": "adam", "lr": 1e-3}}
    runs = [member(recipe(of), replicate=i // 2, seed=7) for i in range(2)]
    knowing = trained(runs)
    assert streams.StreamData(runs[0], torch.device("cpu")).zeros is not None
    monkeypatch.setattr(zeros, "WORTH", 2.0)
    monkeypatch.setattr(streams, "_pools", type(streams._pools)())
    assert streams.StreamData(runs[0], torch.device("cpu")).zeros is None
    assert not differing(knowing, trained(runs))


def test_like_goes_to_like_so_that_more_is_left_out(images):
    known, lit = zeros_of(images), lit_pixels(images)
    given = places(len(images))
    assert sorted(known.place) == given.tolist()
    left = []
    for place in (known.place, given):
        which, counts = chosen(len(images), images.shape[1])
        choose_pixels(lit, np.arange(len(images)), place, np.zeros(len(images), np.int64), which, counts)
        left.append(counts.sum() / counts.shape[0] / images.shape[1])
    assert left[0] < 0.9 * left[1] < 0.9


def test_what_has_few_zeros_is_left_alone(images):
    assert zeros_of(np.maximum(images, 1)) is None
    assert zeros_of(images[:3]) is None
    faces = load_splits(recipe(AUTOENCODER).data, seed=7, replicate=0).train.inputs
    assert zeros_of(faces) is None
