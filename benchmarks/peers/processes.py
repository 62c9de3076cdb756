"""The plain loop in as many processes as there are cores, one run each, one thread each."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from threading import Thread

import torch

from benchmarks.peers._base import MAX_CHECKED, Peer, Trained, cores
from benchmarks.peers.sequential_loop import SequentialLoop
from benchmarks.tasks import Task

_loop: list[SequentialLoop] = []
"""In a child process: the loop that it has prepared."""


@dataclass(frozen=True)
class _TimedRun:
    """When training began and ended, by a clock that all processes share, and the quality after it."""

    began: float
    ended: float
    quality: float


class Processes(Peer):
    packages = ("torch",)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(cores(), mp_context=context, initializer=_prepare, initargs=(task,))

    @classmethod
    def min_runs(cls) -> int:
        return cores()

    def train(self, runs: int, epochs: int) -> Trained:
        timed = list(self._pool.map(_train, range(runs), [epochs] * runs))
        seconds = max(one.ended for one in timed) - min(one.began for one in timed)
        return Trained(seconds, {run: one.quality for run, one in enumerate(timed[:MAX_CHECKED])})


def _prepare(task: Task) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _loop.append(SequentialLoop(task))


def _train(run: int, epochs: int) -> _TimedRun:
    began = time.monotonic()
    trained = _loop[0].train_run(run, epochs)
    return _TimedRun(began, began + trained.seconds, _loop[0].task.quality(run, trained.weights))


def _end_with_parent() -> None:
    """A pool's process waits for work without end, even after its parent was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
