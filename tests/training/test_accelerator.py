"""What an accelerator would be asked to do, told without one.

Fake tensors have a device, a shape and no numbers: whatever would wait for a number, or mix devices, is told.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from paribus.training import engine_torch, epoch, measuring
from paribus.training.cohort import Cohort
from paribus.training.replay import Replayed
from tests.training.conftest import AUTOENCODER, CLASSIFIER, member, recipe

DROPPING = {**CLASSIFIER, "network": {"layers": [784, 40, 24, 10], "dropout": 0.3}}
DEEP = {**CLASSIFIER, "network": {"layers": [784, 32, 64, 32, 10]}}
ADAM = {**CLASSIFIER, "optimizer": {"kind": "adam", "lr": 1e-3}}
CENTRED = {**AUTOENCODER, "data": {"protocol": "faces/all", "train_images": 90, "center": True}}
KINDS = {"sgd": CLASSIFIER, "deep": DEEP, "adam": ADAM, "dropout": DROPPING, "faces": AUTOENCODER, "centred": CENTRED}
REPLICATES = {"one stream": (0, 0), "a stream each": (0, 1), "shared streams": (0, 0, 1)}


class Launches(TorchDispatchMode):
    """Counts the operations that an accelerator would begin; refuses those that involve another device."""

    def __init__(self):
        super().__init__()
        self.begun = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, torch.Tensor)]
        assert all(tensor.device.type == "cuda" for tensor in tensors), func
        if tensors and not func.is_view and func is not torch.ops.prim.device.default:
            self.begun[func.name()] += 1
        return out


def replicated(base, replicates):
    return [member(recipe(base), replicate=replicate) for replicate in replicates]


def launched(members, monkeypatch):
    """(operations of an epoch, of a measurement), each of the second time, which is the one that is captured."""
    told = []

    def counting(function, device):
        def call():
            with Launches() as launches:
                function()
            told.append(launches.begun)

        assert device.type == "cuda"
        return call

    monkeypatch.setattr(engine_torch, "Replayed", counting)
    for module in (epoch, measuring):  # these alone wait for the device, once what is replayed is over
        monkeypatch.setattr(module, "exact_sums", lambda parts: np.zeros(parts.shape[1]))
    with FakeTensorMode(allow_non_fake_inputs=True):
        cohort = Cohort(members, torch.device("cuda"))
        cohort.add_set("set", [m.splits.train for m in cohort.streams])
        for _ in range(2):
            cohort.train_epoch([0.1] * len(members))
            cohort.evaluate("set")
    return told[2], told[3]


@pytest.mark.parametrize("replicates", REPLICATES.values(), ids=REPLICATES)
@pytest.mark.parametrize("base", KINDS.values(), ids=KINDS)
def test_an_epoch_and_a_measurement_neither_wait_nor_leave_the_device(base, replicates, monkeypatch):
    training, measured = launched(replicated(base, replicates), monkeypatch)
    assert training["aten::bmm.out"]
    assert measured["aten::baddbmm"]
    made = {name for name in training + measured if name.startswith(("aten::zeros", "aten::ones", "aten::_to_copy"))}
    assert made <= {"aten::_to_copy"}, "buffers are made once, and nothing comes from elsewhere"


def test_launches_do_not_grow_with_the_runs(monkeypatch):
    few, many = (launched(replicated(CLASSIFIER, range(count)), monkeypatch)[0] for count in (2, 12))
    assert few == many


def test_a_deeper_network_costs_the_launches_of_its_layers_alone(monkeypatch):
    shallow, deep = (launched(replicated(base, (0,)), monkeypatch)[0].total() for base in (CLASSIFIER, DEEP))
    steps, layers = -(-300 // 64), 2
    assert (deep - shallow) / steps / layers == 6  # two forward, two for a weight and a bias, two back to its inputs


def test_few_launches_a_step(monkeypatch):
    steps = -(-300 // 64)
    assert launched(replicated(CLASSIFIER, (0, 1)), monkeypatch)[0].total() / steps < 30


@contextmanager
def recorded(graph, **_options):
    graph.recording = True
    yield
    graph.recording = False


class Graph:
    """Stands for `torch.cuda.CUDAGraph`."""

    def __init__(self):
        self.recording, self.replayed = False, 0

    def replay(self):
        self.replayed += 1


def test_on_an_accelerator_the_second_call_is_captured_and_every_later_one_replayed(monkeypatch):
    graphs, calls = [], []
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: graphs.append(Graph()) or graphs[-1])
    monkeypatch.setattr(torch.cuda, "graph", recorded)
    replayed = Replayed(lambda: calls.append(bool(graphs and graphs[0].recording)), torch.device("cuda"))
    for _ in range(5):
        replayed()
    assert calls == [False, True]
    assert [graph.replayed for graph in graphs] == [4]  # a captured function has not run: its graph has
