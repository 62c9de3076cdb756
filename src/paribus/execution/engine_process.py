"""What the process of an `IsolatedEngine` runs: `python -m paribus.execution.engine_process DESCRIPTOR`.

The descriptor is its end of the connection. Requests come one after the other, and each gets one reply. The process
ends with its connection, whatever a user's code does meanwhile.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final, final

import numpy as np

from paribus.errors import UserError, printable
from paribus.execution.channel import Channel
from paribus.execution.encoding import decode, encode
from paribus.execution.engine_messages import (
    Done,
    Dropped,
    EngineReply,
    EngineRequest,
    EvaluationRequest,
    ForwardRequest,
    InitialState,
    InitialStateRequest,
    NetworksRequest,
    Refused,
)
from paribus.training.engine import Integers, ModuleArchitecture, Networks
from paribus.training.torch.module_engine import ModuleEngine, initial_state
from paribus.training.torch.module_networks import raise_user_error

_RULE: Final = "must be evaluated without an error"


def main(descriptor: int) -> None:
    """Answer requests until the connection ends; never returns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=descriptor))
    requests: SimpleQueue[EngineRequest] = SimpleQueue()
    Thread(target=_receive, args=(channel, requests), daemon=True).start()
    answers = Answers()
    while True:
        channel.send(encode(answers.to(requests.get())))


def _receive(channel: Channel, requests: SimpleQueue[EngineRequest]) -> None:
    try:
        while True:
            requests.put(decode(channel.receive()))
    except (EOFError, OSError):  # the parent is gone, or needs no more
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - the parent is told its last line
        traceback.print_exception(error)
        sys.stderr.flush()
        os._exit(1)


@final
class Answers:
    """Does what requests ask for."""

    def __init__(self) -> None:
        self._engine = ModuleEngine()
        self._networks: dict[int, Networks] = {}
        self._architectures: dict[int, ModuleArchitecture] = {}

    def to(self, request: EngineRequest) -> EngineReply:
        """The reply to a request; `Refused` for whatever a user's code raises."""
        try:
            return self._answer(request)
        except BaseException as error:  # noqa: BLE001 - told to the parent, which raises it
            return _refused(error, self._made_of(request))

    def _answer(self, request: EngineRequest) -> EngineReply:
        match request:
            case InitialStateRequest():
                return InitialState(initial_state(request.architecture, request.key))
            case NetworksRequest():
                if isinstance(request.architecture, ModuleArchitecture):
                    self._architectures[request.number] = request.architecture
                self._networks[request.number] = self._engine.networks(request.architecture, request.states)
                return Done()
            case Dropped():
                self._networks.pop(request.number, None)
                self._architectures.pop(request.number, None)
                return Done()
            case ForwardRequest():
                return self._networks[request.number].forward(request.inputs, _every_row(request.inputs.values))
            case EvaluationRequest():
                targets = None if request.targets is None else [request.targets]
                rows = [_every_row(request.inputs.values)]
                return self._networks[request.number].evaluator(request.inputs, rows, targets, request.loss)()

    def _made_of(self, request: EngineRequest) -> ModuleArchitecture | None:
        if isinstance(request, InitialStateRequest):
            return request.architecture
        return self._architectures.get(request.number)


def _every_row(values: np.ndarray) -> Integers:
    return np.arange(len(values), dtype=np.int64)


def _refused(error: BaseException, architecture: ModuleArchitecture | None) -> Refused:
    """An error as the parent is told: that of a user's code with its place."""
    try:
        if architecture is not None:
            raise_user_error(error, architecture.module)
    except UserError as known:
        error = known
    if isinstance(error, UserError):
        return Refused(error.rule, str(error.given), error.place, error.remedy)
    last = printable(traceback.format_exception_only(error)[-1])[:300]
    place = "" if architecture is None else Path(architecture.module.path).name
    return Refused(f"{_RULE}, got {last}", "", place, "correct it there")


if __name__ == "__main__":
    main(int(sys.argv[1]))
