"""Ctrl-C while a study trains: noted at once, obeyed when no write is half done."""

from __future__ import annotations

import signal
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, final

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@dataclass(frozen=True)
class Interrupted:
    """The program was asked to end."""


@final
class Interruptions(AbstractContextManager["Interruptions"]):
    """A `with` block in which a signal to end puts `Interrupted` on a queue and raises no exception.

    A signal handler that raises would do so between any two steps, also in the middle of recording, and the workspace
    and the state in memory would then differ. SIGINT, SIGTERM and SIGHUP are caught if the program has set a handler
    for them; a signal that is ignored (SIGHUP under `nohup`) or has its default effect keeps it. In other threads than
    the main thread, to which Python delivers all signals, the block changes nothing.
    """

    def __init__(self, queue: SimpleQueue[Any]) -> None:
        self._queue = queue
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruptions:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if callable(signal.getsignal(number)):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, _number: int, _frame: object) -> None:
        self._queue.put(Interrupted())  # a SimpleQueue allows this even while the same thread is inside its `get`
