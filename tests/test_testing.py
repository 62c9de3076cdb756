"""The checks of own modules, losses and activations: PyTorch's pass, and each kind of mistake is told in one line."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from paribus.testing import check_activation, check_loss, check_module


class Net(nn.Module):
    def __init__(self, width: int = 4):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.head = nn.Linear(width * 36, 5)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).flatten(1))


class Counting(Net):
    def __init__(self):
        super().__init__()
        self.steps = 0

    def forward(self, x):
        self.steps += 1
        return super().forward(x) * (1 + self.steps / 100)


class Wide(Net):
    def forward(self, x):
        return torch.cat([super().forward(x)] * 2, dim=1)


class Unused(Net):
    def __init__(self):
        super().__init__()
        self.more = nn.Linear(2, 2)


def test_a_module_is_checked_and_counted_layer_by_layer():
    """The oracle of the counts is arithmetic: 2 operations for each product."""
    size = check_module(Net, shape=(1, 6, 6), outputs=5, arguments={"width": 3})
    layers = {layer.name: (layer.parameters, layer.operations) for layer in size.layers}
    assert layers == {"conv": (3 * 9 + 3, 2 * 36 * 3 * 9), "head": (5 * 108 + 5, 2 * 5 * 108)}
    assert size.parameters == sum(parameter.numel() for parameter in Net(3).parameters())


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (Counting, "must keep all that a step changes in its state dict"),
        (Wide, "must give outputs of shape 16 x 5"),
        (Unused, "must use all of its parameters, got no gradient for more.weight"),
    ],
)
def test_a_module_that_cannot_be_trained_is_told_in_one_line(cls, words):
    with pytest.raises(AssertionError) as caught:
        check_module(cls, shape=(1, 6, 6), outputs=5)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_module_may_give_numbers_or_images_back():
    class Same(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x):
            return self.layer(x)

    check_module(Net, shape=(1, 6, 6), outputs=5, task="regression")
    globals()["Same"] = Same
    check_module(Same, shape=(1, 4, 4), outputs=0, task="reconstruction")


@pytest.mark.parametrize("name", ["cross_entropy", "mse_loss", "l1_loss", "huber_loss"])
def test_pytorch_s_losses_pass(name):
    function = getattr(nn.functional, name)
    classes = name == "cross_entropy"

    def loss(outputs, targets):
        found = function(outputs, targets, reduction="none")
        return found if classes else found.mean(1)

    check_loss(loss, outputs=4, task="classification" if classes else "regression")


def mean(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets)


def relative(outputs, targets):
    found = nn.functional.cross_entropy(outputs, targets, reduction="none")
    return found / found.sum()


def detached(outputs, targets):
    p = outputs.softmax(1).gather(1, targets[:, None])[:, 0]
    return -(1 - p.detach()) * p.log()


def overflowing(outputs, targets):
    p = outputs.exp() / outputs.exp().sum(1, keepdim=True)
    return -p.gather(1, targets[:, None])[:, 0].log()


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (mean, "one loss for each example"),
        (relative, "must not depend on the other examples"),
        (detached, "must be that of finite differences"),
        (overflowing, "must be finite for outputs of up to 50"),
    ],
)
def test_a_wrong_loss_is_told_in_one_line(loss, words):
    with pytest.raises(AssertionError) as caught:
        check_loss(loss, outputs=4)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("activation", [torch.relu, torch.tanh, nn.functional.gelu, nn.SiLU(), nn.ELU()])
def test_pytorch_s_activations_pass(activation):
    check_activation(activation)


@pytest.mark.parametrize(
    ("activation", "words"),
    [
        (lambda x: x.softmax(1), "must treat each unit alone"),
        (nn.Dropout(0.5), "must give the same values twice"),
        (lambda x: x.exp(), "must be finite at 10000"),
        (lambda x: x.mul_(2), "must not change its inputs in place"),
        (lambda x: x.sum(1), "must keep shape and type"),
        (lambda x: x.abs().sqrt(), "must be finite at 0"),
        (lambda x: x * x.detach(), "must be that of finite differences"),
    ],
)
def test_a_wrong_activation_is_told_in_one_line(activation, words):
    with pytest.raises(AssertionError) as caught:
        check_activation(activation)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
