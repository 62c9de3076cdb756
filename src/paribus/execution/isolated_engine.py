"""The engine of a user's modules, for evaluation, in a process of its own: no user's code runs in this one.

It gives the bits that `training/torch/module_engine.py` gives in the process that trained. Only the examples that are
asked for leave this process, so the test set stays here until it is opened.
"""

from __future__ import annotations

import subprocess
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Lock
from typing import IO, Any, ClassVar, Final, final

import numpy as np

from paribus.errors import Shown, UserError, printable
from paribus.execution.channel import Channel
from paribus.execution.child_process import last_words, signal_name, started
from paribus.execution.encoding import decode, encode
from paribus.execution.engine_messages import (
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
from paribus.spec.identity import EngineFamily
from paribus.spec.losses import LossBase
from paribus.training.devices import engine_of
from paribus.training.engine import (
    AnyArchitecture,
    Engine,
    Evaluation,
    Forward,
    Inputs,
    Integers,
    ModuleArchitecture,
    Networks,
    Session,
    State,
    Targets,
)

ENTRY: Final = "paribus.execution.engine_process"
END_S: Final = 5.0
"""Seconds that the process may take to end by itself."""


def evaluation_engine(family: EngineFamily) -> Engine:
    """An engine that evaluates networks of a family; a user's modules in a process of their own."""
    return IsolatedEngine() if family == "module" else engine_of(family)


@contextmanager
def ended_after(*engines: Engine) -> Iterator[None]:
    """Afterwards, no engine has a process any more. One that is asked again starts another."""
    try:
        yield
    finally:
        for engine in engines:
            if isinstance(engine, IsolatedEngine):
                engine.close()


@final
class IsolatedEngine(Engine[AnyArchitecture]):
    """Evaluates modules in a child process, which starts with the first network and ends with this engine.

    What a user's code does wrong is a UserError, and so is the end of the process that it runs in.
    """

    family: ClassVar[EngineFamily] = "module"

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._numbers = count()
        self._unused: list[int] = []
        self._place = "module"

    def networks(self, architecture: AnyArchitecture, states: Sequence[State]) -> Networks:
        """See `Engine.networks`."""
        number = next(self._numbers)
        self.asked(NetworksRequest(number, architecture, states))
        return _IsolatedNetworks(self, number, states)

    def initial_state(self, architecture: ModuleArchitecture, key: int) -> State:
        """The state dict of a module that is made from random generators seeded with `key`."""
        self._place = Path(architecture.module.path).name
        found = self.asked(InitialStateRequest(architecture, key))
        assert isinstance(found, InitialState)
        return found.state

    def session(self, *_arguments: Any, **_named: Any) -> Session:
        """Raises ValueError: modules train in the worker processes of an executor."""
        raise ValueError("modules train in worker processes")

    def asked(self, request: EngineRequest) -> EngineReply:
        """The reply to a request. Raises UserError where the user's code fails, or ends its process."""
        if isinstance(request, NetworksRequest) and isinstance(request.architecture, ModuleArchitecture):
            self._place = Path(request.architecture.module.path).name
        if self._child is None:
            self._child = _Child()
        try:
            while self._unused:
                self._child.asked(Dropped(self._unused.pop()))
            reply = self._child.asked(request)
        except (EOFError, ConnectionError):
            ended, self._child = self._child.ended(), None
            rule, remedy = "must not end the process that evaluates it", "look for what does so in the file"
            raise UserError(rule, given=Shown(ended), place=self._place, remedy=remedy) from None
        if isinstance(reply, Refused):
            raise UserError(reply.rule, given=Shown(reply.given), place=reply.place or self._place, remedy=reply.remedy)
        return reply

    def drop(self, number: int) -> None:
        """Forget networks, before the next request."""
        self._unused.append(number)

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.close()
            self._child = None


@final
class _IsolatedNetworks(Networks):
    """Networks in the engine's process, under a number."""

    def __init__(self, engine: IsolatedEngine, number: int, states: Sequence[State]) -> None:
        self._engine, self._number, self._states = engine, number, states
        weakref.finalize(self, engine.drop, number).atexit = False

    @property
    def runs(self) -> int:
        return len(self._states)

    def state(self, run: int) -> State:
        return {name: np.array(tensor) for name, tensor in self._states[run].items()}

    def evaluator(
        self,
        inputs: Inputs,
        rows: Sequence[Integers],
        targets: Sequence[Targets] | None,
        loss: LossBase,
        *,
        predictions: bool = False,
    ) -> Callable[[], Evaluation]:
        """See `Networks.evaluator`. Raises ValueError for several sets of rows, and for predictions."""
        if predictions:
            raise ValueError("classes come from outputs")
        if len(rows) != 1:
            raise ValueError(f"{len(rows)} sets of rows, and one is evaluated at a time")
        goals = None if targets is None else np.ascontiguousarray(targets[0])

        def call() -> Evaluation:
            found = self._engine.asked(EvaluationRequest(self._number, _only(inputs, rows[0]), goals, loss))
            assert isinstance(found, Evaluation)
            return found

        return call

    def forward(self, inputs: Inputs, rows: Integers, *, activations: bool = False) -> Forward:  # noqa: ARG002
        """See `Networks.forward`; no activations, as modules have none."""
        found = self._engine.asked(ForwardRequest(self._number, _only(inputs, rows)))
        assert isinstance(found, Forward)
        return found


def _only(inputs: Inputs, rows: Integers) -> Inputs:
    """The examples `rows` and no others."""
    return Inputs(inputs.values[rows], inputs.divisor, inputs.centre, inputs.factor)


@final
class _Child:
    """The process, and this end of the connection to it."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        try:
            self._process, connection = started(ENTRY, self._errors)
        except BaseException:
            self._errors.close()
            raise
        self._channel = Channel(connection)
        self._lock = Lock()
        self._end = weakref.finalize(self, _end, self._process, self._channel, self._errors)

    def asked(self, request: EngineRequest) -> EngineReply:
        """Raises EOFError or ConnectionError where the process has ended."""
        with self._lock:
            try:
                self._channel.send(encode(request))
                return decode(self._channel.receive())
            except BaseException:
                self._channel.end()  # a reply that nobody has taken would be the next request's
                raise

    def ended(self) -> str:
        """How the process ended, once it has."""
        try:
            code = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        words = printable(last_words(self._errors))[:300]
        self.close()
        if code < 0:
            return f"signal {signal_name(-code)}"
        return f"exit code {code}{f' ({words})' if words else ''}"

    def close(self) -> None:
        self._end()


def _end(process: subprocess.Popen[bytes], channel: Channel, errors: IO[bytes]) -> None:
    """End a process that may be at work on what nobody waits for."""
    channel.end()
    process.kill()
    process.wait()
    channel.close()
    errors.close()
