"""The accelerator of this machine, if PyTorch can use one."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Accelerator:
    """An NVIDIA GPU: its model's name, its memory, and its UUID as the driver knows it."""

    device: torch.device
    model: str
    memory_bytes: int
    uuid: str


def accelerator() -> Accelerator | None:
    """The first GPU, set up for float32 throughout and for the same sums at every run; None where there is none."""
    # read when cuBLAS is first used: its workspaces then have one fixed size, and its sums one order
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if not torch.cuda.is_available():
        return None
    torch.set_float32_matmul_precision("highest")
    properties = torch.cuda.get_device_properties(0)
    return Accelerator(torch.device("cuda", 0), properties.name, properties.total_memory, f"GPU-{properties.uuid}")
