"""What a worker process runs: `python -m paribus.execution.worker_process DESCRIPTOR`.

The descriptor is the socket of `execution/channel.py` to the parent. Tasks come one after the other. The process ends
with its connection: a parent that is gone leaves no worker behind.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Final, final

from paribus.energy.meters import peak_memory_gib
from paribus.execution.channel import Channel
from paribus.execution.encoding import decode, encode
from paribus.execution.events import EpochDone
from paribus.execution.link import Link
from paribus.execution.messages import FromWorker, Heartbeat, Task
from paribus.execution.worker import Worker
from paribus.training.devices import engine_of

BEAT_S: Final = 2.0
"""Seconds between two heartbeats."""
AT_WORK: Final = 0.005
"""The least share of a processor that a worker uses while it is at work. One that waits for something other than its
parent uses less, and is silent."""


def main(descriptor: int) -> None:
    """Train the tasks that come, until the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    WorkerProcess(Channel(socket.socket(fileno=descriptor))).run()


@final
class WorkerProcess:
    """The worker's end of a connection to the parent."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._tasks: SimpleQueue[tuple[Task, Link]] = SimpleQueue()
        self._link: Link | None = None

    def run(self) -> None:
        """Train one task after the other; never returns."""
        for target in (self._receive, self._beat):
            Thread(target=target, daemon=True).start()
        while True:
            task, link = self._tasks.get()
            Worker(task, link, partial(engine_of, task.runs[0].spec.family))()
            del task, link

    def _post(self, message: FromWorker) -> None:
        if not isinstance(message, EpochDone | Heartbeat):
            self._send_heartbeat()  # what the parent records of time and energy is up to date
        self._channel.send(encode(message))

    def _send_heartbeat(self) -> None:
        self._channel.send(encode(Heartbeat(time.process_time(), peak_memory_gib())))

    def _receive(self) -> None:
        try:
            while True:
                message = decode(self._channel.receive())
                if isinstance(message, Task):
                    self._link = Link(self._post)
                    self._tasks.put((message, self._link))
                elif self._link is not None:
                    self._link.receive(message)
        except (EOFError, OSError):  # the parent is gone, or has no more work
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - the parent is told its last line
            traceback.print_exception(error)
            sys.stderr.flush()
            os._exit(1)

    def _beat(self) -> None:
        """Send a heartbeat every `BEAT_S` seconds, if the process was at work since the last one or waits for a reply.

        A thread that sends heartbeats says nothing about the one that trains, but the processor time of both does.
        """
        before = 0.0
        while True:
            time.sleep(BEAT_S)
            cpu_s = time.process_time()
            if cpu_s - before >= AT_WORK * BEAT_S or self._link is None or self._link.waiting:
                self._send_heartbeat()
            before = cpu_s


if __name__ == "__main__":
    main(int(sys.argv[1]))
