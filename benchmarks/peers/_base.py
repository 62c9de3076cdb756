"""What every tool can do: train so many runs of a task for so many epochs, and report the time."""

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

MAX_CHECKED = 8
"""Runs whose quality is checked, at most."""

MIN_MEASURED_S = 0.4
"""A training that is shorter is repeated within one measurement."""

Weights = Mapping[str, npt.NDArray[np.float32]]
"""`fc1.weight` (out, in), `fc1.bias` (out,), ..."""


class UnavailableError(Exception):
    """Why a tool cannot do a task, or cannot run here."""


@dataclass(frozen=True)
class RunWeights:
    """The final weights of one run of a task."""

    run: int
    weights: Weights


@dataclass(frozen=True)
class Trained:
    """Wall seconds of the training alone, and, by run, `Task.quality` after it: of `MAX_CHECKED` runs at most."""

    seconds: float
    quality: Mapping[int, float]


class Peer(ABC):
    """One tool on one task. Whatever `train` needs once (compilation, processes, tensors) is made in `warm_up`."""

    packages: ClassVar[tuple[str, ...]]
    """Distributions whose versions belong to a measurement."""
    batched: ClassVar[bool] = False
    """Whether many runs train as one program. Where they do not, twice as many runs take twice as long."""
    needs_compiler: ClassVar[bool] = False
    measures_long_enough: ClassVar[bool] = False
    """Whether `train` itself trains for `MIN_MEASURED_S` or longer."""

    def __init__(self, task: Task, device: str = "cpu") -> None:
        self.task = task
        self.device = device
        """"cuda" only for the tools that `benchmarks.gpu` measures."""
        if self.needs_compiler and not shutil.which("g++"):
            raise UnavailableError("needs a compiler")

    @classmethod
    def versions(cls) -> dict[str, str]:
        return {package: version(package) for package in cls.packages}

    @classmethod
    def min_runs(cls) -> int:
        """The smallest number of runs that uses the tool as it is meant to be used."""
        return 1

    def warm_up(self, runs: int) -> None:
        """Everything that is not training: afterwards, `train(runs, ...)` compiles and loads nothing."""
        self.train(runs, 1)

    @abstractmethod
    def train(self, runs: int, epochs: int) -> Trained:
        """Train runs 0, 1, ... from their own initial weights, each on its own images in an order of its own."""

    def trained(self, seconds: float, ended: Iterable[RunWeights]) -> Trained:
        """The outcome of `train`, from the runs' final weights."""
        checked = islice(ended, MAX_CHECKED)
        return Trained(seconds, {one.run: self.task.quality(one.run, one.weights) for one in checked})


def numbered(weights: Iterable[Weights]) -> list[RunWeights]:
    """The final weights of runs 0, 1, ..., in their order."""
    return [RunWeights(run, one) for run, one in enumerate(weights)]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
