"""Replayed operations give what running the function again gives: without a GPU, a tape stands for the CUDA graph."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import partial

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from paribus.training.torch import networks, session
from paribus.training.torch.engine import StackedTensorEngine
from paribus.training.torch.graphs import Replayed
from tests.training.problems import problem, same_bits, settings
from tests.training.torch.test_device import CASES
from tests.training.torch.test_engine import ACTIVATIONS, outputs


class Taped:
    """What `Replayed` does on an accelerator: the second call is recorded, operation by operation, and that call and
    every later one repeat them on the very tensors that they had; no line of the function runs again."""

    def __init__(self, function, _device):
        self._function, self._calls, self._tape = function, 0, Tape()

    def __call__(self):
        self._calls += 1
        if self._calls > 2:
            self._tape.replay()
            return
        with self._tape if self._calls == 2 else nullcontext():
            self._function()


class Tape(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self._steps = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            self._steps.append((partial(func, *args, **(kwargs or {})), out))
        return out

    def replay(self):
        for step, kept in self._steps:
            for into, made in zip(tree_leaves(kept), tree_leaves(step()), strict=True):
                if isinstance(into, torch.Tensor) and into is not made:
                    into.copy_(made)


def trained(of):
    """The losses and evaluations of each epoch, and the states afterwards."""
    engine = StackedTensorEngine(torch.device("cpu"))
    training, loss = of.session(engine), of.runs[0].loss
    rows = [order[::-1].copy() for order in of.orders[0]]
    targets = None if of.targets is None else [own[at] for own, at in zip(of.targets, rows, strict=True)]
    evaluate = training.networks.evaluator(of.inputs, rows, targets, loss)
    found = []
    for epoch in of.epochs():
        losses, evaluation = training.train_epoch(epoch), evaluate()
        correct = () if evaluation.correct is None else evaluation.correct
        found.append((losses.tolist(), evaluation.loss.tolist(), list(correct)))
    return found, [dict(training.state(run)) for run in range(len(of.runs))]


@pytest.mark.parametrize(("kind", "streams"), CASES)
def test_a_replayed_epoch_is_an_epoch(kind, streams, monkeypatch):
    own = settings(**kind)
    of = problem(
        *[own] * len(streams),
        widths=(20, 24, 9, outputs(own.loss)),
        activations=[ACTIVATIONS[4], ACTIVATIONS[5]],
        streams=streams,
        epochs=4,
        scaled=True,
        weighted=True,
        cycled=True,
    )
    plain, states = trained(of)
    for module in (session, networks):
        monkeypatch.setattr(module, "Replayed", Taped)
    replayed, again = trained(of)
    assert replayed == plain
    assert all(same_bits(a, b) for a, b in zip(again, states, strict=True))


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


def test_off_an_accelerator_a_replayed_function_is_called_each_time():
    calls = []
    replayed = Replayed(lambda: calls.append(1), torch.device("cpu"))
    for _ in range(3):
        replayed()
    assert len(calls) == 3
