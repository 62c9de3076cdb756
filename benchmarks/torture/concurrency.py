"""Other processes at work: a second writer, and readers; and a clock that is moved."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.torture import recorded
from benchmarks.torture.processes import NO_FAULT, Fault, Scenario
from benchmarks.torture.session import Session, TestedStudy

WRITERS = "two writers on one workspace"
READERS = "read during training"
CLOCK = "clock moved"

IN_USE = "workspace in use by"


def two_writers(session: Session, study: TestedStudy, times: int) -> Iterator[Scenario]:
    """Two commands begun at once: one trains, and the other is refused and names the first."""
    for i in range(times):
        yield _two(session, study, killed=i % 3 == 2)


def _two(session: Session, study: TestedStudy, *, killed: bool) -> Scenario:
    workspace, count = session.new_workspace(study), session.count(WRITERS)
    if session.random.random() < 0.5:  # a workspace exists already, whose lock has the id of a process that has ended
        yield session.launcher.fork(study.command(workspace), Fault(after_s=study.wall_s / 2))
    fault = Fault(after_s=study.wall_s * session.random.uniform(0.5, 1)) if killed else NO_FAULT
    first, second = (session.launcher.fork(study.command(workspace), fault) for _ in range(2))
    results = [(yield first), (yield second)]
    count.injected += 1
    count.kills += any(result.killed for result in results)
    for result, other in (results, results[::-1]):
        if result.code != study.code and not result.killed:
            words = [str(workspace), IN_USE, f"process {other.pid};"]
            session.check_refusal(WRITERS, study, result, code=2, words=words)
    if all(result.code == 2 for result in results):
        count.wrong_messages += 1
        session.fail(WRITERS, study, "both were refused")
    session.check_kept(WRITERS, study, workspace, recorded.NO_PROGRESS)
    yield from session.finish(WRITERS, study, workspace)
    session.remove(workspace)


def readers(session: Session, study: TestedStudy, times: int) -> Iterator[Scenario]:
    """`verify` and `status` while another process trains: they see one sound state, and stop nobody."""
    for _ in range(times):
        yield _read(session, study)


def _read(session: Session, study: TestedStudy) -> Scenario:
    workspace, count = session.new_workspace(study), session.count(READERS)
    writer = session.launcher.fork(study.command(workspace))
    while not (workspace / recorded.DATABASE).exists() and writer.result() is None:
        time.sleep(0.001)
    for command in ("verify", "status", "verify", "status", "verify"):
        result = yield session.launcher.fork([command, "--workspace", workspace])
        count.injected += 1
        count.messages += 1
        if result.code != 0:
            count.wrong_messages += 1
            session.fail(READERS, study, f"{command} during training: {result}")
    result = yield writer
    session.check_finished(READERS, study, workspace, result)
    session.remove(workspace)


def wrong_clock(session: Session, study: TestedStudy) -> Iterator[Scenario]:
    """Decades ahead, decades back, and another time at every reading; and another error after each kill."""
    for years in (((30.0,), (-30.0,)), ((-30.0,), (30.0,)), ((0.0, -5.0, 7.0), (0.0,)), ((0.0,), (3.0, -3.0))):
        yield _at_other_times(session, study, *years)


def _at_other_times(
    session: Session, study: TestedStudy, before: tuple[float, ...], after: tuple[float, ...]
) -> Scenario:
    workspace, count = session.new_workspace(study), session.count(CLOCK)
    fault = Fault(after_s=session.random.uniform(0.1, study.wall_s))
    result = yield session.launcher.fork(study.command(workspace), fault, years=before)
    count.injected += any(before) + any(after)
    count.kills += result.killed
    session.check_kept(CLOCK, study, workspace, recorded.NO_PROGRESS)
    result = yield session.launcher.fork(study.command(workspace), years=after)
    session.check_finished(CLOCK, study, workspace, result)
    session.remove(workspace)
