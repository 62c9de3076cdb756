"""The accelerators' optimizers, run here on the CPU: the same steps as PyTorch's fused kernels take."""

from __future__ import annotations

import pytest
import torch

from paribus.training import cohort
from paribus.training.cohort import Cohort
from paribus.training.optimizers_on_device import optimizer_on_device
from paribus.training.replay import Replayed
from tests.training.conftest import CLASSIFIER, member, recipe
from tests.training.test_pytorch import OPTIMIZERS, WEIGHT_TOLERANCE


def trained(members, epochs=2):
    made = Cohort(members)
    for _ in range(epochs):
        made.train_epoch([m.recipe.optimizer.lr for m in made.members])
    return made


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_takes_the_steps_of_the_fused_kernels(optimizer, monkeypatch):
    base = {key: value for key, value in CLASSIFIER.items() if key != "optimizer"}
    members = [member(recipe({**base, "optimizer": {**optimizer, "lr": optimizer["lr"] / (i + 1)}})) for i in range(3)]
    fused = trained(members)
    monkeypatch.setattr(cohort, "fused_optimizer", optimizer_on_device)
    on_device = trained(members)
    for run in range(3):
        ours, theirs = on_device.state(run).tensors, fused.state(run).tensors
        assert ours.keys() == theirs.keys()
        for name, tensor in theirs.items():
            if name.startswith("momentum_buffer") and not optimizer.get("momentum"):
                continue  # a buffer that nobody reads
            scale = tensor.abs().max().item() or 1.0
            assert (ours[name] - tensor).abs().max().item() / scale < WEIGHT_TOLERANCE[optimizer["kind"]]


def test_off_an_accelerator_a_replayed_function_is_called_each_time():
    calls = []
    replayed = Replayed(lambda: calls.append(1), torch.device("cpu"))
    for _ in range(3):
        replayed()
    assert len(calls) == 3
