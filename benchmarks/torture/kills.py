"""Killed: at every write point, at random instants, and politely."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence

from benchmarks.torture import recorded
from benchmarks.torture.lives import Fault, Story
from benchmarks.torture.trial import Subject, Trial

POINTS = "killed at a write point"
INSTANTS = "killed at a random instant"
COMMANDS = "killed at a random instant, from a new interpreter"
POLITELY = "asked to end (SIGINT, SIGTERM)"


def at_points(trial: Trial, subject: Subject, numbers: Sequence[int]) -> Iterator[Story]:
    """A workspace for each point, killed there; every other one is killed again where it goes on."""
    for number in numbers:
        faults = [Fault(f"kill@{number}")]
        if number % 2:
            faults.append(Fault(f"kill@{trial.random.randint(1, len(subject.points))}"))
        yield _disturbed(trial, POINTS, subject, faults)


def at_instants(trial: Trial, subject: Subject, kills: int) -> Iterator[Story]:
    """Up to three kills before the command is left alone, until it is `kills` that came before its end."""
    enough = trial.count(INSTANTS).kills + kills
    for _ in range(20 * kills):
        if trial.count(INSTANTS).kills >= enough:
            return
        several = trial.random.randint(1, 3)
        faults = [Fault(after_s=trial.random.uniform(0.02, subject.wall_s)) for _ in range(several)]
        yield _disturbed(trial, INSTANTS, subject, faults)


def politely(trial: Trial, subject: Subject, times: int) -> Iterator[Story]:
    """What is asked to end saves where it stands, says so, and ends with exit code 130."""
    for i in range(times):
        number = (signal.SIGINT, signal.SIGTERM)[i % 2]
        yield _asked(trial, subject, Fault(after_s=trial.random.uniform(0.1, subject.wall_s), number=number))


def commands(trial: Trial, subject: Subject, times: int) -> Iterator[Story]:
    """`python -m paribus`, killed after what its imports take, until `times` kills came before its end."""
    enough = trial.count(COMMANDS).kills + times
    for _ in range(20 * times):
        if trial.count(COMMANDS).kills >= enough:
            return
        yield _command(trial, subject, Fault(after_s=subject.start_s + trial.random.uniform(0, subject.wall_s)))


def _disturbed(trial: Trial, kind: str, subject: Subject, faults: Sequence[Fault]) -> Story:
    workspace, now, count = trial.new_folder(), recorded.NO_PROGRESS, trial.count(kind)
    for fault in faults:
        end = yield trial.lives.fork(subject.command(workspace), fault)
        if end.killed:
            count.injected += 1
            count.kills += 1
        elif end.code != subject.code:
            count.different += 1
            trial.trouble(kind, subject, f"neither killed nor finished: {end}")
        elif now is recorded.NO_PROGRESS:
            subject.wall_s = end.wall_s  # the machine has got faster
        now = trial.look(kind, subject, workspace, now)
    yield from trial.finish(kind, subject, workspace)
    trial.clear(workspace)


def _asked(trial: Trial, subject: Subject, fault: Fault) -> Story:
    workspace, count = trial.new_folder(), trial.count(POLITELY)
    end = yield trial.lives.fork(subject.command(workspace), fault)
    if end.code != subject.code:
        count.injected += 1
        trial.told(POLITELY, subject, end, code=130, words=["interrupted", "goes on where this one stopped"])
    trial.look(POLITELY, subject, workspace, recorded.NO_PROGRESS)
    yield from trial.finish(POLITELY, subject, workspace)
    trial.clear(workspace)


def _command(trial: Trial, subject: Subject, fault: Fault) -> Story:
    workspace, count = trial.new_folder(), trial.count(COMMANDS)
    end = yield trial.lives.start(subject.command(workspace), fault)
    count.injected += end.killed
    count.kills += end.killed
    if not end.killed:
        subject.start_s = max(0.0, end.wall_s - subject.wall_s)  # the machine has got faster
    trial.look(COMMANDS, subject, workspace, recorded.NO_PROGRESS)
    end = yield trial.lives.start(subject.command(workspace))
    trial.finished(COMMANDS, subject, workspace, end)
    trial.clear(workspace)
