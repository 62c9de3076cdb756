"""Workers as processes of this machine: for a user's own modules, which hold Python's lock and may break their process.

Each worker is a new Python interpreter (`execution/worker_process.py`) that trains one task after the other, on one
thread. It is connected by a socket and shares pools through memory without a name, so whatever ends the parent ends
the connection, and with it the workers and the memory. Signals of a terminal reach the parent only.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Final, final

from paribus.errors import printable
from paribus.execution.channel import Channel
from paribus.execution.child_process import last_words, signal_name, started
from paribus.execution.encoding import decode, encode
from paribus.execution.events import EpochDone
from paribus.execution.executor import Deliver
from paribus.execution.memory_kills import memory_kills
from paribus.execution.messages import Failure, FromWorker, Heartbeat, Task, ToWorker
from paribus.execution.shared_memory import SharedArrays
from paribus.execution.silence import LEAST_S, Silence
from paribus.execution.withholding import withheld
from paribus.execution.worker import failure_of
from paribus.execution.worker_pool import WorkerPool

ENTRY: Final = "paribus.execution.worker_process"
END_S: Final = 5.0
"""Seconds that a worker may take to end by itself."""
LOOK_EVERY_S: Final = 1.0
"""Seconds between two looks at how long workers have been silent."""
STOPPED_S: Final = 5.0
"""Seconds between two looks from which on this process itself was stopped (Ctrl-Z): it could not hear its workers."""


@final
class ProcessExecutor(WorkerPool["_WorkerProcess"]):
    """Starts a process where no idle one is left, and ends one that is silent.

    Parameters
    ----------
    deliver : takes the messages of all tasks.
    entry : the module that a worker runs.
    least_silence_s : seconds of silence that are always allowed.
    """

    def __init__(self, deliver: Deliver, *, entry: str = ENTRY, least_silence_s: float = LEAST_S) -> None:
        super().__init__(deliver)
        self._entry = entry
        self._least_silence_s = least_silence_s
        self._shared = SharedArrays()
        self._closing = Event()
        self._watch = Thread(target=self._end_silent, name="paribus-watch", daemon=True)
        self._watch.start()

    def start(self, task: Task) -> None:
        with self._lock:
            idle = next((worker for worker in self._workers if worker.idle), None)
            if idle is None:
                idle = _WorkerProcess(self._entry, self._shared, self._received, self._ended)
                self._workers.append(idle)
            idle.begin(task, Silence(time.monotonic(), self._least_silence_s))

    def send(self, task_id: str, message: ToWorker) -> None:
        with self._lock:
            for worker in self._workers:
                if worker.task_id == task_id:
                    worker.send(message)

    def close(self) -> None:
        self._closing.set()
        with self._lock:
            workers = list(self._workers)
        for worker in workers:
            worker.close()
        self._watch.join()
        self._shared.close()

    @property
    def pids(self) -> list[int]:
        """The processes that are running."""
        with self._lock:
            return [worker.pid for worker in self._workers]

    def _end_silent(self) -> None:
        looked_s = time.monotonic()
        while not self._closing.wait(LOOK_EVERY_S):
            before_s, looked_s = looked_s, time.monotonic()
            with self._lock:
                for worker in self._workers:
                    if looked_s - before_s > STOPPED_S:
                        worker.excuse(looked_s)
                    worker.end_if_silent(looked_s)


@final
class _WorkerProcess:
    """One process, and the threads of the parent that write to it and read from it.

    `received` takes its messages, and `ended` why it ended, both in the thread that reads.
    """

    def __init__(
        self,
        entry: str,
        shared: SharedArrays,
        received: Callable[[_WorkerProcess, FromWorker], None],
        ended: Callable[[_WorkerProcess, Failure], None],
    ) -> None:
        self._shared, self._received, self._ended = shared, received, ended
        self._memory_kills = memory_kills()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        try:
            self._process, connection = started(entry, self._errors)
        except BaseException:
            self._errors.close()
            raise
        self._channel = Channel(connection)
        self._outbox: SimpleQueue[Task | ToWorker | None] = SimpleQueue()
        self._silence: Silence | None = None
        self._silent_s: float | None = None
        self._broken: Failure | None = None
        self._began_s = 0.0
        self.task_id: str | None = None
        self.cpu_s = self.memory_gib = 0.0
        self._closed = False
        self._writer = Thread(target=self._write, name=f"paribus-to-{self.pid}", daemon=True)
        self._reader = Thread(target=self._read, name=f"paribus-from-{self.pid}", daemon=True)
        self._writer.start()
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def idle(self) -> bool:
        return self.task_id is None and not self._closed

    @property
    def task_s(self) -> float:
        """Seconds since the task began."""
        return time.monotonic() - self._began_s

    def begin(self, task: Task, silence: Silence) -> None:
        self.task_id, self._silence, self._began_s = task.id, silence, time.monotonic()
        self._outbox.put(task)

    def send(self, message: ToWorker) -> None:
        self._outbox.put(message)

    def excuse(self, now_s: float) -> None:
        """Count the silence from now on."""
        if self._silence is not None:
            self._silence.heard(now_s)

    def end_if_silent(self, now_s: float) -> None:
        """Kill the process where it has a task, and has been silent for too long."""
        if self.task_id is not None and self._silence is not None and self._silence.too_long(now_s):
            self._silent_s = self._silence.limit_s
            self._process.kill()

    def close(self) -> None:
        """End the process, in a few seconds at most."""
        self._closed = True
        self._channel.end()
        self._reader.join()

    def _write(self) -> None:
        """Encode and send in a thread of its own: a process that does not read must not hold up the parent."""
        while (message := self._outbox.get()) is not None:
            try:
                self._channel.send(encode(withheld(message)), self._shared.opened)
            except ConnectionError:  # the process has ended, which the other thread tells
                return
            except (OSError, MemoryError, TypeError) as error:
                self._broken = failure_of(error)
                self._process.kill()
                return

    def _read(self) -> None:
        try:
            while True:
                message = decode(self._channel.receive())
                self._note(message)
                self._received(self, message)
        except (EOFError, OSError):
            pass
        except (ValueError, KeyError, TypeError, IndexError, MemoryError) as error:
            self._broken = Failure("died", f"sent what is no message ({printable(str(error))[:200]})")
            self._process.kill()
        failure = self._reaped()
        self._outbox.put(None)
        self._channel.end()
        self._writer.join()
        self._channel.close()
        self._errors.close()
        self._ended(self, failure)

    def _note(self, message: FromWorker) -> None:
        if self._silence is not None:
            self._silence.heard(time.monotonic())
            if isinstance(message, EpochDone):
                self._silence.epoch_took(message.runs / message.model_epochs_per_s)
        if isinstance(message, Heartbeat):
            self.cpu_s, self.memory_gib = message.cpu_s, message.memory_gib

    def _reaped(self) -> Failure:
        """Wait for the end of the process, and say why it ended."""
        with _reaping:
            before_s = _children_cpu_s()
            try:
                code = self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                code = self._process.wait()
            self.cpu_s = _children_cpu_s() - before_s
        if self._broken is not None:
            return self._broken
        if self._silent_s is not None:
            return Failure("silent", f"was silent for {self._silent_s:.0f} s and was ended")
        if code == -signal.SIGKILL and memory_kills() > self._memory_kills:
            return Failure("memory", "was killed by the system, because memory was lacking")
        if code < 0:
            return Failure("died", f"was killed by {signal_name(-code)}")
        words = printable(last_words(self._errors))[:300]
        kind = "memory" if "MemoryError" in words else "died"
        return Failure(kind, f"ended with exit code {code}{f' ({words})' if words else ''}")


_reaping = Lock()
"""Held while a process is waited for, so that the processor time which its end adds is its own."""


def _children_cpu_s() -> float:
    """Processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
