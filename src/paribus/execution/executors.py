"""The executor of each task, by the engine that its runs need."""

from __future__ import annotations

from typing import final

from paribus.execution.executor import Deliver, Executor
from paribus.execution.messages import Task, ToWorker
from paribus.execution.threads import ThreadExecutor
from paribus.training.devices import Device, WorkerKind


@final
class ExecutorsByFamily(Executor):
    """Hands each task to threads or to processes, as `device` says for the family of its runs.

    Either begins with its first task, so a study of the compiled engine starts no process.
    """

    def __init__(self, device: Device, deliver: Deliver) -> None:
        self._device = device
        self._deliver = deliver
        self._executors: dict[WorkerKind, Executor] = {}
        self._by_task: dict[str, Executor] = {}

    def start(self, task: Task) -> None:
        kind = self._device.workers_are(task.runs[0].spec.family)
        if kind not in self._executors:
            self._executors[kind] = self._new(kind)
        self._by_task[task.id] = self._executors[kind]
        self._executors[kind].start(task)

    def send(self, task_id: str, message: ToWorker) -> None:
        self._by_task[task_id].send(task_id, message)

    def close(self) -> None:
        for executor in self._executors.values():
            executor.close()

    @property
    def cpu_s(self) -> float:
        return sum(executor.cpu_s for executor in self._executors.values())

    @property
    def memory_gib(self) -> float:
        return sum(executor.memory_gib for executor in self._executors.values())

    def _new(self, kind: WorkerKind) -> Executor:
        if kind == "threads":
            return ThreadExecutor(self._deliver, self._device.engine)
        from paribus.execution.processes import ProcessExecutor

        return ProcessExecutor(self._deliver)
