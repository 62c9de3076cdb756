"""What runs on a node of a Ray cluster: an actor that trains one task after the other, on one thread.

It is an ordinary class, which `execution/ray_cluster.py` makes an actor of. It takes and gives JSON values and arrays,
as a worker process does by its socket; arrays that tasks share come out of the node's object store.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Final, final

from paribus.energy.meters import peak_memory_gib
from paribus.execution.encoding import Array, Encoded, decode, encode
from paribus.execution.environment import environment
from paribus.execution.link import Link
from paribus.execution.messages import Checkpoint, Finished, FromWorker, RunEnded, Task, ToWorker
from paribus.execution.worker import Worker, failure_of
from paribus.execution.worker_process import AT_WORK
from paribus.training.devices import engine_of

NODE_DIGITS: Final = 8
"""Of a node's id, as many as tell the nodes of a cluster apart."""
Sent = tuple[Any, tuple[Array, ...]]
"""A message's JSON values and its own arrays."""


@dataclass(frozen=True)
class News:
    """What an actor has to tell: messages in order, whether it is at work, what its process has used, and on which node
    of the cluster it is.

    One that is neither at work nor waiting for a reply has come to a standstill.
    """

    messages: list[Sent]
    at_work: bool
    cpu_s: float
    memory_gib: float
    node: str


@final
class RayWorker:
    """The worker's end. `settings` are variables of the parent's environment, and `entry` a module whose `install` is
    called first: tests break workers by it."""

    def __init__(self, settings: Mapping[str, str], entry: str = "") -> None:
        os.environ.update(settings)
        if entry:
            importlib.import_module(entry).install()
        self._outbox: SimpleQueue[Sent] = SimpleQueue()
        self._link: Link | None = None
        self._task_id: str | None = None
        self._early: list[tuple[str, ToWorker]] = []
        self._lock = Lock()
        self._cpu_s = time.process_time()
        self._trains_modules = False

    def begin(self, values: Any, arrays: Sequence[Array], names: Sequence[str], *shared: Array) -> None:
        """Begin a task. `shared` are the arrays with these names. What cannot be begun ends with its failure."""
        try:
            self._begin(decode(Encoded(values, tuple(arrays), dict(zip(names, shared, strict=True)))))
        except BaseException as error:  # noqa: BLE001 - nobody looks at this call, so the parent would wait for ever
            self._post(Finished(0.0, failure_of(error)))

    def _begin(self, task: Task) -> None:
        self._trains_modules = task.runs[0].spec.module is not None
        link = Link(self._post)
        with self._lock:
            self._link, self._task_id = link, task.id
            early, self._early = self._early, []
        for task_id, message in early:
            if task_id == task.id:
                link.receive(message)
        work = Worker(task, link, partial(engine_of, task.runs[0].spec.family))
        Thread(target=work, name=f"paribus-task-{task.id}", daemon=True).start()

    def receive(self, task_id: str, values: Any, arrays: Sequence[Array], names: Sequence[str], *shared: Array) -> None:
        """Take a message from the parent to a task. It is kept until that has begun: calls may overtake each other."""
        message = decode(Encoded(values, tuple(arrays), dict(zip(names, shared, strict=True))))
        with self._lock:
            link = self._link if task_id == self._task_id else None
            if link is None:
                self._early.append((task_id, message))
        if link is not None:
            link.receive(message)

    def news(self, wait_s: float) -> News:
        """What there is to tell, after `wait_s` seconds at most."""
        found: list[Sent] = []
        try:
            found.append(self._outbox.get(timeout=wait_s))
            while True:
                found.append(self._outbox.get_nowait())
        except Empty:
            pass
        before, self._cpu_s = self._cpu_s, time.process_time()
        waits = self._link is None or self._link.waiting
        at_work = bool(found) or waits or self._cpu_s - before >= AT_WORK * wait_s
        return News(found, at_work, self._cpu_s, peak_memory_gib(), _node())

    def _post(self, message: FromWorker) -> None:
        found = encode(self._with_environment(message))
        self._outbox.put((found.values, found.arrays))

    def _with_environment(self, message: FromWorker) -> FromWorker:
        """A message about runs with the environment of this node."""
        here = environment(module=self._trains_modules)
        match message:
            case RunEnded():
                return replace(message, environment=here)
            case Checkpoint():
                return replace(message, runs=[replace(run, environment=here) for run in message.runs])
            case _:
                return message


def _node() -> str:
    """The id of this node, as `ray list nodes` has it, without its end; empty outside a cluster."""
    import ray

    return str(ray.get_runtime_context().get_node_id())[:NODE_DIGITS] if ray.is_initialized() else ""
