"""paribus as it is used: `run_study` into a workspace, with validation, selection and snapshots after every epoch."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers._base import MIN_MEASURED_S, Peer, RunWeights, Trained
from benchmarks.tasks import replicated
from paribus.execution.events import CohortStarted, EpochDone, Event
from paribus.execution.runner import prepare, run_study
from paribus.execution.worker import CHECKPOINT_EVERY_S
from paribus.store.workspace import Workspace

LONG_S = 2.0
"""From this many seconds on, the first epoch counts: setting the cohort up is a small part of it."""


class ParibusStudy(Peer):
    packages = ("paribus", "numba")
    batched = True
    measures_long_enough = True

    def warm_up(self, runs: int) -> None:
        ParibusStudy(self.task.short()).train(runs, 1)

    def train(self, runs: int, epochs: int) -> Trained:
        study = prepare(replicated(self.task, runs, rules=(f"epoch:{epochs}",)))
        timer = _EpochTimer(epochs)
        with (
            tempfile.TemporaryDirectory(prefix="paribus-bench-") as folder,
            Workspace.open(Path(folder) / "workspace", create=True, write=True) as workspace,
        ):
            with contextlib.suppress(KeyboardInterrupt):
                run_study(study, workspace, timer)
            ended = time.perf_counter()
            return self.trained(timer.seconds(runs, ended), _snapshots(workspace, study.id, epochs))


def _snapshots(workspace: Workspace, study_id: str, epoch: int) -> Iterator[RunWeights]:
    """The weights after `epoch` of every run: of its checkpoint, or of its record where it has ended by then."""
    for _, replicate, run in workspace.runs_of(study_id):
        progress = workspace.progress(run.id)
        if progress is None:
            [chosen] = [one for one in workspace.selections(run.id) if one.rule == f"epoch:{epoch}"]
            assert chosen.tensors is not None
            weights = workspace.tensors.get(chosen.tensors)
        else:
            prefix = f"selected/{epoch}/"
            tensors = workspace.tensors.get(progress.tensors)
            weights = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        yield RunWeights(replicate, weights)


class _EpochTimer:
    """Notes the time of every epoch. When every cohort in training has trained `epochs` epochs and `MIN_MEASURED_S`
    seconds, it interrupts as Ctrl-C does.

    The first epoch waits until the cohort is set up, so it does not count where it is short.
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
        return len(counted) > self._epochs and counted[-1] - counted[0] > MIN_MEASURED_S

    def _counted(self, times: list[float]) -> list[float]:
        return times if len(times) > 1 and times[1] - times[0] > LONG_S else times[1:]

    def seconds(self, runs: int, ended: float) -> float:
        """Seconds for `epochs` epochs of all runs, and their share of the time of a checkpoint."""
        rate = 0.0
        for index, times in self._times.items():
            counted = self._counted(times)
            rate += self._runs[index] * (len(counted) - 1) / (counted[-1] - counted[0])
        checkpoint_s = ended - max(times[-1] for times in self._times.values())
        return runs * self._epochs / rate * (1 + checkpoint_s / CHECKPOINT_EVERY_S)
