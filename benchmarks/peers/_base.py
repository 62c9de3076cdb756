"""What every tool answers to: train so many runs of a task for so many epochs, and say how long it took."""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from benchmarks.tasks import Task

CHECKED = 8
"""Runs whose quality is looked at, at most."""

SHORT_S = 0.4
"""A training shorter than this is repeated within one measurement."""

Weights = Mapping[str, npt.NDArray[np.float32]]
"""`fc1.weight` (out, in), `fc1.bias` (out,), ..."""


class UnavailableError(Exception):
    """Why a tool cannot do a task, or cannot run here."""


@dataclass(frozen=True)
class Trained:
    """Wall seconds of the training alone, and `Task.quality` after it of some runs, `CHECKED` at most."""

    seconds: float
    quality: Mapping[int, float]


class Peer(ABC):
    """One tool on one task. Whatever `train` needs once (compilation, processes, tensors) is made in `warm_up`."""

    packages: ClassVar[tuple[str, ...]]
    """Distributions whose versions belong to a measurement."""
    together: ClassVar[bool] = False
    """Whether many runs train as one program; where not, more runs take as much longer."""
    needs_compiler: ClassVar[bool] = False
    long_enough: ClassVar[bool] = False
    """Whether `train` sees to it itself that its seconds come from `SHORT_S` or more."""

    def __init__(self, task: Task, device: str = "cpu") -> None:
        self.task = task
        self.device = device
        """"cuda" of those tools alone that `benchmarks.gpu` measures."""
        if self.needs_compiler and not shutil.which("g++"):
            raise UnavailableError("needs a compiler")

    @classmethod
    def versions(cls) -> dict[str, str]:
        return {package: version(package) for package in cls.packages}

    @classmethod
    def least_runs(cls) -> int:
        """The smallest number of runs that shows the tool as it is meant."""
        return 1

    def warm_up(self, runs: int) -> None:
        """Everything that is not training: afterwards, `train(runs, ...)` compiles and loads nothing."""
        self.train(runs, 1)

    @abstractmethod
    def train(self, runs: int, epochs: int) -> Trained:
        """Train runs 0, 1, ... from their own starts, each on its own images in an order of its own."""

    def trained(self, seconds: float, weights: Iterable[tuple[int, Weights]]) -> Trained:
        """The outcome of `train`, from (run, final weights)."""
        return Trained(seconds, {run: self.task.quality(run, of_run) for run, of_run in islice(weights, CHECKED)})


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
