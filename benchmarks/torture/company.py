"""Others at work: a second writer, readers, and a clock that somebody moves."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.torture import recorded
from benchmarks.torture.lives import Fault, Story
from benchmarks.torture.trial import Subject, Trial

TWO = "two processes on one workspace"
READERS = "read while it is written"
CLOCK = "clock moved"

IN_USE = "workspace in use by"


def two_at_once(trial: Trial, subject: Subject, times: int) -> Iterator[Story]:
    """Begun within a moment of each other: one trains, the other waits for nothing and says who it is."""
    for i in range(times):
        yield _two(trial, subject, killed=i % 3 == 2)


def _two(trial: Trial, subject: Subject, *, killed: bool) -> Story:
    workspace, count = trial.new_folder(), trial.count(TWO)
    if trial.random.random() < 0.5:  # there is one already, with the name of a process that is gone in its lock
        yield trial.lives.fork(subject.command(workspace), Fault(after_s=subject.wall_s / 2))
    fault = Fault(after_s=subject.wall_s * trial.random.uniform(0.5, 1)) if killed else Fault()
    first, second = (trial.lives.fork(subject.command(workspace), fault) for _ in range(2))
    ends = [(yield first), (yield second)]
    count.injected += 1
    count.kills += any(end.killed for end in ends)
    for end, other in (ends, ends[::-1]):
        if end.code not in (subject.code, -9):
            trial.told(TWO, subject, end, code=2, words=[str(workspace), IN_USE, f"process {other.pid};"])
    if all(end.code == 2 for end in ends):
        count.misnamed += 1
        trial.trouble(TWO, subject, "both were sent away")
    trial.look(TWO, subject, workspace, recorded.NO_PROGRESS)
    yield from trial.finish(TWO, subject, workspace)
    trial.clear(workspace)


def readers(trial: Trial, subject: Subject, times: int) -> Iterator[Story]:
    """`verify`, `status` and `table` while another process trains: they see a whole state, and hold nobody up."""
    for _ in range(times):
        yield _read(trial, subject)


def _read(trial: Trial, subject: Subject) -> Story:
    workspace, count = trial.new_folder(), trial.count(READERS)
    writer = trial.lives.fork(subject.command(workspace))
    while not (workspace / recorded.DATABASE).exists() and writer.over() is None:
        time.sleep(0.001)
    for verb in ("verify", "status", "verify", "status", "verify"):
        end = yield trial.lives.fork([verb, "--workspace", workspace])
        count.injected += 1
        count.complaints += 1
        if end.code != 0:
            count.misnamed += 1
            trial.trouble(READERS, subject, f"{verb} while it was written: {end}")
    end = yield writer
    trial.finished(READERS, subject, workspace, end)
    trial.clear(workspace)


def wrong_clock(trial: Trial, subject: Subject) -> Iterator[Story]:
    """Decades ahead, decades behind, and jumping at every look; another error after each kill."""
    for years in (((30.0,), (-30.0,)), ((-30.0,), (30.0,)), ((0.0, -5.0, 7.0), (0.0,)), ((0.0,), (3.0, -3.0))):
        yield _at_other_times(trial, subject, *years)


def _at_other_times(trial: Trial, subject: Subject, before: tuple[float, ...], after: tuple[float, ...]) -> Story:
    workspace, count = trial.new_folder(), trial.count(CLOCK)
    fault = Fault(after_s=trial.random.uniform(0.1, subject.wall_s))
    end = yield trial.lives.fork(subject.command(workspace), fault, years=before)
    count.injected += any(before) + any(after)
    count.kills += end.killed
    trial.look(CLOCK, subject, workspace, recorded.NO_PROGRESS)
    end = yield trial.lives.fork(subject.command(workspace), years=after)
    trial.finished(CLOCK, subject, workspace, end)
    trial.clear(workspace)
