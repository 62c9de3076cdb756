"""paribus as it is used: `run_study` into a workspace, with validation, selection and snapshots after every epoch."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers._base import SHORT_S, Peer, Trained, Weights
from benchmarks.tasks import replicated
from paribus.execution.progress import CohortStarted, EpochDone, Event
from paribus.execution.runner import run_study
from paribus.execution.worker import CHECKPOINT_EVERY_S
from paribus.store.workspace import Workspace

LONG_S = 2.0
"""An epoch of at least this many seconds is so long that the setting up before it does not count."""


class ParibusStudy(Peer):
    packages = ("paribus", "torch")
    together = True
    long_enough = True

    def warm_up(self, runs: int) -> None:
        ParibusStudy(self.task.short()).train(runs, 1)

    def train(self, runs: int, epochs: int) -> Trained:
        study = replicated(self.task, runs, rules=(f"epoch:{epochs}",))
        clock = _Clock(epochs)
        with (
            tempfile.TemporaryDirectory(prefix="paribus-bench-") as folder,
            Workspace.open(Path(folder) / "workspace", create=True, write=True) as workspace,
        ):
            with contextlib.suppress(KeyboardInterrupt):
                run_study(study, workspace, clock)
            ended = time.perf_counter()
            return self.trained(clock.seconds(runs, ended), _snapshots(workspace, study.id, epochs))


def _snapshots(workspace: Workspace, study_id: str, epoch: int) -> Iterator[tuple[int, Weights]]:
    """(replicate, weights after `epoch`) of every run that was in training when it was interrupted."""
    prefix = f"best/{epoch}/"
    for _, replicate, run in workspace.runs_of(study_id):
        progress = workspace.progress(run.id)
        if progress is not None:
            tensors = workspace.tensors.get(progress.state)
            yield replicate, {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


class _Clock:
    """Listens until every cohort in training is `epochs` epochs and `SHORT_S` on, then interrupts as a person would.

    The first epoch, which waits for the cohort to be set up, does not count where it is short.
    """

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._runs: dict[int, int] = {}
        self._times: dict[int, list[float]] = {}

    def __call__(self, event: Event) -> None:
        now = time.perf_counter()
        if isinstance(event, CohortStarted):
            self._runs[event.index] = event.runs
            self._times[event.index] = [now]
        elif isinstance(event, EpochDone):
            self._times[event.index].append(now)
            if all(self._enough(times) for times in self._times.values()):
                raise KeyboardInterrupt

    def _enough(self, times: list[float]) -> bool:
        counted = self._counted(times)
        return len(counted) > self._epochs and counted[-1] - counted[0] > SHORT_S

    def _counted(self, times: list[float]) -> list[float]:
        return times if len(times) > 1 and times[1] - times[0] > LONG_S else times[1:]

    def seconds(self, runs: int, ended: float) -> float:
        """Seconds for `epochs` epochs of all runs, with the share of a checkpoint that falls to them."""
        rate = 0.0
        for index, times in self._times.items():
            counted = self._counted(times)
            rate += self._runs[index] * (len(counted) - 1) / (counted[-1] - counted[0])
        checkpoint_s = ended - max(times[-1] for times in self._times.values())
        return runs * self._epochs / rate * (1 + checkpoint_s / CHECKPOINT_EVERY_S)
