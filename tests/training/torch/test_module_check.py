"""What cannot work is told in one line before anything trains, with its place."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest

from paribus.training.torch.user_code import UserCodeError
from tests.training.torch.module_runs import active

NET = """
import random
import time
import numpy as np
import torch
from torch import nn

CALLS = []


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.layer = nn.Linear(36, width)
        self.head = nn.Linear(width, 3)
        {init}

    def forward(self, x):
        x = torch.relu(self.layer(x.flatten(1)))
        {forward}
"""

# by name: what is added to __init__, forward, and what the message says of the rule, of what was given, and where
CASES = {
    "wrong width": ("pass", "return self.layer(x)", "must take inputs of shape 8 x 1 x 6 x 6", "cannot be multiplied"),
    "too few outputs": ("pass", "return self.head(x)[:, :2]", "must give outputs of shape 8 x 3", "8 x 2"),
    "one dimension": ("pass", "return self.head(x)[:, 0]", "must give outputs of shape 8 x 3", "8"),
    "a tuple": ("pass", "return self.head(x), x", "must give one tensor", "a tuple"),
    "double": ("pass", "return self.head(x).double()", "must give float32 outputs", "float64"),
    "half": ("pass", "return self.head(x).half()", "must give float32 outputs", "float16"),
    "whole numbers": ("pass", "return self.head(x).round().long()", "must give float32 outputs", "int64"),
    "no gradient": ("pass", "return self.head(x).detach()", "depend on its parameters", "a constant"),
    "unused": ("self.spare = nn.Linear(2, 2)", "return self.head(x)", "use all of its parameters", "spare.weight"),
    "not a number": ("pass", "return self.head(x) / 0 * 0", "finite numbers in its first step", "outputs"),
    "infinite gradient": ("pass", "return torch.sqrt(self.head(x) * 0)", "finite gradients", "layer.weight"),
    "in place": ("pass", "y = self.head(x).exp(); y.add_(1); return y", "backward pass", "inplace operation"),
    "time": ("pass", "return self.head(x) + time.perf_counter() % 1", "the same step twice", "two different"),
    "a generator of its own": (
        "self.own = np.random.default_rng()",
        "return self.head(x) + float(self.own.random())",
        "the same step twice",
        "two different",
    ),
    "random weights of its own": (
        "self.layer.weight.data += float(np.random.default_rng().random())",
        "return self.head(x)",
        "the same initial weights",
        "layer.weight",
    ),
    "a hidden number": ("self.steps = 0", "self.steps += 1; return self.head(x)", "state dict", "steps"),
    "a hidden tensor": (
        "self.running = torch.zeros(4)",
        "self.running = self.running + x.mean(0).detach(); return self.head(x + self.running)",
        "state dict",
        "running",
    ),
    "a buffer that is not saved": (
        "self.register_buffer('seen', torch.zeros(()), persistent=False)",
        "self.seen += 1; return self.head(x)",
        "state dict",
        "seen",
    ),
    "a hidden list": (
        "self.before = []",
        "self.before.append(1.0); return self.head(x) * len(self.before)",
        "state dict",
        "another step after loading it",
    ),
    "squeezed": ("pass", "return self.head(x).squeeze()", "outputs of shape 1 x 3 for inputs of shape 1 x", "3"),
    "lazy": ("self.lazy = nn.LazyLinear(3)", "return self.lazy(x)", "sizes when it is made", "lazy"),
    "brain floats": ("self.to(torch.bfloat16)", "return x", "no bfloat16", "layer.weight"),
    "an error": ("raise KeyError('here')", "return x", "must be made from its arguments", "KeyError: 'here'"),
}


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    arrays = [array for n in (40, 20) for array in (random.integers(0, 256, (36, n), np.uint8), np.arange(n) % 3)]
    np.savez(tmp_path / "images.npz", *arrays)
    return tmp_path


def net(folder, init="pass", forward="return self.head(x)"):
    (folder / "mine.py").write_text(NET.format(init=init, forward=forward), encoding="utf-8")


def base(**network):
    return {
        "data": {"source": "images.npz", "split": "given"},
        "network": {"kind": "module", "module": "mine.py:Net", **network},
        "optimizer": {"kind": "sgd", "lr": 0.1},
        "training": {"epochs": 1, "batch_size": 16},
    }


def refused(folder, **over):
    with pytest.raises(UserCodeError) as caught:
        active(folder, base=base(**over.pop("network", {})), **over)
    return caught.value


@pytest.mark.parametrize("case", CASES)
def test_what_a_module_does_wrong_is_told(folder, case):
    init, forward, rule, given = CASES[case]
    net(folder, init, forward)
    error = refused(folder)
    assert rule in error.rule
    assert given in error.given
    assert error.remedy
    if case in ("wrong width", "too few outputs", "an error", "a tuple"):
        file, line = error.where.split(":")
        assert file == "mine.py"
        assert 12 <= int(line) <= 21


def test_a_module_that_works_is_not_refused(folder):
    net(folder, "self.kept = None", "self.kept = x; return self.head(x)")
    active(folder, base=base())  # a copy of an activation for later looks is no state


@pytest.mark.parametrize(
    ("text", "rule", "given", "where"),
    [
        ("import torch\nimport nowhere\n", "imported", "No module named 'nowhere'", "mine.py:2"),
        ("class Net(\n", "imported", "SyntaxError", "mine.py:1"),
        ("import other\n", "imported", "ZeroDivisionError", "other.py:1"),
        ("raise SystemExit(0)\n", "imported", "SystemExit", "mine.py:1"),
        ("from torch import nn\nclass Nett(nn.Module): pass\n", "mine.py must have", "Net", ""),
        ("class Net:\n    pass\n", "must be a torch.nn.Module", "Net", ""),
        ("Net = 3\n", "must be a class", "int", ""),
        ("from torch import nn\nclass Net(nn.Module):\n    pass\n", "must have parameters", "none", ""),
    ],
)
def test_what_a_file_does_wrong_is_told(folder, text, rule, given, where):
    (folder / "mine.py").write_text(text, encoding="utf-8")
    (folder / "other.py").write_text("1 / 0\n", encoding="utf-8")
    error = refused(folder)
    assert rule in error.rule
    assert given in error.given
    assert error.where == where
    if "Nett" in text:
        assert error.remedy == "did you mean Nett?"


def test_arguments_that_the_class_does_not_take_are_told(folder):
    net(folder)
    error = refused(folder, network={"arguments": {"widht": 3}})
    assert "network.arguments" in error.rule
    assert "widht" in error.given
    assert error.remedy == "it takes width"


def test_a_last_batch_of_one_example_and_batch_normalisation_are_told_together(folder):
    net(folder, "self.norm = nn.BatchNorm1d(4)", "return self.head(self.norm(x))")
    error = refused(folder, training={"batch_size": 39})
    assert "the last batch has one" in error.rule
    assert "training.batch_size" in error.remedy


def test_a_file_may_not_have_the_name_of_a_python_module(folder):
    (folder / "random.py").write_text(textwrap.dedent(NET), encoding="utf-8")
    assert "name of a Python module" in refused(folder, network={"module": "random.py:Net"}).rule


def test_binary_cross_entropy_wants_one_logit(folder):
    random = np.random.default_rng(0)
    arrays = [array for n in (40, 20) for array in (random.integers(0, 256, (36, n), np.uint8), np.arange(n) % 2)]
    np.savez(folder / "images.npz", *arrays)
    net(folder)
    error = refused(folder, loss={"kind": "binary-cross-entropy"})
    assert "must give outputs of shape 8 x 1" in error.rule
    assert error.remedy == "give one logit for each example"
