"""The engine of stacked tensors against PyTorch's own loop, on the CPU."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch

from paribus.spec import activations as a
from paribus.spec import losses as l_
from paribus.spec import optimizers as o
from paribus.spec.recipe import Clip
from paribus.training.torch import networks
from paribus.training.torch.activations import ACTIVATIONS as ACTIVATIONS_OF_KIND
from paribus.training.torch.engine import StackedTensorEngine
from paribus.training.torch.inputs import Uploads
from paribus.training.torch.losses import LOSSES as LOSSES_OF_KIND
from paribus.training.torch.optimizers import OPTIMIZERS as OPTIMIZERS_OF_KIND
from tests.training.oracle import plain_evaluation, plain_loop, plain_outputs
from tests.training.problems import (
    LOSS_TOLERANCE,
    WEIGHT_TOLERANCE,
    assert_equals_the_plain_loop,
    largest_difference,
    parameters,
    problem,
    same_bits,
    settings,
)

ENGINE = StackedTensorEngine(torch.device("cpu"))
ACTIVATIONS = [
    a.Relu(),
    a.LeakyRelu(kind="leaky-relu", slope=0.1),
    a.Elu(kind="elu", alpha=0.7),
    a.Tanh(kind="tanh"),
    a.Sigmoid(kind="sigmoid"),
    a.Gelu(kind="gelu"),
    a.Silu(kind="silu"),
    a.Identity(kind="identity"),
]
CLASS_WEIGHTS = (0.5, 2.0, 1.0, 1.5, 0.25)
LOSSES = {
    "cross-entropy": l_.CrossEntropy(),
    "smoothing": l_.CrossEntropy(label_smoothing=0.1),
    "class weights": l_.CrossEntropy(class_weights=CLASS_WEIGHTS),
    "class weights and smoothing": l_.CrossEntropy(class_weights=CLASS_WEIGHTS, label_smoothing=0.2),
    "binary cross-entropy": l_.BinaryCrossEntropy(kind="binary-cross-entropy"),
    "mse": l_.MeanSquaredError(kind="mse"),
    "l1": l_.MeanAbsoluteError(kind="l1"),
    "huber": l_.Huber(kind="huber", delta=0.8),
}
MATRIX = ((0.8, 0.2, 0, 0, 0), (0, 1, 0, 0, 0), (0.1, 0.1, 0.8, 0, 0), (0, 0, 0, 0.6, 0.4), (0.2,) * 5)
ROBUST_LOSSES = {
    "generalised cross-entropy": l_.GeneralisedCrossEntropy(kind="generalised-cross-entropy", q=0.6),
    "symmetric cross-entropy": l_.SymmetricCrossEntropy(kind="symmetric-cross-entropy"),
    "soft bootstrapping": l_.SoftBootstrapping(kind="soft-bootstrapping", beta=0.7),
    "hard bootstrapping": l_.HardBootstrapping(kind="hard-bootstrapping"),
    "forward correction": l_.ForwardCorrection(kind="forward-correction", matrix=MATRIX),
}
OPTIMIZERS = {
    "sgd": o.Sgd(kind="sgd", lr=0.05),
    "momentum": o.Sgd(kind="sgd", lr=0.05, momentum=0.9),
    "nesterov": o.Sgd(kind="sgd", lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": o.Adam(kind="adam", lr=1e-3),
    "adam, decay": o.Adam(kind="adam", lr=1e-3, betas=(0.8, 0.99), weight_decay=1e-2),
    "adamw": o.AdamW(kind="adamw", lr=1e-3),
    "rmsprop": o.RmsProp(kind="rmsprop", lr=1e-3),
    "rmsprop, momentum": o.RmsProp(kind="rmsprop", lr=3e-5, momentum=0.9, weight_decay=1e-3),
    "rmsprop, centred": o.RmsProp(kind="rmsprop", lr=1e-3, alpha=0.9, centered=True),
}


def outputs(loss):
    return 1 if loss.kind == "binary-cross-entropy" else 5


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_with_every_optimizer(loss, optimizer):
    # activations go round, so that each meets every loss and every optimizer
    turn = list(LOSSES).index(loss) + list(OPTIMIZERS).index(optimizer)
    chosen = [ACTIVATIONS[turn % 8], ACTIVATIONS[(turn + 3) % 8]]
    own = settings(LOSSES[loss], OPTIMIZERS[optimizer])
    assert_equals_the_plain_loop(problem(own, activations=chosen, widths=(20, 24, 9, outputs(own.loss))), ENGINE)


@pytest.mark.parametrize("loss", ROBUST_LOSSES.values(), ids=ROBUST_LOSSES)
def test_every_robust_loss(loss):
    runs = [settings(loss, OPTIMIZERS["momentum"])] * 2
    assert_equals_the_plain_loop(problem(*runs, streams=(0, 1), activations=ACTIVATIONS[3:5]), ENGINE)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_as_near_to_exact_arithmetic_as_pytorch_is(optimizer):
    turn = list(OPTIMIZERS.values()).index(optimizer)
    of = problem(settings(optimizer=optimizer), activations=[ACTIVATIONS[turn % 8]] * 2)
    exact, ours = parameters(of.expected(0, torch.float64).state), of.trained(ENGINE)[0].state(0)
    theirs = of.expected(0).state
    for name, tensor in exact.items():
        assert np.square(ours[name] - tensor).sum() < 3**2 * np.square(theirs[name] - tensor).sum(), name


def one_of_each_kind():
    """Losses and optimizers of all kinds, one pair for each kind of optimizer and more."""
    losses, optimizers = list(LOSSES.values()), list(OPTIMIZERS.values())
    return [(losses[i % len(losses)], optimizers[i]) for i in range(len(optimizers))]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda activation: activation.kind)
def test_every_activation_with_dropout_drops_the_stated_units(activation):
    runs = [settings(optimizer=OPTIMIZERS["sgd"], dropout=share) for share in (0.3, 0.6)]
    assert_equals_the_plain_loop(problem(*runs, activations=[activation] * 2), ENGINE)


@pytest.mark.parametrize("kind", ["adam", "rmsprop"])
def test_an_eps_that_float32_rounds_to_zero_does_not_reach_the_padding(kind):
    optimizer = {"adam": o.Adam, "rmsprop": o.RmsProp}[kind](kind=kind, lr=1e-4, eps=1e-60)
    of = problem(settings(optimizer=optimizer), activations=[a.Tanh(kind="tanh")] * 2, epochs=1)
    assert_equals_the_plain_loop(of, ENGINE)


def test_dropout_without_hidden_layers_drops_nothing():
    assert_equals_the_plain_loop(problem(settings(dropout=0.5), widths=(20, 5)), ENGINE)


@pytest.mark.parametrize("loss", ["mse", "l1", "huber"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_reconstruction(loss, weighted):
    own = settings(LOSSES[loss], OPTIMIZERS["momentum"])
    assert_equals_the_plain_loop(problem(own, widths=(20, 7, 20), reconstruct=True, weighted=weighted), ENGINE)


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_of_examples(loss):
    own = settings(LOSSES[loss], OPTIMIZERS["momentum"])
    assert_equals_the_plain_loop(problem(own, widths=(20, 9, outputs(own.loss)), weighted=True), ENGINE)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_cycled_momentum(optimizer):
    assert_equals_the_plain_loop(problem(settings(optimizer=OPTIMIZERS[optimizer]), cycled=True), ENGINE)


@pytest.mark.parametrize("clip", [Clip(norm=0.5), Clip(norm=1e6), Clip(value=0.02)], ids=str)
@pytest.mark.parametrize("optimizer", ["nesterov", "adam, decay"])
def test_clipped_gradients(clip, optimizer):
    of = problem(settings(optimizer=OPTIMIZERS[optimizer], clip=clip))
    assert_equals_the_plain_loop(of, ENGINE)


@pytest.mark.parametrize("widths", [(20, 5), (16, 32, 16), (3, 1, 40, 2), (20, 24, 18, 11, 5)], ids=str)
def test_every_depth_and_width(widths):
    assert_equals_the_plain_loop(problem(widths=widths), ENGINE)


@pytest.mark.parametrize("of_bytes", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_inputs_are_scaled(of_bytes, scaled):
    runs = [settings()] * 3
    assert_equals_the_plain_loop(problem(*runs, streams=(0, 0, 1), of_bytes=of_bytes, scaled=scaled), ENGINE)


def test_a_network_of_one_batch_and_of_whole_batches():
    for examples in (7, 16, 32):
        assert_equals_the_plain_loop(problem(examples=examples), ENGINE)


STREAMS = {"one stream": (0, 0, 0), "a stream each": (0, 1, 2), "shared streams": (0, 0, 1)}
DIFFERENT = {
    "cross-entropy": [LOSSES["cross-entropy"], LOSSES["class weights"], LOSSES["class weights and smoothing"]],
    "huber": [l_.Huber(kind="huber", delta=delta) for delta in (0.2, 0.7, 3.0)],
    "sgd": [OPTIMIZERS[name] for name in ("sgd", "momentum", "nesterov")],
    "adam": [OPTIMIZERS["adam"], OPTIMIZERS["adam, decay"], o.Adam(kind="adam", lr=0.1, eps=1e-3)],
    "adamw": [o.AdamW(kind="adamw", lr=lr, weight_decay=10 * lr) for lr in (0.1, 0.01, 1e-3)],
    "rmsprop": [OPTIMIZERS[name] for name in ("rmsprop", "rmsprop, momentum", "rmsprop, centred")],
    "norm": [Clip(norm=norm) for norm in (0.1, 1.0, 10.0)],
    "value": [Clip(value=value) for value in (0.001, 0.1, 10.0)],
    "dropout": [0.1, 0.5, 0.9],
}


def with_(what):
    match what:
        case l_.LossBase():
            return settings(loss=what)
        case o.OptimizerBase():
            return settings(optimizer=what)
        case Clip():
            return settings(clip=what)
        case _:
            return settings(dropout=what)


@pytest.mark.parametrize("streams", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("different", DIFFERENT.values(), ids=DIFFERENT)
def test_runs_of_different_settings_are_the_same_alone_bit_by_bit(different, streams):
    of = problem(*map(with_, different), streams=streams, scaled=True)
    together, losses = of.trained(ENGINE)
    loss = of.runs[-1].loss
    evaluated = evaluation(of, together, loss)
    for run in range(3):
        own = of.alone(run)
        alone, own_losses = own.trained(ENGINE)
        assert same_bits(dict(together.state(run)), dict(alone.state(0)))
        assert own_losses.tobytes() == losses[:, :, [run]].tobytes()
        assert evaluation(own, alone, loss).loss == evaluated.loss[[run]]
        assert_equals_the_plain_loop(own, ENGINE)


def evaluation(of, session, loss, rows=range(60)):
    """Every stream evaluated on `rows` and its own targets of them."""
    rows = np.array(rows)
    count = len(of.orders[0])
    targets = None if of.targets is None else [own[rows] for own in of.targets]
    return session.networks.evaluator(of.inputs, [rows] * count, targets, loss)()


def test_a_diverging_run_leaves_the_others_alone():
    calm, wild = settings(optimizer=o.Sgd(kind="sgd", lr=0.1)), settings(optimizer=o.Sgd(kind="sgd", lr=1e6))
    of = problem(wild, calm, epochs=9)
    together, losses = of.trained(ENGINE)
    for run in (0, 1):
        alone, own_losses = of.alone(run).trained(ENGINE)
        assert same_bits(dict(together.state(run)), dict(alone.state(0)))
        assert own_losses.tobytes() == losses[:, :, [run]].tobytes()
    assert not np.isfinite(losses[-1, -1, 0])


@pytest.mark.parametrize(("loss", "optimizer"), one_of_each_kind(), ids=lambda one: one.kind)
def test_a_session_resumes_from_states_bit_by_bit(loss, optimizer):
    runs = [settings(loss, optimizer, dropout=0.2), settings(loss, optimizer, dropout=0.4)]
    of = problem(*runs, streams=(0, 1), widths=(20, 24, outputs(loss)), epochs=4, cycled=True)
    whole, losses = of.trained(ENGINE)
    first = of.session(ENGINE)
    for epoch in of.epochs()[:2]:
        first.train_epoch(epoch)
    states = [{name: np.array(tensor) for name, tensor in first.state(run).items()} for run in (0, 1)]
    second = of.session(ENGINE, states, steps=8)
    again = [second.train_epoch(epoch) for epoch in of.epochs()[2:]]
    assert np.array(again).tobytes() == losses[2:].tobytes()
    for run in (0, 1):
        assert same_bits(dict(second.state(run)), dict(whole.state(run)))


def test_a_state_is_a_copy_with_pytorchs_names_and_shapes():
    of = problem(settings(optimizer=OPTIMIZERS["adam"]))
    session = of.session(ENGINE)
    before = session.state(0)
    assert same_bits(parameters(before), of.states[0])
    session.train_epoch(of.epochs()[0])
    assert same_bits(parameters(before), of.states[0])
    names = set(of.states[0])
    assert set(before) == {prefix + name for prefix in ("", "exp_avg/", "exp_avg_sq/") for name in names}
    assert len(before) == len(list(before)) == 18
    assert set(session.networks.state(0)) == names


def test_epochs_of_other_lengths_train_as_well():
    long, short = problem(examples=53), problem(examples=20)
    orders = [long.epochs()[0], short.epochs()[1], long.epochs()[2]]
    session = long.session(ENGINE)
    losses = [session.train_epoch(epoch)[:, 0] for epoch in orders]
    expected = plain_loop(
        long.architecture,
        long.runs[0],
        long.seen(0),
        long.targets[0],
        [epoch.order[0] for epoch in orders],
        np.array([np.resize(epoch.learning_rates[:, 0], 4) for epoch in orders]),
        long.states[0],
        16,
    )
    assert largest_difference(parameters(session.state(0)), parameters(expected.state)) < WEIGHT_TOLERANCE["sgd"]
    assert np.concatenate(losses) == pytest.approx(np.concatenate(expected.losses), rel=LOSS_TOLERANCE)
    assert [len(own) for own in losses] == [4, 2, 4]


EVALUATED = {**LOSSES, **ROBUST_LOSSES, "identity": l_.CrossEntropy(label_smoothing=0.3)}


@pytest.mark.parametrize("loss", EVALUATED.values(), ids=EVALUATED)
@pytest.mark.parametrize("rows", [[5], range(60), [3] * 700])
def test_an_evaluation(loss, rows, monkeypatch):
    monkeypatch.setattr(networks, "_EVALUATED_VALUES", 1)  # the fewest examples at a time: 256
    of = problem(*[settings(loss)] * 3, streams=(0, 0, 1), widths=(20, 24, outputs(loss)), scaled=True)
    session, _ = of.trained(ENGINE)
    rows = np.array(rows)
    found = evaluation(of, session, loss, rows)
    for run, stream in enumerate(of.streams):
        mean, correct = plain_evaluation(
            of.architecture, session.networks.state(run), of.seen(stream)[rows], of.targets[stream][rows], loss
        )
        assert found.loss[run] == pytest.approx(mean, rel=LOSS_TOLERANCE)
        assert (None if found.correct is None else found.correct[run]) == correct


def test_an_evaluation_on_rows_that_all_runs_share():
    of = problem(*[settings(LOSSES["mse"])] * 3, streams=(0, 0, 1), widths=(20, 7, 20), reconstruct=True, scaled=True)
    session, _ = of.trained(ENGINE)
    rows = np.arange(10, 60, 7)
    found = session.networks.evaluator(of.inputs, [rows], None, LOSSES["mse"])()
    for run, stream in enumerate(of.streams):
        mean, _ = plain_evaluation(
            of.architecture, session.networks.state(run), of.seen(stream)[rows], None, LOSSES["mse"]
        )
        assert found.loss[run] == pytest.approx(mean, rel=LOSS_TOLERANCE)
    with pytest.raises(ValueError, match="3 sets of rows for 2 streams"):
        session.networks.evaluator(of.inputs, [rows] * 3, None, LOSSES["mse"])


def test_a_snapshot_evaluated_again_has_the_loss_that_it_was_selected_by():
    of = problem(settings(dropout=0.2), settings(dropout=0.4), streams=(0, 1), scaled=True)
    session = of.session(ENGINE)
    rows, targets = [np.arange(60)] * 2, list(of.targets)
    evaluate = session.networks.evaluator(of.inputs, rows, targets, of.runs[0].loss)
    seen = []
    for epoch in of.epochs():
        session.train_epoch(epoch)
        snapshots = [session.networks.state(run) for run in (0, 1)]
        seen.append((evaluate(), ENGINE.networks(of.architecture, snapshots)))
    assert len({found.loss.tobytes() for found, _ in seen}) == 3
    for found, later in seen:
        again = later.evaluator(of.inputs, rows, targets, of.runs[0].loss)()
        assert again.loss.tobytes() == found.loss.tobytes()
        assert again.correct.tolist() == found.correct.tolist()


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda activation: activation.kind)
def test_outputs_and_activations(activation):
    of = problem(*[settings(dropout=0.5)] * 2, activations=[activation] * 2, scaled=True, of_bytes=True)
    trained = of.trained(ENGINE)[0].networks
    rows = np.arange(59, 3, -2)
    found = trained.forward(of.inputs, rows, activations=True)
    assert trained.runs == 2
    assert trained.forward(of.inputs, rows).activations == ()
    for run in (0, 1):
        outputs_, hidden = plain_outputs(of.architecture, trained.state(run), of.seen(0)[rows])
        np.testing.assert_allclose(found.outputs[run], outputs_, rtol=1e-5, atol=1e-6)
        for ours, theirs in zip(found.activations, hidden, strict=True):
            np.testing.assert_allclose(ours[run], theirs, rtol=1e-5, atol=1e-6)
    assert all(array.flags["C_CONTIGUOUS"] for array in (found.outputs, *found.activations))


@pytest.mark.parametrize(
    ("runs", "streams", "told"),
    [
        ([settings(LOSSES["mse"]), settings(LOSSES["l1"])], (0, 0), "loss"),
        ([settings(optimizer=OPTIMIZERS["adam"]), settings(optimizer=OPTIMIZERS["adamw"])], (0, 0), "optimizer"),
        ([settings(dropout=0.1), settings()], (0, 0), "dropout"),
        ([settings(clip=Clip(norm=1.0)), settings()], (0, 0), "clip"),
        ([settings(clip=Clip(norm=1.0)), settings(clip=Clip(value=1.0))], (0, 0), "clip"),
        ([settings(), settings()], (0, 2), "streams"),
        ([settings(), settings()], (1, 0), "streams"),
    ],
)
def test_runs_that_cannot_train_together_are_refused(runs, streams, told):
    of = problem(*runs)
    with pytest.raises(ValueError, match=told):
        ENGINE.session(of.architecture, of.inputs, runs, streams, of.states, batch_size=16, steps=0)


def test_every_kind_is_tested_here():
    assert {one.kind for one in ACTIVATIONS} == set(ACTIVATIONS_OF_KIND)
    tested = {one.kind for one in (*LOSSES.values(), *ROBUST_LOSSES.values())}
    assert tested == set(LOSSES_OF_KIND) - {"early-learning-regularisation"}, "which training/test_remedies.py tests"
    assert {one.kind for one in OPTIMIZERS.values()} == set(OPTIMIZERS_OF_KIND)


def test_bytes_stay_bytes_and_are_uploaded_once_for_as_long_as_they_live():
    uploads, values = Uploads(torch.device("cpu")), np.arange(40, dtype=np.uint8).reshape(4, 10)
    held = uploads(values, 16)
    assert held.dtype == torch.uint8
    assert held[:, :10].tolist() == values.tolist()
    assert not held[:, 10:].any()
    assert uploads(values, 16) is held
    alive = weakref.ref(held)
    del held, values
    assert alive() is None
