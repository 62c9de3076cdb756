"""Workers on a Ray cluster: a laptop's cores, or many machines.

Each worker is an actor of one core (`execution/ray_worker.py`). Data go to Ray's object store, named by their content,
and from there to each node once. Results come back to this process, which alone writes the workspace. Actors
end with this process, whatever ends it.

An actor begins when the cluster has a core for it. A cluster that has lost nodes has fewer cores than tasks were begun,
so a task whose actor waits for a core goes to the first actor that is done with its own.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final, final

from paribus.child_python import python_path
from paribus.energy.meters import NodeLoad
from paribus.errors import Shown, UserError, printable
from paribus.execution.encoding import Array, Encoded, Message, content_hash, decode, encode
from paribus.execution.events import EpochDone
from paribus.execution.executor import Deliver
from paribus.execution.messages import Failure, Finished, FromWorker, Stop, Task, ToWorker
from paribus.execution.ray_worker import News, RayWorker
from paribus.execution.shared_memory import MAX_BYTES, MAX_OPEN
from paribus.execution.silence import LEAST_S, Silence
from paribus.execution.withholding import withheld
from paribus.execution.worker import failure_of
from paribus.execution.worker_pool import WorkerPool
from paribus.training.devices import Device

if TYPE_CHECKING:
    from ray import ObjectRef

LOCAL: Final = "local"
WAIT_S: Final = 2.0
"""Seconds after which a worker that has nothing to tell says that it is there."""
LOOK_S: Final = 1.0
"""Seconds between two looks at whether an answer has come."""
START_S: Final = 30.0
"""Seconds that a worker may take to begin. After that, its task goes to another one that has nothing to do."""
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
class RayExecutor(WorkerPool["_Actor"]):
    """Hands tasks to actors of the cluster that this process is connected with.

    Parameters
    ----------
    deliver : takes the messages of all tasks.
    settings : variables of the environment that workers get, beside those of this process that begin with PARIBUS.
    entry : a module whose `install` each worker calls first; tests break workers by it.
    least_silence_s : seconds of silence that are always allowed.
    start_s : seconds that a worker may take to begin, before another one gets its task.
    """

    def __init__(
        self,
        _device: Device,
        deliver: Deliver,
        *,
        settings: Mapping[str, str] | None = None,
        entry: str = "",
        least_silence_s: float = LEAST_S,
        start_s: float = START_S,
    ) -> None:
        super().__init__(deliver)
        self._entry, self._least_silence_s, self._start_s = entry, least_silence_s, start_s
        own = {name: value for name, value in os.environ.items() if name.startswith("PARIBUS_")}
        self._settings = own | dict(settings or {})
        self._shared: OrderedDict[str, tuple[ObjectRef[Any], int]] = OrderedDict()
        self._putting = Lock()
        # Processor time of workers that have ended, by node.
        self._ended_on: defaultdict[str, float] = defaultdict(float)

    def start(self, task: Task) -> None:
        with self._lock:
            worker = next((worker for worker in self._workers if worker.idle), None)
            if worker is None:
                worker = _Actor(self._settings, self._entry, self._received, self._ended, self._waits)
                self._workers.append(worker)
            worker.assign(task, Silence(time.monotonic(), self._least_silence_s))
        self._tell(worker, task)

    def send(self, task_id: str, message: ToWorker) -> None:
        with self._lock:
            worker = next((worker for worker in self._workers if worker.task_id == task_id), None)
            if worker is None:
                return
            never_began = isinstance(message, Stop) and not worker.answered
            if never_began:  # it may wait for a core for a long time
                worker.task_id = None
                worker.kill()
        if never_began:
            self._deliver(task_id, Finished(0.0))
        else:
            self._tell(worker, message)

    def close(self) -> None:
        with self._lock:
            workers = list(self._workers)
        for worker in workers:
            worker.close()
        self._shared.clear()

    @property
    def elsewhere(self) -> bool:
        import ray

        return sum(bool(node["Alive"]) for node in ray.nodes()) > 1

    @property
    def nodes(self) -> dict[str, NodeLoad]:
        with self._lock:
            names = {*self._ended_on, *(worker.node for worker in self._workers if worker.node)}
            return {name: self._on(name) for name in sorted(names)}

    def _on(self, node: str) -> NodeLoad:
        here = [worker for worker in self._workers if worker.node == node]
        cpu_s = self._ended_on[node] + sum(worker.cpu_s for worker in here)
        return NodeLoad(len(here), cpu_s, sum(worker.memory_gib for worker in here))

    def _leaves(self, worker: _Actor) -> None:
        super()._leaves(worker)
        if worker.node:
            self._ended_on[worker.node] += worker.cpu_s

    def _tell(self, worker: _Actor, message: Task | ToWorker) -> None:
        """Bring a message to a worker. Where that cannot be done, its task is over."""
        from ray.exceptions import ObjectStoreFullError, OutOfDiskError

        try:
            encoded = encode(withheld(message))
            worker.tell(isinstance(message, Task), encoded, self._put(encoded.shared))
        except (ObjectStoreFullError, OutOfDiskError) as error:
            reason = f"could not be told its task: Ray's object store is full ({type(error).__name__})"
            worker.end(Failure("memory", reason, str(error)))
        except (OSError, MemoryError, TypeError) as error:
            worker.end(failure_of(error))

    def _put(self, shared: Mapping[str, Array]) -> dict[str, ObjectRef[Any]]:
        """Shared arrays in the object store, by content hash. The latest ones stay there for later tasks."""
        import ray

        found: dict[str, ObjectRef[Any]] = {}
        with self._putting:
            for name, array in shared.items():
                if name not in self._shared:
                    assert name == content_hash(array)
                    self._shared[name] = ray.put(array), array.nbytes
                found[name] = self._shared[name][0]
                self._shared.move_to_end(name)
            while len(self._shared) > MAX_OPEN or (
                len(self._shared) > 1 and sum(size for _, size in self._shared.values()) > MAX_BYTES
            ):
                self._shared.popitem(last=False)
        return found

    def _waits(self, worker: _Actor, since_s: float) -> None:
        """A worker has not begun for so long: its task goes to an idle one, if there is one."""
        with self._lock:
            idle = next((other for other in self._workers if other.idle and other.answered), None)
            if since_s < self._start_s or worker.task is None or worker.task_id is None or idle is None:
                return
            task, worker.task_id = worker.task, None
            idle.assign(task, Silence(time.monotonic(), self._least_silence_s))
            worker.kill()
        self._tell(idle, task)


@final
class _Actor:
    """One actor, and the thread of the parent that asks it for news.

    All in that thread: `received` takes its messages, `ended` why it ended, and `waits` for how many seconds it has
    not answered yet since it got its first task.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        entry: str,
        received: Callable[[_Actor, FromWorker], None],
        ended: Callable[[_Actor, Failure], None],
        waits: Callable[[_Actor, float], None],
    ) -> None:
        import ray

        made: Any = ray.remote(RayWorker)
        options = made.options(num_cpus=1, max_restarts=0, max_task_retries=0, max_concurrency=_CALLS)
        self._actor: Any = options.remote(dict(settings), entry)
        self._received, self._ended, self._waits = received, ended, waits
        self._made_s = time.monotonic()
        self._began_s: float | None = None
        self._silence = Silence(self._made_s)
        self._closing = Event()
        self._killed = False
        self._broken: Failure | None = None
        self.task: Task | None = None
        self.task_id: str | None = None
        self.answered = False
        self.cpu_s = self.memory_gib = 0.0
        self.node = ""
        self._reader = Thread(target=self._read, name="paribus-from-ray", daemon=True)
        self._reader.start()

    @property
    def idle(self) -> bool:
        return self.task_id is None and not self._killed

    @property
    def task_s(self) -> float:
        """Seconds since the worker was first heard of in its task."""
        return 0.0 if self._began_s is None else time.monotonic() - self._began_s

    def assign(self, task: Task, silence: Silence) -> None:
        """From now on it trains this task."""
        self.task = None if self.answered else task
        self.task_id, self._silence, self._began_s = task.id, silence, None

    def tell(self, begins: bool, message: Encoded, shared: Mapping[str, ObjectRef[Any]]) -> None:
        """Send a message, which `begins` a task or belongs to one. What Ray raises where it cannot, passes through."""
        sent = (message.values, message.arrays, list(shared), *shared.values())
        if begins:
            self._actor.begin.remote(*sent)
        else:
            self._actor.receive.remote(self.task_id, *sent)

    def end(self, failure: Failure) -> None:
        """End the actor's process at once, for that reason."""
        self._broken = self._broken or failure
        self.kill()

    def kill(self) -> None:
        """End the actor's process at once."""
        import ray

        self._killed = True
        ray.kill(self._actor)

    def close(self) -> None:
        """End the actor, and the thread that asks it."""
        self._closing.set()
        self.kill()
        self._reader.join()

    def _read(self) -> None:
        failure = self._read_to_its_end()
        self.kill()  # it may be alive, and only its answer lost
        self._ended(self, self._broken or failure)

    def _read_to_its_end(self) -> Failure:
        import ray
        from ray.exceptions import OutOfMemoryError, RayActorError, RayError

        try:
            while True:
                asked = self._actor.news.remote(WAIT_S)
                while not ray.wait([asked], timeout=LOOK_S)[0]:
                    self._look()
                self._take(ray.get(asked))
                self._look()
        except OutOfMemoryError as error:
            return Failure("memory", "was ended by Ray, because memory was lacking", str(error))
        except RayActorError as error:  # dead, or unreachable
            return Failure("died", "was lost with its process or its node", str(error))
        except RayError as error:
            return Failure("died", f"was lost ({printable(str(error))[:200]})", str(error))
        except (ValueError, KeyError, TypeError, IndexError, MemoryError) as error:
            return Failure("died", f"sent what is no message ({printable(str(error))[:200]})", str(error))

    def _take(self, news: News) -> None:
        now = time.monotonic()
        self.answered, self.task = True, None
        self._began_s = now if self._began_s is None else self._began_s
        self.cpu_s, self.memory_gib, self.node = news.cpu_s, news.memory_gib, news.node
        if news.at_work:
            self._silence.heard(now)
        for values, arrays in news.messages:
            message: Message = decode(Encoded(values, arrays, {}))
            if isinstance(message, EpochDone):
                self._silence.epoch_took(message.runs / message.model_epochs_per_s)
            self._received(self, message)  # type: ignore[arg-type]

    def _look(self) -> None:
        """Kill an actor that has a task, has answered once, and is silent for too long. One that waits for a free core
        has not begun."""
        now = time.monotonic()
        if self._closing.is_set() or self.task_id is None or self._killed:
            return
        if not self.answered:
            self._waits(self, now - self._made_s)
        elif self._silence.too_long(now):
            self.end(Failure("silent", f"was silent for {self._silence.limit_s:.0f} s and was ended"))
