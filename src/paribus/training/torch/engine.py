"""The engine of accelerators: every run of a session at once, in PyTorch operations that never wait for the device.

What changes from batch to batch is a constant of its batch or lies in a tensor, so that an epoch is captured once and
replayed as one launch (`graphs`). It runs on a CPU as well, where tests compare it with PyTorch's own loop.

Equal sessions give the same bits on equal devices. Nothing that a run computes reads another run's numbers; on a GPU,
though, cuBLAS may choose another matmul kernel for another number of runs, which adds in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, final

import torch

from paribus.spec.identity import EngineFamily
from paribus.training.engine import Architecture, Engine, Inputs, Networks, RunSettings, Session, State
from paribus.training.torch.inputs import Uploads
from paribus.training.torch.networks import StackedNetworks
from paribus.training.torch.parameters import Parameters
from paribus.training.torch.session import StackedSession
from paribus.training.torch.streams import StreamToRuns


@final
class StackedTensorEngine(Engine[Architecture]):
    """Trains and evaluates on one device. Features are uploaded once for all of an engine's sessions."""

    family: ClassVar[EngineFamily] = "cuda"

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._uploads = Uploads(device)

    def networks(self, architecture: Architecture, states: Sequence[State]) -> Networks:
        """See `Engine.networks`; each network has a stream of its own."""
        parameters = Parameters(architecture, states, self.device)
        return StackedNetworks(architecture, parameters, StreamToRuns(range(len(states)), self.device), self._uploads)

    def session(
        self,
        architecture: Architecture,
        inputs: Inputs,
        runs: Sequence[RunSettings],
        streams: Sequence[int],
        states: Sequence[State],
        *,
        batch_size: int,
        steps: int,
        keeps_margins: bool = False,
    ) -> Session:
        """See `Engine.session`. Raises ValueError also where some runs have dropout and others not, where they clip
        gradients in different ways, and where `streams` do not ascend from 0 by at most 1."""
        for what, values in (
            ("loss", {run.loss.kind for run in runs}),
            ("optimizer", {run.optimizer.kind for run in runs}),
            ("dropout, with or without", {run.dropout > 0 for run in runs}),
        ):
            if len(values) != 1:
                raise ValueError(f"the runs of a session are of one kind of {what}: {sorted(map(str, values))}")
        if keeps_margins and not all(run.loss.has_classes for run in runs):
            raise ValueError("only examples of classes have margins")
        if streams[0] != 0 or any(b - a not in (0, 1) for a, b in pairwise(streams)):
            raise ValueError(f"streams ascend from 0: {list(streams)}")
        return StackedSession(
            architecture,
            inputs,
            runs,
            streams,
            states,
            batch_size=batch_size,
            steps=steps,
            keeps_margins=keeps_margins,
            uploads=self._uploads,
            device=self.device,
        )
