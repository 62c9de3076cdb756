"""A worker's end of its connection with the parent: it sends, and waits for replies by their ids."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from threading import Event, Lock
from typing import final

from paribus.data.pool import Split
from paribus.execution.messages import Acknowledgement, FromWorker, Grant, Refusal, Stop, TestReadRequest, ToWorker


class TestSetLockedError(RuntimeError):
    """The parent refused a read of the test set: it is not declared, or could not be logged."""

    __test__ = False  # pytest takes classes of this name for tests


class ParentGoneError(RuntimeError):
    """The parent has closed the connection, and replies no more."""


@final
class Link:
    """Connects the worker of one task with the parent. Every method may be called from any thread.

    `post` brings a message to the parent.
    """

    def __init__(self, post: Callable[[FromWorker], None]) -> None:
        self._post = post
        self._stop = Event()
        self._closed = False
        self._ids = count(1)
        self._lock = Lock()
        self._waited_for: dict[int, Future[Split | None]] = {}
        self._waiting = 0

    @property
    def stopping(self) -> bool:
        """Whether the parent has asked the worker to end."""
        return self._stop.is_set()

    @property
    def waiting(self) -> bool:
        """Whether the worker waits for a reply now."""
        return self._waiting > 0

    def new_id(self) -> int:
        """An id for a message that will be replied to. From now on, `wait` can be called with it."""
        with self._lock:
            number = next(self._ids)
            self._waited_for[number] = Future()
            if self._closed:
                self._waited_for[number].set_exception(ParentGoneError())
        return number

    def send(self, message: FromWorker) -> None:
        """Bring a message to the parent, and do not wait."""
        self._post(message)

    def granted(self, request: TestReadRequest) -> Split:
        """Ask for a read of the test set, and wait for its examples. Raises TestSetLockedError where it is refused, and
        ParentGoneError as `wait` does."""
        self._post(request)
        found = self.wait(request.id)
        if found is None:
            raise TestSetLockedError("the read of the test set was refused")
        return found

    def wait(self, number: int) -> Split | None:
        """Wait for the reply to the message with this id; the examples that it brings, if any. Once for each id.

        Raises ParentGoneError where the connection is closed first.
        """
        with self._lock:
            self._waiting += 1
        try:
            return self._waited_for[number].result()
        finally:
            with self._lock:
                self._waiting -= 1
                del self._waited_for[number]

    def close(self) -> None:
        """Ask the worker to end, and let it wait for no reply: there will be none."""
        self._stop.set()
        with self._lock:
            self._closed = True
            for reply in self._waited_for.values():
                if not reply.done():
                    reply.set_exception(ParentGoneError())

    def receive(self, message: ToWorker) -> None:
        """Take a message from the parent."""
        match message:
            case Stop():
                self._stop.set()
            case Grant():
                self._reply(message.id, message.test)
            case Acknowledgement() | Refusal():
                self._reply(message.id, None)

    def _reply(self, number: int, test: Split | None) -> None:
        with self._lock:
            if not self._closed:
                self._waited_for[number].set_result(test)
