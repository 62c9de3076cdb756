"""Ctrl-C while a study trains: heard at once, heeded when nothing is half written."""

from __future__ import annotations

import signal
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, final


@dataclass(frozen=True)
class Interrupted:
    """Someone asked the program to end."""


@final
class Interruptions(AbstractContextManager["Interruptions"]):
    """A `with` block in which a signal to end puts `Interrupted` on a queue, and raises nothing.

    An exception out of nowhere would strike between any two steps of the recording too, and leave what was recorded and
    what is remembered of it at odds. SIGINT is caught, and SIGTERM where the program has given it a meaning of its own.
    Outside the main thread, which alone hears signals, nothing is changed.
    """

    def __init__(self, queue: SimpleQueue[Any]) -> None:
        self._queue = queue
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruptions:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if callable(signal.getsignal(number)):
                    self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, _number: int, _frame: object) -> None:
        self._queue.put(Interrupted())  # allowed in the midst of a `get` of the same queue: it is a SimpleQueue
