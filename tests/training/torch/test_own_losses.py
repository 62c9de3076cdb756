"""Losses of the user's own: the bits of the loop that a user would write, and one line for what cannot be a loss."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch.nn import functional

from paribus.training.inference import Inference
from paribus.training.torch.module_engine import ModuleEngine
from paribus.training.torch.user_code import UserCodeError
from tests.training.torch.module_runs import active, bits, plain_loop, prepared, trained

LOSSES = """
import torch
from torch.nn import functional
from nets import LeNet, Squeeze


def focal(outputs, targets, gamma=2.0):
    # Lin, Goyal, Girshick, He and Dollar, "Focal loss for dense object detection" (2017)
    own = functional.cross_entropy(outputs, targets, reduction="none")
    return (1 - torch.exp(-own)) ** gamma * own


def log_cosh(outputs, targets):
    return (outputs - targets).cosh().log().flatten(1).mean(1)


def of_batch(outputs, targets):
    return functional.cross_entropy(outputs, targets)


def of_outputs(outputs, targets):
    return outputs


def wide(outputs, targets):
    return functional.cross_entropy(outputs, targets, reduction="none").double()


def constant(outputs, targets):
    return (outputs.argmax(1) != targets).float()


def centred(outputs, targets):
    return functional.cross_entropy(outputs - outputs.mean(0), targets, reduction="none")


def wrong(outputs, targets):
    raise ValueError("not here")


class Focal:
    pass
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "losses.py").write_text(LOSSES, encoding="utf-8")
    return prepared(tmp_path)


def own(folder, name="focal", arguments=None, network="LeNet", **over):
    loss = {"kind": "function", "function": f"losses.py:{name}", "arguments": arguments or {}}
    module = {"kind": "module", "module": f"losses.py:{network}"}
    module |= {"arguments": {} if network == "Squeeze" else {"classes": 3}}
    return active(folder, network=module, loss=loss, **over)


def test_a_loss_of_ones_own_has_the_bits_of_the_plain_loop(folder):
    run = own(folder, arguments={"gamma": 1.5})

    def focal(outputs, targets):
        cross_entropy = functional.cross_entropy(outputs, targets, reduction="none")
        return ((1 - torch.exp(-cross_entropy)) ** 1.5 * cross_entropy).mean()

    cohort, figures = trained(run, 3)
    model, _ = plain_loop(run, focal, lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9), epochs=3)
    found = {name: array for name, array in cohort.state(0).tensors.items() if "/" not in name}
    assert bits(found) == bits({name: tensor.numpy() for name, tensor in model.state_dict().items()})
    held_out = run.splits.validation
    with torch.no_grad():
        outputs = model.eval()(torch.tensor(held_out.inputs).reshape(-1, 1, 28, 28))
    expected = focal(outputs, torch.tensor(held_out.labels)).item()
    assert np.frombuffer(figures[-1][1])[0] == pytest.approx(expected, rel=1e-6)
    assert figures[-1][2][0] == int((outputs.argmax(1).numpy() == held_out.labels).sum())


def test_the_loss_of_known_outputs_is_that_of_their_network(folder):
    run = own(folder)
    network = Inference(run.spec, run.splits, run.state.tensors, ModuleEngine())
    held_out = run.splits.validation
    assert network.loss_of(network.outputs(held_out), held_out) == network.evaluate(held_out).loss[0]


def test_a_reconstruction_may_have_a_loss_of_its_own(folder):
    run = own(folder, "log_cosh", network="Squeeze", data={"task": "reconstruction"})
    _, figures = trained(run, 2)
    assert figures[-1][2] is None
    losses = [np.frombuffer(validation)[0] for _, validation, _ in figures]
    assert losses[1] < losses[0]


CASES = {
    "of_batch": ("one loss for each example, a tensor of shape", r"of shape \(\)"),
    "of_outputs": ("one loss for each example", r"of shape \(8, 3\)"),
    "wide": ("must be of float32", "float64"),
    "constant": ("must have a gradient", "a constant"),
    "centred": ("must not depend on the other examples", "another loss among fewer"),
    "wrong": ("must be computed without an error", "not here"),
    "focus": ("must have the loss that the study names", "focus"),
    "Focal": ("must be a function", "a class"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_no_loss_is_told_in_one_line(folder, name):
    rule, given = CASES[name]
    with pytest.raises(UserCodeError, match=rule) as caught:
        own(folder, name)
    assert re.search(given, caught.value.given)


def test_other_arguments_are_told(folder):
    with pytest.raises(UserCodeError, match=r"loss\.arguments by name") as caught:
        own(folder, arguments={"delta": 1})
    assert "delta" in caught.value.given
