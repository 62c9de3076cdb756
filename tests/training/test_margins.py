"""Margins: those of PyTorch's forward pass, at no cost to any other number, and the same sums after an interruption."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from paribus.spec.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from paribus.training.cohort import ActiveRun, Cohort, TrainingState
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.torch.engine import StackedTensorEngine
from paribus.training.torch.module_engine import ModuleEngine
from tests.training.conftest import active, recipe, train_epoch
from tests.training.problems import parameters, problem, same_bits, settings
from tests.training.torch import module_runs

ENGINES = {"compiled": CompiledEngine(), "stacked": StackedTensorEngine(torch.device("cpu"))}
LOSSES = {
    "cross-entropy": (settings(CrossEntropy()), 5),
    "smoothed": (settings(CrossEntropy(label_smoothing=0.1)), 5),
    "weighted": (settings(CrossEntropy(class_weights=(1.0, 2.0, 0.5, 1.0, 1.0))), 5),
    "binary": (settings(BinaryCrossEntropy(kind="binary-cross-entropy")), 1),
}


def expected_margins(state, inputs, classes):
    """Of a network with two layers, by PyTorch's own operations."""
    tensors = {name: torch.from_numpy(np.array(tensor)) for name, tensor in state.items()}
    hidden = torch.relu(torch.from_numpy(inputs) @ tensors["fc1.weight"].T + tensors["fc1.bias"])
    outputs = hidden @ tensors["fc2.weight"].T + tensors["fc2.bias"]
    if outputs.shape[1] == 1:
        return np.where(classes == 1, outputs[:, 0], -outputs[:, 0])
    best = torch.topk(outputs, 2, dim=1)
    own = outputs[torch.arange(len(classes)), torch.from_numpy(classes)]
    other = torch.where(best.indices[:, 0] == torch.from_numpy(classes), best.values[:, 1], best.values[:, 0])
    return (own - other).numpy()


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize(("own", "outputs"), LOSSES.values(), ids=LOSSES)
def test_margins_are_those_of_the_forward_pass_before_each_step(engine, own, outputs):
    of = problem(own, own, widths=(20, 12, outputs), streams=[0, 1], batch_size=64)
    session = of.session(engine, keeps_margins=True)
    for epoch in of.epochs():
        before = [parameters(session.state(run)) for run in range(2)]
        session.train_epoch(epoch)
        found = session.margins()
        for run, stream in enumerate(of.streams):
            rows = epoch.order[stream]
            expected = expected_margins(before[run], of.seen(stream)[rows], of.targets[stream][rows])
            np.testing.assert_allclose(found[run], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_every_batch_has_its_place_in_the_order(engine):
    still = problem(settings(), widths=(20, 12, 5))
    still = replace(still, rates=np.zeros_like(still.rates))
    session = still.session(engine, keeps_margins=True)
    (epoch, *_) = still.epochs()
    session.train_epoch(epoch)
    rows = epoch.order[0]
    expected = expected_margins(still.states[0], still.seen(0)[rows], still.targets[0][rows])
    np.testing.assert_allclose(session.margins()[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_keeping_them_changes_no_other_number(engine):
    of = problem(settings(dropout=0.3), widths=(20, 24, 9, 5))
    plain, keeping = of.session(engine), of.session(engine, keeps_margins=True)
    for epoch in of.epochs():
        assert plain.train_epoch(epoch).tobytes() == keeping.train_epoch(epoch).tobytes()
    assert same_bits(plain.state(0), keeping.state(0))
    with pytest.raises(ValueError, match="no margins"):
        plain.margins()


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_numbers_to_be_predicted_have_no_margins(engine):
    of = problem(settings(MeanSquaredError(kind="mse")))
    with pytest.raises(ValueError, match="classes"):
        of.session(engine, keeps_margins=True)


def test_the_mean_over_epochs_goes_with_the_examples_and_survives_a_resume():
    of = active(recipe(network={"dropout": 0.2}, snapshots={"margins": True}))
    whole = Cohort([of], CompiledEngine())
    for _ in range(4):
        train_epoch(whole)
    part = Cohort([of], CompiledEngine())
    for _ in range(2):
        train_epoch(part)
    state = part.state(0)
    train_epoch(part)  # goes on, and changes nothing that was taken
    copy = TrainingState(state.epoch, state.steps, {n: np.array(t) for n, t in state.tensors.items()}, state.margins)
    resumed = Cohort([ActiveRun(of.spec, of.splits, copy)], CompiledEngine())
    for _ in range(2):
        train_epoch(resumed)
    first, second = whole.margins(0), resumed.margins(0)
    assert first is not None
    assert second is not None
    assert first.epochs == second.epochs == 4
    assert first.sums.tobytes() == second.sums.tobytes()


def test_the_company_of_other_runs_changes_no_margin():
    runs = [active(recipe(snapshots={"margins": True}), replicate=replicate) for replicate in range(3)]
    together, alone = Cohort(runs, CompiledEngine()), Cohort(runs[1:2], CompiledEngine())
    for cohort in (together, alone):
        train_epoch(cohort)
        train_epoch(cohort)
    place = [run.spec.id for run in together.runs].index(runs[1].spec.id)
    assert together.margins(place).sums.tobytes() == alone.margins(0).sums.tobytes()


def test_an_own_module_has_the_margins_of_its_outputs(tmp_path):
    run = module_runs.active(module_runs.prepared(tmp_path), snapshots={"margins": True}, training={"batch_size": 60})
    cohort = Cohort([run], ModuleEngine())
    train = run.splits.train
    outputs = cohort._session.networks.forward(cohort.inputs_of(train), train.rows).outputs[0]
    train_epoch(cohort)
    others = outputs.copy()
    others[np.arange(len(others)), train.labels] = -np.inf
    expected = outputs[np.arange(len(outputs)), train.labels] - others.max(axis=1)
    np.testing.assert_allclose(cohort.margins(0).means, expected, rtol=1e-4, atol=1e-5)
