"""Arrays to a device and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]


def to_device(array: Array, device: torch.device) -> Tensor:
    """A copy on the device. PyTorch has few operations for uint64: those bits come as int64."""
    return torch.tensor(array.view(np.int64) if array.dtype == np.uint64 else array, device=device)


def to_host(tensor: Tensor) -> Array:
    """A copy in NumPy, which waits until the device has computed it."""
    return tensor.to("cpu", copy=True).numpy()


def padded(array: Array, width: int) -> Array:
    """`array` with zeros at the end of its last axis, up to `width`."""
    missing = width - array.shape[-1]
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)]) if missing else array
