"""The engine of stacked tensors against PyTorch's own loop, on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paribus.spec import activations as a
from paribus.spec import losses as l_
from paribus.spec import optimizers as o
from paribus.training.torch.engine import StackedTensorEngine
from tests.training.problems import assert_equals_the_plain_loop, problem, settings

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
OPTIMIZERS = {
    "sgd": o.Sgd(kind="sgd", lr=0.05),
    "momentum": o.Sgd(kind="sgd", lr=0.05, momentum=0.9),
    "nesterov": o.Sgd(kind="sgd", lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": o.Adam(kind="adam", lr=1e-3),
    "adam, decay": o.Adam(kind="adam", lr=1e-3, betas=(0.8, 0.99), weight_decay=1e-2),
    "adamw": o.AdamW(kind="adamw", lr=1e-3),
    "rmsprop": o.RmsProp(kind="rmsprop", lr=1e-3),
    "rmsprop, momentum": o.RmsProp(kind="rmsprop", lr=1e-3, momentum=0.9, weight_decay=1e-3),
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
