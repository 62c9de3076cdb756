"""State dicts as `torch.save` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch


def save_state(tensors: Mapping[str, npt.NDArray[Any]], path: Path) -> None:
    """A state dict of tensors, which `torch.load` opens with its default, `weights_only=True`."""
    torch.save({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}, path)
