"""Processes are killed at every write point and at random instants, and are asked to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.torture import recorded
from benchmarks.torture.children import left
from benchmarks.torture.processes import Fault, Scenario
from benchmarks.torture.session import Session, TestedStudy

POINTS = "killed at a write point"
INSTANTS = "killed at a random instant"
COMMANDS = "killed at a random instant, in a new interpreter"
ASKED = "asked to end (SIGINT, SIGTERM)"
MIXED = "killed, asked to end and resumed, in random order"
LATER = "killed while it measures recorded runs"
MODULES = "own modules: the command killed at a random instant"
WORKERS = "own modules: a worker process killed at a random instant"
SEARCH_POINTS = "searches: killed at a write point"
SEARCH_INSTANTS = "searches: killed at a random instant"

INTERRUPTED = 130


def at_points(session: Session, study: TestedStudy, numbers: Sequence[int], kind: str = POINTS) -> Iterator[Scenario]:
    """A workspace for each point, where the command is killed. Every other one is killed again when it resumes."""
    for number in numbers:
        faults = [Fault(f"kill@{number}")]
        if number % 2:
            faults.append(Fault(f"kill@{session.random.randint(1, len(study.points))}"))
        yield _disturbed(session, kind, study, faults)


def at_instants(session: Session, study: TestedStudy, kills: int) -> Iterator[Scenario]:
    """Up to three kills before the command may end, until `kills` of them came before its end."""
    enough = session.count(INSTANTS).kills + kills
    for _ in range(20 * kills):
        if session.count(INSTANTS).kills >= enough:
            return
        several = session.random.randint(1, 3)
        yield _disturbed(session, INSTANTS, study, [_at_random(session, study) for _ in range(several)])


def mixed(session: Session, study: TestedStudy, times: int) -> Iterator[Scenario]:
    """Two to four signals in a row: SIGKILL, or one that lets every run save its epoch and pause."""
    for _ in range(times):
        several = session.random.randint(2, 4)
        numbers = session.random.choices([signal.SIGKILL, signal.SIGINT, signal.SIGTERM], k=several)
        yield _disturbed(session, MIXED, study, [_at_random(session, study, number) for number in numbers])


def asked(session: Session, study: TestedStudy, times: int) -> Iterator[Scenario]:
    """A command that is asked to end saves its epoch, says so in one line, and ends with exit code 130."""
    for i in range(times):
        number = (signal.SIGINT, signal.SIGTERM)[i % 2]
        yield _asked(session, study, Fault(after_s=session.random.uniform(0.1, study.wall_s), number=number))


def commands(session: Session, study: TestedStudy, times: int) -> Iterator[Scenario]:
    """`python -m paribus`, killed after its imports, until `times` kills came before its end."""
    enough = session.count(COMMANDS).kills + times
    for _ in range(20 * times):
        if session.count(COMMANDS).kills >= enough:
            return
        after_s = study.start_s + session.random.uniform(0, study.wall_s)
        yield _command(session, study, Fault(after_s=after_s))


def modules(session: Session, study: TestedStudy, times: int) -> Iterator[Scenario]:
    """`times` kills of a command whose workers are processes, which must end with it, and as many of one worker."""
    for _ in range(times):
        yield _with_its_workers(session, study, _at_random(session, study))
        yield _without_a_worker(session, study, replace(_at_random(session, study), worker=True))


def searches(session: Session, study: TestedStudy, times: int) -> Iterator[Scenario]:
    """One to three kills of a search before it may end: it must come to the same candidates, rungs and winner."""
    for _ in range(times):
        several = session.random.randint(1, 3)
        yield _disturbed(session, SEARCH_INSTANTS, study, [_at_random(session, study) for _ in range(several)])


def _with_its_workers(session: Session, study: TestedStudy, fault: Fault) -> Scenario:
    workspace, count = session.new_workspace(study), session.count(MODULES)
    result = yield session.launcher.fork(study.command(workspace), fault)
    if result.killed:
        count.injected += 1
        count.kills += 1
    if there := left(result.workers):
        session.fail(MODULES, study, f"{len(there)} worker processes are left after their parent")
    session.check_kept(MODULES, study, workspace, recorded.NO_PROGRESS)
    yield from session.finish(MODULES, study, workspace)
    session.remove(workspace)


def _without_a_worker(session: Session, study: TestedStudy, fault: Fault) -> Scenario:
    """The command goes on with another worker, and ends as if nothing had happened."""
    workspace, count = session.new_workspace(study), session.count(WORKERS)
    result = yield session.launcher.fork(study.command(workspace), fault)
    count.injected += result.signalled
    count.kills += result.signalled
    session.check_finished(WORKERS, study, workspace, result)
    session.remove(workspace)


def _at_random(session: Session, study: TestedStudy, number: signal.Signals = signal.SIGKILL) -> Fault:
    return Fault(after_s=session.random.uniform(0.02, study.wall_s), number=number)


def _disturbed(session: Session, kind: str, study: TestedStudy, faults: Sequence[Fault]) -> Scenario:
    workspace, now, count = session.new_workspace(study), recorded.NO_PROGRESS, session.count(kind)
    for fault in faults:
        result = yield session.launcher.fork(study.command(workspace), fault)
        if result.killed or result.code == INTERRUPTED:
            count.injected += 1
            count.kills += result.killed
        elif result.code != study.code:
            count.different += 1
            session.fail(kind, study, f"neither killed nor finished: {result}")
        elif now is recorded.NO_PROGRESS:
            study.wall_s = result.wall_s  # the machine became faster
        now = session.check_kept(kind, study, workspace, now)
    yield from session.finish(kind, study, workspace)
    session.remove(workspace)


def _asked(session: Session, study: TestedStudy, fault: Fault) -> Scenario:
    workspace, count = session.new_workspace(study), session.count(ASKED)
    result = yield session.launcher.fork(study.command(workspace), fault)
    if result.code != study.code:
        count.injected += 1
        session.check_refusal(ASKED, study, result, code=INTERRUPTED, words=["interrupted", "to resume"])
    session.check_kept(ASKED, study, workspace, recorded.NO_PROGRESS)
    yield from session.finish(ASKED, study, workspace)
    session.remove(workspace)


def _command(session: Session, study: TestedStudy, fault: Fault) -> Scenario:
    workspace, count = session.new_workspace(study), session.count(COMMANDS)
    result = yield session.launcher.start(study.command(workspace), fault)
    count.injected += result.killed
    count.kills += result.killed
    if not result.killed:
        study.start_s = max(0.0, result.wall_s - study.wall_s)  # the machine became faster
    session.check_kept(COMMANDS, study, workspace, recorded.NO_PROGRESS)
    result = yield session.launcher.start(study.command(workspace))
    session.check_finished(COMMANDS, study, workspace, result)
    session.remove(workspace)
