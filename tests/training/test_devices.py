from __future__ import annotations

import importlib.util

import pytest
import torch

from paribus.errors import UserError
from paribus.training.devices import CUDA_COHORT_SIZES, device_named


def test_the_cpu_trains_a_cohort_a_core_or_as_many_as_asked_for():
    assert device_named("cpu").workers >= 1
    assert device_named("cpu", 3).workers == 3
    assert device_named("cpu").family == "cpu"


@pytest.mark.parametrize("name", ["tpu", ""])
def test_a_device_that_is_not_known_is_refused(name):
    with pytest.raises(UserError, match="cpu, cuda"):
        device_named(name)


def test_a_gpu_that_is_not_there_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--device cuda: needs an NVIDIA GPU") as caught:
        device_named("cuda")
    assert "\n" not in str(caught.value)


def test_without_pytorch_a_gpu_needs_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"install paribus\[torch\]"):
        device_named("cuda")


def test_a_gpu_trains_one_large_cohort_at_a_time_in_float32(monkeypatch):
    class Properties:
        name, total_memory, uuid = "a GPU", 80 * 2**30, "1-2-3"

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Properties)
    device = device_named("cuda")
    assert (device.model, device.workers, device.cohort_sizes) == ("a GPU", 1, CUDA_COHORT_SIZES)
    assert device.gpu == "GPU-1-2-3"
    assert torch.get_float32_matmul_precision() == "highest"
