"""Workers that stay for the next training of the same command.

A search trains rung after rung, and a new worker process takes seconds to import PyTorch. So a command that trains
several times makes its workers once, and lends them to each training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import final

from paribus.energy.meters import NodeLoad
from paribus.execution.executor import Deliver, Executor
from paribus.execution.messages import Finished, FromWorker, Task, ToWorker
from paribus.training.devices import Device


@final
class LastingWorkers:
    """Makes executors that share their workers, one after the other, until it is closed.

    Parameters
    ----------
    make : makes the executor that is shared, with the first training.
    """

    def __init__(self, make: Callable[[Device, Deliver], Executor]) -> None:
        self._make = make
        self._shared: Executor | None = None
        self._family = ""
        self._borrower: _Borrowed | None = None
        self._ended = 0

    def __call__(self, device: Device, deliver: Deliver) -> Executor:
        """An executor for one training. Its `close` leaves the workers, unless one of them still has a task."""
        if self._shared is None or device.family != self._family:
            self.close()
            self._shared, self._family = self._make(device, partial(self._deliver, self._ended)), device.family
        self._borrower = _Borrowed(self, self._shared, deliver)
        return self._borrower

    def close(self) -> None:
        """End every worker."""
        if self._shared is not None:
            self._shared.close()
        self._shared = self._borrower = None
        self._ended += 1

    def _deliver(self, ended: int, task_id: str, message: FromWorker) -> None:
        """Hand on a message, unless it is from a thread that ends later than its executor, `ended` executors ago."""
        if self._borrower is not None and ended == self._ended:
            self._borrower.take(task_id, message)


@final
class _Borrowed(Executor):
    """The shared executor during one training. `deliver` takes the messages of its tasks."""

    def __init__(self, lender: LastingWorkers, shared: Executor, deliver: Deliver) -> None:
        self._lender, self._shared, self._deliver = lender, shared, deliver
        self._going: set[str] = set()

    def start(self, task: Task) -> None:
        self._going.add(task.id)
        self._shared.start(task)

    def send(self, task_id: str, message: ToWorker) -> None:
        self._shared.send(task_id, message)

    def take(self, task_id: str, message: FromWorker) -> None:
        """Hand on a message of a worker."""
        if isinstance(message, Finished):
            self._going.discard(task_id)
        self._deliver(task_id, message)

    def close(self) -> None:
        if self._going:
            self._lender.close()

    @property
    def elsewhere(self) -> bool:
        return self._shared.elsewhere

    @property
    def cpu_s(self) -> float:
        return self._shared.cpu_s

    @property
    def memory_gib(self) -> float:
        return self._shared.memory_gib

    @property
    def nodes(self) -> Mapping[str, NodeLoad]:
        return self._shared.nodes
