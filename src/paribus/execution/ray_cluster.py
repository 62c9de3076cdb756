"""Workers on a Ray cluster: a laptop's cores, or many machines.

Each worker is an actor of one core (`execution/ray_worker.py`). Data go to Ray's object store once, named by their
content, and from there to each node once. Results come back to this process, which alone writes the workspace. Actors
end with this process, whatever ends it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Any, Final, final

from paribus.child_python import python_path
from paribus.errors import Shown, UserError, printable
from paribus.execution.encoding import Array, Encoded, Message, content_hash, decode, encode
from paribus.execution.events import EpochDone
from paribus.execution.executor import Deliver, Executor
from paribus.execution.messages import Failure, Finished, FromWorker, Task, ToWorker
from paribus.execution.ray_worker import News, RayWorker
from paribus.execution.silence import LEAST_S, Silence
from paribus.execution.withholding import withheld
from paribus.execution.worker import failure_of
from paribus.training.devices import Device

if TYPE_CHECKING:
    from ray import ObjectRef

LOCAL: Final = "local"
WAIT_S: Final = 2.0
"""Seconds after which a worker that has nothing to tell says that it is there."""
LOOK_S: Final = 1.0
"""Seconds between two looks at whether an answer has come."""
_CALLS: Final = 4
"""Calls that an actor carries out side by side: it waits for news in one of them."""


def connect(address: str) -> int:
    """Connect this process with a Ray cluster, or start one of this machine's cores where `address` is "local".

    Returns its cores, each of which trains one cohort at a time. Raises UserError where Ray is missing or nothing
    answers there. A process that is connected already stays so.
    """
    try:
        import ray
    except ModuleNotFoundError:
        rule, remedy = "needs Ray", "install paribus[ray], or leave the option out to train on this machine"
        raise UserError(rule, given=Shown("no Ray here"), place="--ray", remedy=remedy) from None
    if not ray.is_initialized():
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
        try:
            if address == LOCAL:
                cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
                paths = {"env_vars": {"PYTHONPATH": python_path()}}
                ray.init("local", num_cpus=cores, include_dashboard=False, runtime_env=paths, **options)
            else:
                ray.init(address, **options)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            text = printable(str(error)).partition(".")[0][:200]
            remedy = "write --ray local, or the address that `ray start --head` printed"
            raise UserError("must be a Ray cluster that answers", given=Shown(text or address), place="--ray",
                            remedy=remedy) from None  # fmt: skip
    cores = int(ray.cluster_resources().get("CPU", 0))
    if not cores:
        raise UserError("must have a core to train on", given=0, place="--ray", remedy="start nodes with CPUs")
    return cores


@final
class RayExecutor(Executor):
    """Hands tasks to actors of the cluster that this process is connected with.

    Parameters
    ----------
    deliver : takes the messages of all tasks.
    settings : variables of the environment that workers get, beside those of this process that begin with PARIBUS.
    entry : a module whose `install` each worker calls first; tests break workers by it.
    least_silence_s : seconds of silence that are always allowed.
    """

    def __init__(
        self,
        _device: Device,
        deliver: Deliver,
        *,
        settings: Mapping[str, str] | None = None,
        entry: str = "",
        least_silence_s: float = LEAST_S,
    ) -> None:
        self._deliver, self._entry, self._least_silence_s = deliver, entry, least_silence_s
        own = {name: value for name, value in os.environ.items() if name.startswith("PARIBUS_")}
        self._settings = own | dict(settings or {})
        self._shared: dict[str, ObjectRef[Any]] = {}
        self._workers: list[_Actor] = []
        self._lock = RLock()
        self._ended_cpu_s = self._peak_gib = 0.0

    def start(self, task: Task) -> None:
        with self._lock:
            idle = next((worker for worker in self._workers if worker.task_id is None), None)
            if idle is None:
                idle = _Actor(self._settings, self._entry, self._received, self._ended)
                self._workers.append(idle)
            idle.task_id, idle.silence, idle.began_s = task.id, Silence(time.monotonic(), self._least_silence_s), None
        try:
            idle.begin(self._put(encode(withheld(task))))
        except (OSError, MemoryError, TypeError) as error:
            self._refused(idle, failure_of(error))

    def send(self, task_id: str, message: ToWorker) -> None:
        with self._lock:
            found = [worker for worker in self._workers if worker.task_id == task_id]
        for worker in found:
            try:
                worker.receive(self._put(encode(withheld(message))))
            except (OSError, MemoryError, TypeError) as error:
                self._refused(worker, failure_of(error))

    def close(self) -> None:
        with self._lock:
            workers = list(self._workers)
        for worker in workers:
            worker.close()
        self._shared.clear()

    @property
    def workers(self) -> int:
        """Actors that have not ended."""
        with self._lock:
            return len(self._workers)

    @property
    def elsewhere(self) -> bool:
        import ray

        return sum(bool(node["Alive"]) for node in ray.nodes()) > 1

    @property
    def cpu_s(self) -> float:
        with self._lock:
            return self._ended_cpu_s + sum(worker.cpu_s for worker in self._workers)

    @property
    def memory_gib(self) -> float:
        with self._lock:
            self._peak_gib = max(self._peak_gib, sum(worker.memory_gib for worker in self._workers))
            return self._peak_gib

    def _put(self, message: Encoded) -> tuple[Any, tuple[Array, ...], list[str], list[ObjectRef[Any]]]:
        """A message whose shared arrays are in the object store. Raises MemoryError where that is full."""
        import ray
        from ray.exceptions import ObjectStoreFullError

        try:
            for name, array in message.shared.items():
                if name not in self._shared:
                    assert name == content_hash(array)
                    self._shared[name] = ray.put(array)
        except ObjectStoreFullError as error:
            raise MemoryError(f"Ray's object store is full: {printable(str(error))[:120]}") from error
        names = list(message.shared)
        return message.values, message.arrays, names, [self._shared[name] for name in names]

    def _received(self, worker: _Actor, message: FromWorker) -> None:
        with self._lock:
            task_id = worker.task_id
            if task_id is not None and isinstance(message, Finished):
                worker.task_id = None
        if task_id is not None:
            self._deliver(task_id, message)

    def _ended(self, worker: _Actor, failure: Failure) -> None:
        """Note that an actor has ended, whatever the reason."""
        with self._lock:
            task_id, worker.task_id = worker.task_id, None
            self._ended_cpu_s += worker.cpu_s
            self._workers.remove(worker)
        if task_id is not None:
            self._deliver(task_id, Finished(worker.task_s, failure))

    def _refused(self, worker: _Actor, failure: Failure) -> None:
        """A message could not be sent: the task is over, with that failure."""
        worker.broken = failure
        worker.kill()


@final
class _Actor:
    """One actor, and the thread of the parent that asks it for news.

    `received` takes its messages, and `ended` why it ended, both in that thread.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        entry: str,
        received: Callable[[_Actor, FromWorker], None],
        ended: Callable[[_Actor, Failure], None],
    ) -> None:
        import ray

        made: Any = ray.remote(RayWorker)
        options = made.options(num_cpus=1, max_restarts=0, max_task_retries=0, max_concurrency=_CALLS)
        self._actor: Any = options.remote(dict(settings), entry)
        self._received, self._ended = received, ended
        self._closing = Event()
        self.task_id: str | None = None
        self.silence = Silence(time.monotonic())
        self.began_s: float | None = None
        self.broken: Failure | None = None
        self.cpu_s = self.memory_gib = 0.0
        self._reader = Thread(target=self._read, name="paribus-from-ray", daemon=True)
        self._reader.start()

    @property
    def task_s(self) -> float:
        """Seconds since the worker was first heard of in its task."""
        return 0.0 if self.began_s is None else time.monotonic() - self.began_s

    def begin(self, sent: tuple[Any, tuple[Array, ...], list[str], list[ObjectRef[Any]]]) -> None:
        values, arrays, names, shared = sent
        self._actor.begin.remote(values, arrays, names, *shared)

    def receive(self, sent: tuple[Any, tuple[Array, ...], list[str], list[ObjectRef[Any]]]) -> None:
        values, arrays, names, shared = sent
        self._actor.receive.remote(values, arrays, names, *shared)

    def kill(self) -> None:
        """End the actor's process at once."""
        import ray

        ray.kill(self._actor)

    def close(self) -> None:
        """End the actor, and the thread that asks it."""
        self._closing.set()
        self.kill()
        self._reader.join()

    def _read(self) -> None:
        failure = self._read_to_its_end()
        self._ended(self, self.broken or failure)

    def _read_to_its_end(self) -> Failure:
        import ray
        from ray.exceptions import ActorDiedError, OutOfMemoryError, RayError

        try:
            while True:
                asked = self._actor.news.remote(WAIT_S)
                while not ray.wait([asked], timeout=LOOK_S)[0]:
                    self._end_if_silent()
                self._take(ray.get(asked))
                self._end_if_silent()
        except OutOfMemoryError as error:
            return Failure("memory", "was ended by Ray, because memory was lacking", str(error))
        except ActorDiedError as error:
            return Failure("died", "was lost with its process or its node", str(error))
        except RayError as error:
            return Failure("died", f"was lost ({printable(str(error))[:200]})", str(error))

    def _take(self, news: News) -> None:
        now = time.monotonic()
        self.began_s = now if self.began_s is None else self.began_s
        self.cpu_s, self.memory_gib = news.cpu_s, news.memory_gib
        if news.at_work:
            self.silence.heard(now)
        for values, arrays in news.messages:
            message: Message = decode(Encoded(values, arrays, {}))
            if isinstance(message, EpochDone):
                self.silence.epoch_took(message.runs / message.model_epochs_per_s)
            self._received(self, message)  # type: ignore[arg-type]

    def _end_if_silent(self) -> None:
        """Kill an actor that has a task, has answered once, and is silent for too long: one that waits for a free core
        has not begun."""
        if self._closing.is_set() or self.task_id is None or self.began_s is None:
            return
        if self.broken is None and self.silence.too_long(time.monotonic()):
            self.broken = Failure("silent", f"was silent for {self.silence.limit_s:.0f} s and was ended")
            self.kill()
