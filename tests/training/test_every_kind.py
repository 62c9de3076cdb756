"""Every kind that a study may declare is known wherever it is used, and none falls through to another.

The compiled engine, stacked tensors and modules have separate arithmetic, so each is the oracle of the others here.
PyTorch's own loop is that of each engine in its own tests.
"""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from paribus.export import weights
from paribus.report.search import sampler_in_words
from paribus.spec.losses import MeanSquaredError
from paribus.spec.search import Sampler
from paribus.training.cpu.activations import CODES
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.cpu.optimizers import MOMENTUM, OPTIMIZER_CODES
from paribus.training.cpu.passes import LOSS_CODES
from paribus.training.schedules import schedule_of
from paribus.training.torch.activations import ACTIVATIONS as STACKED_ACTIVATIONS
from paribus.training.torch.engine import StackedTensorEngine
from paribus.training.torch.losses import LOSSES as STACKED_LOSSES
from paribus.training.torch.module_training import criterion_of, example_losses, optimizer_of
from paribus.training.torch.optimizers import OPTIMIZERS as STACKED_OPTIMIZERS
from tests.kinds import ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES
from tests.training.conftest import recipe
from tests.training.oracle import plain_outputs
from tests.training.problems import largest_difference, parameters, problem, settings

CLASSES, EXAMPLES = 3, 12
OWN_LOSSES = {kind: loss for kind, loss in LOSSES.items() if kind != "function"}
"""A function of the user's needs no arithmetic of ours."""


def small(loss=None, optimizer=None, activation=None, **over):
    """Two layers, and two epochs of one batch."""
    outputs = 1 if loss is not None and loss.kind == "binary-cross-entropy" else CLASSES
    of = {"widths": (6, 8, outputs), "rows": EXAMPLES, "examples": EXAMPLES, "batch_size": EXAMPLES, "epochs": 2}
    return problem(settings(loss, optimizer), activations=activation and [activation], **of, **over)


def trained(of, engine):
    """The loss of each step, and the state behind them."""
    session, losses = of.session(engine), []
    for epoch in of.epochs():
        remembered = np.zeros((1, EXAMPLES, CLASSES), np.float32) if of.runs[0].loss.remembers else None
        losses += session.train_epoch(replace(epoch, memory=remembered))[:, 0].tolist()
    return losses, parameters(session.state(0))


def agreed(of):
    """The losses that both engines give, which also leave the same weights."""
    ours, theirs = trained(of, CompiledEngine()), trained(of, StackedTensorEngine(torch.device("cpu")))
    assert all(np.isfinite(tensor).all() for _, state in (ours, theirs) for tensor in state.values())
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    assert largest_difference(ours[1], theirs[1]) < 2e-4
    return ours[0]


def test_every_declared_kind_has_a_name_everywhere():
    assert set(ACTIVATIONS) == set(CODES) == set(STACKED_ACTIVATIONS)
    assert set(OWN_LOSSES) == set(LOSS_CODES) == set(STACKED_LOSSES)
    assert set(OPTIMIZERS) == set(OPTIMIZER_CODES) == set(MOMENTUM) == set(STACKED_OPTIMIZERS)
    assert set(SCHEDULES) == set(weights.SCHEDULES)
    for codes in (CODES, LOSS_CODES, OPTIMIZER_CODES):
        assert len(set(codes.values())) == len(codes)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_engines_agree_on_every_activation(kind):
    agreed(small(activation=ACTIVATIONS[kind]))


@pytest.mark.parametrize("kind", OWN_LOSSES)
def test_engines_and_modules_agree_on_every_loss(kind):
    loss = OWN_LOSSES[kind]
    assert loss.has_classes == (LOSS_CODES[kind] < LOSS_CODES["mse"]), "compiled code tells them apart by their codes"
    of = small(loss)
    first, _ = agreed(of)
    outputs = torch.tensor(plain_outputs(of.architecture, of.states[0], of.seen(0))[0])
    targets = torch.tensor(of.targets[0])
    if not loss.remembers:  # otherwise the criterion is another's, as modules keep the memory elsewhere
        assert first == pytest.approx(criterion_of(loss)(outputs, targets).item(), rel=1e-5)
    each, shares = example_losses(loss)(outputs, targets)
    evaluated = criterion_of(loss.evaluated)(outputs, targets)
    assert (each.sum() / shares.sum()).item() == pytest.approx(evaluated.item(), rel=1e-5)


@pytest.mark.parametrize("cycled", [False, True])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_engines_agree_on_every_optimizer(kind, cycled):
    if cycled and not OPTIMIZERS[kind].has_momentum:
        pytest.skip("it has no momentum")
    agreed(small(optimizer=OPTIMIZERS[kind], cycled=cycled))


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_modules_have_every_optimizer(kind):
    tensor = torch.ones(3, requires_grad=True)
    tensor.grad = torch.full((3,), 0.1)
    made = optimizer_of(OPTIMIZERS[kind], [tensor])
    made.step()
    assert (tensor < 1).all()
    assert made.state[tensor].keys() - {"step"} <= set(OPTIMIZERS[kind].buffers)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_every_schedule_has_rates(kind):
    schedule = schedule_of(recipe(schedule=SCHEDULES[kind].model_dump()))
    for epoch in range(4):
        assert (schedule.rates(epoch, 3).learning_rates > 0).all()
        schedule.observe({"train_loss": 1.0, "val_loss": 1.0})


def test_every_sampler_has_words():
    assert len({sampler_in_words(sampler) for sampler in get_args(Sampler)}) == len(get_args(Sampler))


@pytest.mark.parametrize(
    ("codes", "kind", "code"),
    [(CODES, "relu", 99), (LOSS_CODES, "mse", 99), (LOSS_CODES, "cross-entropy", -1), (OPTIMIZER_CODES, "sgd", 99)],
)
def test_a_code_without_a_branch_in_compiled_code_gives_nan(codes, kind, code, monkeypatch):
    monkeypatch.setitem(codes, kind, code)
    losses, _ = trained(small(MeanSquaredError(kind="mse") if kind == "mse" else None), CompiledEngine())
    assert np.isnan(losses[-1])
