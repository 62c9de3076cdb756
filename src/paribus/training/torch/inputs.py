"""Examples on a device: uploaded once, gathered and scaled batch by batch."""

from __future__ import annotations

import weakref
from threading import Lock
from typing import final

import torch
from torch import Tensor

from paribus.training.engine import Floats, Inputs
from paribus.training.torch.transfer import Array, padded, to_device


@final
class Uploads:
    """Features on a device, each array once for as long as it lives on the host."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._held: dict[tuple[int, int], Tensor] = {}
        self._lock = Lock()

    def __call__(self, values: Array, width: int) -> Tensor:
        """`values` (example, feature) with zeros up to `width` features; bytes stay bytes."""
        key = id(values), width
        with self._lock:
            if key not in self._held:
                self._held[key] = to_device(padded(values, width), self._device)
                weakref.finalize(values, self._held.pop, key, None).atexit = False
            return self._held[key]


@final
class ScaledInputs:
    """Gathers examples as a network sees them: (values / divisor - centre) * factor, with zeros up to `width`."""

    def __init__(self, inputs: Inputs, width: int, uploads: Uploads, device: torch.device) -> None:
        self._values = uploads(inputs.values, width)
        # a tensor, since dividing by a number an accelerator multiplies by its inverse, which is rounded otherwise
        self._divisor = torch.tensor(inputs.divisor, dtype=torch.float32, device=device)
        self._centre = _by_stream(inputs.centre, width, device)
        self._factor = _by_stream(inputs.factor, width, device)

    def __call__(self, rows: Tensor) -> Tensor:
        """The examples of `rows` (stream, example), as (stream, example, feature)."""
        return self._scaled(torch.div(self._values[rows], self._divisor))

    def of_epoch(self, values: Tensor) -> Tensor:
        """An epoch's own features (stream, example, feature) as networks see them: float32 is divided already."""
        return self._scaled(torch.div(values, self._divisor) if values.dtype == torch.uint8 else values)

    def _scaled(self, values: Tensor) -> Tensor:
        if self._centre is not None:
            values = values - self._centre
        return values if self._factor is None else values * self._factor


def _by_stream(values: Floats | None, width: int, device: torch.device) -> Tensor | None:
    return None if values is None else to_device(padded(values, width), device).unsqueeze(1)
