"""Workers that live in other processes, here or elsewhere: which of them has which task, and what all have used."""

from __future__ import annotations

from threading import RLock
from typing import Generic, Protocol, TypeVar

from paribus.execution.executor import Deliver, Executor
from paribus.execution.messages import Failure, Finished, FromWorker, Heartbeat


class PooledWorker(Protocol):
    """A worker that trains one task after the other. `task_id` is None while it has none."""

    task_id: str | None
    cpu_s: float
    memory_gib: float

    @property
    def task_s(self) -> float:
        """Seconds since its task began."""
        ...


W = TypeVar("W", bound=PooledWorker)


class WorkerPool(Executor, Generic[W]):
    """The executors whose workers are not threads of this process. `deliver` takes the messages of all tasks.

    Each worker has a thread here that reads from it and calls `_received` and `_ended`.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._workers: list[W] = []
        self._lock = RLock()
        self._ended_cpu_s = self._peak_gib = 0.0

    @property
    def workers(self) -> int:
        """Workers that have not ended."""
        with self._lock:
            return len(self._workers)

    @property
    def cpu_s(self) -> float:
        with self._lock:
            return self._ended_cpu_s + sum(worker.cpu_s for worker in self._workers)

    @property
    def memory_gib(self) -> float:
        with self._lock:
            self._peak_gib = max(self._peak_gib, sum(worker.memory_gib for worker in self._workers))
            return self._peak_gib

    def _received(self, worker: W, message: FromWorker) -> None:
        """Take a message. One of a worker whose task was taken from it goes nowhere."""
        with self._lock:
            task_id = worker.task_id
            if task_id is not None and isinstance(message, Finished):
                worker.task_id = None
        if task_id is not None and not isinstance(message, Heartbeat):
            self._deliver(task_id, message)

    def _ended(self, worker: W, failure: Failure) -> None:
        """Note that a worker has ended, whatever the reason."""
        with self._lock:
            task_id, worker.task_id = worker.task_id, None
            self._leaves(worker)
            self._workers.remove(worker)
        if task_id is not None:
            self._deliver(task_id, Finished(worker.task_s, failure))

    def _leaves(self, worker: W) -> None:
        """Note what a worker has used that is about to leave. The lock is held."""
        self._ended_cpu_s += worker.cpu_s
