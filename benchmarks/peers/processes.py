"""The plain loop in as many processes as there are cores, one run each, one thread each."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from threading import Thread

import torch

from benchmarks.peers._base import CHECKED, Peer, Trained, cores
from benchmarks.peers.sequential_loop import SequentialLoop
from benchmarks.tasks import Task

_loop: list[SequentialLoop] = []
"""In a child process: the loop that it has made ready."""


class Processes(Peer):
    packages = ("torch",)

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(cores(), mp_context=context, initializer=_make_ready, initargs=(task,))

    @classmethod
    def least_runs(cls) -> int:
        return cores()

    def train(self, runs: int, epochs: int) -> Trained:
        told = list(self._pool.map(_train, range(runs), [epochs] * runs))
        began, ended, quality = zip(*told, strict=True)
        return Trained(max(ended) - min(began), dict(enumerate(quality[:CHECKED])))


def _make_ready(task: Task) -> None:
    Thread(target=_leave_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _loop.append(SequentialLoop(task))


def _train(run: int, epochs: int) -> tuple[float, float, float]:
    """When training began and ended, by a clock that all processes share, and the quality reached."""
    began = time.monotonic()
    seconds, weights = _loop[0].train_run(run, epochs)
    return began, began + seconds, _loop[0].task.quality(run, weights)


def _leave_with_parent() -> None:
    """A pool's process waits for work for ever, even from a parent that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
