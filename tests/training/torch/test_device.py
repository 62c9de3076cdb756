"""What a GPU would be asked to do, without one.

Fake tensors have a device and a shape, and no numbers: whatever would wait for a number or mix devices raises an error.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from paribus.spec.recipe import Clip
from paribus.training.torch import networks, session, transfer
from paribus.training.torch.accelerator import Accelerator, accelerator
from paribus.training.torch.engine import StackedTensorEngine
from tests.training.problems import problem, settings
from tests.training.torch.test_engine import ACTIVATIONS, LOSSES, OPTIMIZERS, outputs

KINDS = {
    **{name: {"optimizer": optimizer} for name, optimizer in OPTIMIZERS.items()},
    **{name: {"loss": loss} for name, loss in LOSSES.items()},
    "dropout": {"dropout": 0.3},
    "norm": {"clip": Clip(norm=0.5)},
    "value": {"clip": Clip(value=0.01)},
}
STREAMS = {"one stream": (0, 0), "a stream each": (0, 1), "shared streams": (0, 0, 1)}
CASES = [
    pytest.param(own, streams, id=f"{kind}, {which}")
    for i, (kind, own) in enumerate(KINDS.items())
    for j, (which, streams) in enumerate(STREAMS.items())
    if i % 3 == j or kind in ("cross-entropy", "dropout")
]
"""Every kind with one way to share streams, and two kinds with all."""
PLAIN = {"widths": (32, 32, 16), "examples": 50, "rows": 60, "of_bytes": True}


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


def launched(of, monkeypatch):
    """The operations of an epoch and of an evaluation, each of the second time, which is the one that is captured."""
    counted = []

    def counting(function, device):
        def call():
            with Launches() as launches:
                function()
            counted.append(launches.begun)

        assert device.type == "cuda"
        return call

    for module in (session, networks):
        monkeypatch.setattr(module, "Replayed", counting)
    # this alone waits for the device, when the launch is over
    monkeypatch.setattr(transfer, "to_host", lambda tensor: np.zeros(tuple(tensor.shape)))
    with FakeTensorMode(allow_non_fake_inputs=True):
        training = of.session(StackedTensorEngine(torch.device("cuda")))
        rows = [np.arange(len(of.inputs.values))] * len(of.orders[0])
        targets = None if of.targets is None else list(of.targets)
        evaluate = training.networks.evaluator(of.inputs, rows, targets, of.runs[0].loss)
        for epoch in of.epochs()[:2]:
            training.train_epoch(epoch)
            evaluate()
    return counted[2], counted[3]


@pytest.mark.parametrize(("kind", "streams"), CASES)
def test_an_epoch_and_an_evaluation_neither_wait_nor_leave_the_device(kind, streams, monkeypatch):
    own = settings(**kind)
    of = problem(
        *[own] * len(streams),
        widths=(20, 24, 9, outputs(own.loss)),
        activations=[ACTIVATIONS[4], ACTIVATIONS[5]],
        streams=streams,
        scaled=True,
        weighted=True,
        cycled=True,
    )
    training, evaluation = launched(of, monkeypatch)
    assert training["aten::bmm.out"]
    assert evaluation["aten::baddbmm"]
    made = {name for name in training + evaluation if name.startswith(("aten::zeros", "aten::ones", "aten::_to_copy"))}
    assert made <= {"aten::_to_copy"}, "buffers are made once, and nothing comes from elsewhere"


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda one: one.kind)
def test_every_activation_stays_on_the_device(activation, monkeypatch):
    assert all(launched(problem(activations=[activation] * 2), monkeypatch))


def test_launches_do_not_grow_with_the_runs(monkeypatch):
    few, many = (
        launched(problem(*[settings()] * count, streams=range(count), **PLAIN), monkeypatch)[0] for count in (2, 12)
    )
    assert few == many


def test_a_deeper_network_costs_the_launches_of_its_layers_alone(monkeypatch):
    shallow = problem(**PLAIN)
    deep = problem(**{**PLAIN, "widths": (32, 32, 64, 32, 16)})
    few, many = (launched(of, monkeypatch)[0].total() for of in (shallow, deep))
    steps, layers = -(-50 // 16), 2
    assert (many - few) / steps / layers == 6  # two forward, two for a weight and a bias, two back to its inputs


@pytest.mark.parametrize(("optimizer", "most"), [("sgd", 22), ("adamw", 28), ("rmsprop, centred", 31)])
def test_few_launches_a_step(optimizer, most, monkeypatch):
    def launches(examples):
        of = problem(settings(optimizer=OPTIMIZERS[optimizer]), **{**PLAIN, "examples": examples})
        return launched(of, monkeypatch)[0].total()

    assert (launches(48) - launches(16)) / 2 <= most


def test_an_accelerator_is_set_up_for_float32_throughout(monkeypatch):
    class Properties:
        name, total_memory, uuid = "a GPU", 80 * 2**30, "1-2-3"

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Properties)
    assert accelerator() == Accelerator(torch.device("cuda", 0), "a GPU", 80 * 2**30, "GPU-1-2-3")
    assert torch.get_float32_matmul_precision() == "highest"


def test_a_machine_without_a_gpu_has_no_accelerator(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert accelerator() is None
