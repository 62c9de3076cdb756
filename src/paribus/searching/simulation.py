"""A search and its cluster without training: recorded curves are replayed, and time follows from measured costs.

Two questions are answered. What would another policy of halving have found, and after how many epochs? And how long
would so many runs take on so many workers, how many bytes cross, and how busy is the one process that records?
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from paribus.analysis.halving import finalists, survivors
from paribus.spec.search import Search
from paribus.store.records import Assessment


def _no_faults(_epochs: int) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Trained:
    """A candidate that was trained to its end: the objective after each epoch, and the faults that are seen of it after
    so many epochs. Fewer values than epochs are those of a run that diverged there."""

    values: Sequence[float]
    faults: Callable[[int], Sequence[str]] = _no_faults


@dataclass(frozen=True)
class Replay:
    """The outcome of a policy on candidates that were trained to their end: the best candidate with its value, and the
    epochs that the policy would have trained."""

    winner: int | None
    value: float | None
    epochs: int


def replayed(search: Search, candidates: Mapping[int, Trained], epochs: int) -> Replay:
    """The halving of `search` on recorded candidates, by number; one replicate each.

    Candidates are dealt out among brackets by their numbers, as in a search, and all of them are different.
    """
    trained, ended = 0, list[Assessment]()
    different = {number: {"candidate": number} for number in candidates}
    for bracket in range(search.brackets):
        left = [n for batch in search.batches(bracket) for n in batch if n in candidates]
        before = 0
        rungs = search.rungs(epochs, bracket)
        for rung, at in enumerate(rungs):
            assessed = [_assessed(search, number, rung, at, candidates[number]) for number in left]
            lengths = [len(candidates[number].values) for number in left]
            trained += sum(min(at, length) - min(before, length) for length in lengths)
            before = at
            if rung < len(rungs) - 1:
                left = list(survivors(search, different, assessed))
            else:
                ended += assessed
    best = finalists(search, different, ended, epochs)
    value = next((one.value for one in ended if best and one.number == best[0]), None)
    return Replay(best[0] if best else None, value, trained)


def _assessed(search: Search, number: int, rung: int, epochs: int, one: Trained) -> Assessment:
    seen = [value for value in one.values[:epochs] if math.isfinite(value)]
    if len(one.values) < epochs or not seen:
        return Assessment(number, rung, epochs, None, ("diverged",))
    best = max(seen) if search.direction > 0 else min(seen)
    return Assessment(number, rung, epochs, best, tuple(one.faults(epochs)))


@dataclass(frozen=True)
class Costs:
    """Measured costs of one kind of task, a cohort of `runs` runs of `epochs` epochs.

    Parameters
    ----------
    train_s : seconds of a worker for a task, from its first epoch to its last measurement.
    begin_s, message_s, end_s : seconds of the recording process to begin a task, to take the message of one epoch, and
        to record the end of one run.
    task_bytes, message_bytes, end_bytes : what crosses with each.
    shared_bytes : data that each node gets once.
    """

    runs: int
    epochs: int
    train_s: float
    begin_s: float
    message_s: float
    end_s: float
    task_bytes: float = 0.0
    message_bytes: float = 0.0
    end_bytes: float = 0.0
    shared_bytes: float = 0.0

    @property
    def driver_s(self) -> float:
        """Seconds of the recording process for a whole task."""
        return self.begin_s + self.epochs * self.message_s + self.runs * self.end_s


@dataclass(frozen=True)
class Simulated:
    """Some runs on some workers: seconds until the last is recorded, bytes that cross, and the share of that time for
    which the recording process is busy. At 1 it is saturated: more workers wait for it."""

    runs: int
    workers: int
    seconds: float
    bytes: float
    driver_load: float


def simulated(costs: Costs, runs: int, *, nodes: int, cores: int) -> Simulated:
    """Tasks of `costs.runs` runs, one after the other, on `nodes` of `cores` workers each.

    A worker is given its next task when it is free and the recording process has time to begin it. Messages of epochs
    wait for the process, and workers do not wait for them; a task is over when its end is recorded.
    """
    tasks, workers = math.ceil(runs / costs.runs), nodes * cores
    free = [0.0] * min(workers, tasks)
    heapq.heapify(free)
    over: list[float] = []  # when trained tasks come back, to be recorded
    driver, busy, begun, last = 0.0, 0.0, 0, 0.0
    recording = costs.epochs * costs.message_s + costs.runs * costs.end_s
    while begun < tasks or over:
        can_begin = begun < tasks and bool(free)
        if can_begin and (not over or free[0] <= over[0]):
            driver = max(driver, heapq.heappop(free)) + costs.begin_s
            busy += costs.begin_s
            heapq.heappush(over, driver + costs.train_s)
            begun += 1
        else:
            driver = max(driver, heapq.heappop(over)) + recording
            busy += recording
            heapq.heappush(free, driver)
            last = driver
    crossing = tasks * (costs.task_bytes + costs.epochs * costs.message_bytes) + runs * costs.end_bytes
    return Simulated(
        runs, workers, last, crossing + min(nodes, tasks) * costs.shared_bytes, busy / last if last else 0.0
    )


def saturation(costs: Costs) -> float:
    """Workers from which on the recording process is busy all the time: more of them train no faster."""
    return (costs.train_s + costs.driver_s) / costs.driver_s if costs.driver_s else math.inf
