"""Workers as threads of this process, on one copy of the data: for engines that leave Python's lock as they train."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import final

from paribus.execution.executor import Deliver, Executor
from paribus.execution.link import Link
from paribus.execution.messages import FromWorker, Task, ToWorker
from paribus.execution.worker import Worker
from paribus.training.engine import Engine


@final
class ThreadExecutor(Executor):
    """Hands tasks and messages over as they are: no array is copied.

    A thread cannot be ended from outside, and it is lost only with the whole process. What breaks a worker is an
    exception, lack of memory included.

    Parameters
    ----------
    deliver : takes the messages of all tasks.
    engine : makes the engine of a task.
    """

    def __init__(self, deliver: Deliver, engine: Callable[[], Engine]) -> None:
        self._deliver = deliver
        self._engine = engine
        self._running: dict[str, tuple[Link, Thread]] = {}

    def start(self, task: Task) -> None:
        def post(message: FromWorker) -> None:
            self._deliver(task.id, message)

        link = Link(post)
        thread = Thread(target=Worker(task, link, self._engine), name=f"paribus-task-{task.id}", daemon=True)
        self._running = {known: pair for known, pair in self._running.items() if pair[1].is_alive()}
        self._running[task.id] = link, thread
        thread.start()

    def send(self, task_id: str, message: ToWorker) -> None:
        if task_id in self._running:
            self._running[task_id][0].receive(message)

    def close(self) -> None:
        for link, _ in self._running.values():
            link.close()
        for _, thread in self._running.values():
            thread.join(CLOSE_S)


CLOSE_S = 1.0
"""Seconds that a thread which has sent its last message may take to end; others end with the process."""
