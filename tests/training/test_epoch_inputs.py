"""Epochs that bring inputs of their own, in both engines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from paribus.spec.losses import MeanSquaredError
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.torch.engine import StackedTensorEngine
from tests.training.problems import assert_equals_the_plain_loop, problem, same_bits, settings
from tests.training.torch.conftest import one_thread  # noqa: F401 - for every test here

ENGINES = {"compiled": CompiledEngine(), "stacked": StackedTensorEngine(torch.device("cpu"))}
MSE = MeanSquaredError(kind="mse")


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    return request.param


TYPES = {"bytes for bytes": (True, np.uint8), "floats for bytes": (True, np.float32), "floats": (False, np.float32)}


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(("of_bytes", "kind"), TYPES.values(), ids=TYPES)
def test_networks_see_the_epochs_inputs(engine, of_bytes, kind, scaled):
    runs = [settings(dropout=0.2)] * 3
    of = problem(*runs, streams=(0, 0, 1), of_bytes=of_bytes, scaled=scaled, corrupted=kind)
    assert_equals_the_plain_loop(of, engine)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(("of_bytes", "kind"), TYPES.values(), ids=TYPES)
def test_reconstructions_are_compared_with_the_sessions_inputs(engine, of_bytes, kind, scaled):
    runs = [settings(MSE)] * 3
    of = problem(
        *runs, widths=(20, 7, 20), reconstruct=True, streams=(0, 1, 1), of_bytes=of_bytes, scaled=scaled, corrupted=kind
    )
    assert_equals_the_plain_loop(of, engine)


@pytest.mark.parametrize("reconstruct", [False, True])
def test_a_run_is_the_same_alone(engine, reconstruct):
    own = settings(MSE if reconstruct else None)
    widths = (20, 7, 20) if reconstruct else (20, 24, 9, 5)
    of = problem(*[own] * 3, widths=widths, reconstruct=reconstruct, streams=(0, 1, 1), corrupted=np.float32)
    together, losses = of.trained(engine)
    for run in range(3):
        alone, own_losses = of.alone(run).trained(engine)
        assert same_bits(dict(together.state(run)), dict(alone.state(0)))
        assert own_losses.tobytes() == losses[:, :, [run]].tobytes()


def test_epochs_with_inputs_of_their_own_take_turns_with_others(engine):
    of = problem(widths=(20, 40, 5), of_bytes=True, corrupted=np.uint8)
    plain = problem(widths=(20, 40, 5), of_bytes=True)
    session, other = of.session(engine), of.session(engine)
    first, second = of.epochs()[0], plain.epochs()[1]
    for one in (session, other):
        one.train_epoch(first)
        one.train_epoch(second)
    assert same_bits(dict(session.state(0)), dict(other.state(0)))
    alone = plain.session(engine)
    alone.train_epoch(plain.epochs()[0])
    alone.train_epoch(second)
    assert not same_bits(dict(session.state(0)), dict(alone.state(0)))


def test_where_features_are_zero_changes_no_bit():
    """The examples themselves, given as an epoch's own inputs: no zeros are skipped, and the bits are the same."""
    of = problem(widths=(48, 40, 5), of_bytes=True, rows=200, examples=190)
    values = of.inputs.values.copy()
    values[:, np.random.default_rng(0).permutation(48)[:30]] = 0
    values.setflags(write=False)
    of = replace(of, inputs=replace(of.inputs, values=values))
    same = replace(of, corrupted=np.stack([[values[order] for order in orders] for orders in of.orders]))
    (ours, losses), (theirs, their_losses) = of.trained(CompiledEngine()), same.trained(CompiledEngine())
    assert losses.tobytes() == their_losses.tobytes()
    assert same_bits(dict(ours.state(0)), dict(theirs.state(0)))
