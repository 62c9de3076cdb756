"""CUDA graphs: a whole epoch as one launch in place of thousands."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch


@final
class Replayed:
    """A function that reads and writes the same tensors at every call, and never waits for the device.

    On a CUDA device the first call runs it as it is, which makes its buffers; the second captures it; that call and
    every later one replay the graph. Elsewhere each call is a plain one.
    """

    def __init__(self, function: Callable[[], None], device: torch.device) -> None:
        self._function = function
        self._captures = device.type == "cuda"
        self._warm = False
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        if not self._captures or not self._warm:
            self._function()
            self._warm = True
            return
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            # other threads may launch work meanwhile: none of it is captured
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._function()
            self._graph = graph
        self._graph.replay()
