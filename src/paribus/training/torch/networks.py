"""Stacked networks as the engine contract has them: states, evaluation and outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor

from paribus.spec.losses import LossBase
from paribus.training.engine import (
    Architecture,
    Evaluation,
    Forward,
    Inputs,
    Integers,
    Networks,
    State,
    Targets,
)
from paribus.training.torch import transfer
from paribus.training.torch.batches import Batches
from paribus.training.torch.graphs import Replayed
from paribus.training.torch.inputs import ScaledInputs, Uploads
from paribus.training.torch.losses import LOSSES
from paribus.training.torch.parameters import Parameters
from paribus.training.torch.propagation import ForwardPass
from paribus.training.torch.streams import StreamToRuns

_EVALUATED_VALUES = 2**19
"""Evaluation takes as many examples at a time as have this many values in a run's widest layer, 2 MiB: few launches,
and memory for a thousand runs."""
_EVALUATED_EXAMPLES = 256
"""That number of examples is a multiple of this one, which is the least."""


@final
class StackedNetworks(Networks):
    """Networks whose parameters are one tensor on a device; `per_run` has the stream of each."""

    def __init__(
        self, architecture: Architecture, parameters: Parameters, per_run: StreamToRuns, uploads: Uploads
    ) -> None:
        self._architecture, self._parameters = architecture, parameters
        self._per_run, self._uploads = per_run, uploads
        self._device, self._widths = parameters.device, parameters.layout.padded

    @property
    def runs(self) -> int:
        return self._parameters.runs

    def state(self, run: int) -> State:
        return self._parameters.state(run)

    def evaluator(
        self,
        inputs: Inputs,
        rows: Sequence[Integers],
        targets: Sequence[Targets] | None,
        loss: LossBase,
        *,
        predictions: bool = False,
    ) -> Callable[[], Evaluation]:
        per_run, examples = self._per_run, len(rows[0])
        if len(rows) not in (1, per_run.streams):
            raise ValueError(f"{len(rows)} sets of rows for {per_run.streams} streams")
        order = transfer.to_device(np.stack(list(rows)), self._device)
        goals = None if targets is None else self._targets(np.stack(list(targets)))
        scaled = ScaledInputs(inputs, self._widths[0], self._uploads, self._device)
        forward = ForwardPass(self._parameters, self._architecture.activations)
        own = loss.evaluated
        losses = [own] * self.runs
        criterion = LOSSES[own.kind](losses, self._architecture.widths[-1], Batches(examples, examples), per_run)
        # the same for any number of runs, for the shape of a matmul can decide how it adds
        at_once = max(_EVALUATED_VALUES // max(self._widths) // _EVALUATED_EXAMPLES, 1) * _EVALUATED_EXAMPLES
        count = self._architecture.widths[-1]
        numbers = 0 if goals is None or loss.has_classes else count
        found = torch.zeros(2 + numbers, self.runs, dtype=torch.float64, device=self._device)

        predicted = torch.zeros(self.runs, examples, dtype=torch.int64, device=self._device) if predictions else None

        def evaluate() -> None:
            criterion.begin({} if goals is None else {"targets": goals})
            for some in Batches(examples, at_once):
                seen = per_run(scaled(order[:, some]))
                outputs = forward(seen)
                if predicted is not None:
                    predicted[:, some] = _classes(outputs[:, :, :count])
                criterion.record(some, outputs, seen)
            found[0] = criterion.means()[0]
            correct = criterion.correct()
            if correct is not None:
                found[1] = correct
            squares = criterion.squared_errors()
            if squares is not None:
                found[2:] = squares.t()

        replayed = Replayed(evaluate, self._device)

        def call() -> Evaluation:
            replayed()
            mean, correct, *squares = transfer.to_host(found)
            right = correct.astype(np.int64) if loss.has_classes else None
            classes = None if predicted is None else transfer.to_host(predicted)
            return Evaluation(mean, right, np.stack(squares, axis=1) / examples if squares else None, classes)

        return call

    def forward(self, inputs: Inputs, rows: Integers, *, activations: bool = False) -> Forward:
        scaled = ScaledInputs(inputs, self._widths[0], self._uploads, self._device)
        order = transfer.to_device(rows, self._device).unsqueeze(0)
        forward = ForwardPass(self._parameters, self._architecture.activations)
        outputs = forward(self._per_run(scaled(order)))
        widths = self._architecture.widths
        hidden = zip(forward.hidden, widths[1:-1], strict=True) if activations else ()
        return Forward(
            np.ascontiguousarray(transfer.to_host(outputs[:, :, : widths[-1]])),
            tuple(np.ascontiguousarray(transfer.to_host(values[:, :, :width])) for values, width in hidden),
        )

    def _targets(self, targets: Targets) -> Tensor:
        """Classes (stream, example), or numbers (stream, example, output) with zeros up to the padded width."""
        numbers = targets.ndim == 3
        return transfer.to_device(transfer.padded(targets, self._widths[-1]) if numbers else targets, self._device)


def _classes(outputs: Tensor) -> Tensor:
    """The class (run, example) of each example: that of the largest output, and of a single one, 1 if it is above 0."""
    return (outputs[:, :, 0] > 0).long() if outputs.shape[2] == 1 else outputs.argmax(2)
