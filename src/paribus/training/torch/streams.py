"""From streams to runs: runs of one stream see the same examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor


@final
class StreamToRuns:
    """Broadcasts what streams share to their runs; `streams` has the stream of each run, ascending from 0."""

    def __init__(self, streams: Sequence[int], device: torch.device) -> None:
        self.runs, self.device = len(streams), device
        self.streams = streams[-1] + 1
        self._stream_of = torch.tensor(list(streams), device=device)

    def __call__(self, values: Tensor) -> Tensor:
        """(stream, ...) or (1, ...) as (run, ...): a copy only where some runs share a stream and others do not."""
        if len(values) == 1:
            return values.expand(self.runs, *values.shape[1:])
        if self.streams == self.runs:
            return values
        return values.index_select(0, self._stream_of)
