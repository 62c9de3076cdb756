"""A full disk, and files and folders without the permission to write."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.torture import recorded
from benchmarks.torture.processes import NO_FAULT, NOBODY, Fault, Result, Running, Scenario
from benchmarks.torture.session import Session, TestedStudy

FULL_AT_POINT = "disk full at a write point"
SMALL_DISK = "disk full (a small tmpfs)"
FORBIDDEN = "permission to write taken away"

NO_SPACE = "no space left on the disk"
NO_PERMISSION = "permission"


def at_points(session: Session, study: TestedStudy, numbers: Sequence[int]) -> Iterator[Scenario]:
    """A workspace for each point, where the command finds the disk full."""
    for number in numbers:
        yield _full_at_point(session, study, Fault(f"enospc@{number}"))


def _full_at_point(session: Session, study: TestedStudy, fault: Fault) -> Scenario:
    workspace, count = session.new_workspace(study), session.count(FULL_AT_POINT)
    result = yield session.launcher.fork(study.command(workspace), fault)
    count.injected += 1
    if result.code == study.code:  # a step that only removes files, or a command that ended before this point
        session.check_finished(FULL_AT_POINT, study, workspace, result)
    else:
        session.check_refusal(FULL_AT_POINT, study, result, code=1, words=[str(workspace), NO_SPACE])
    session.check_kept(FULL_AT_POINT, study, workspace, recorded.NO_PROGRESS)
    yield from session.finish(FULL_AT_POINT, study, workspace)
    session.remove(workspace)


def small_disks(session: Session, study: TestedStudy, sizes: int) -> Iterator[Scenario]:
    """Real disks of several sizes, all too small. None where this process may not mount one."""
    if not _may_mount(session.new_folder()):
        return
    need = sum(path.stat().st_size for path in study.workspace.rglob("*") if path.is_file())
    for i in range(sizes):
        yield _small_disk(session, study, f"size={max(1, round(need * (i + 0.5) / sizes / 1024))}k")
    for files in (2, 6, 12):
        yield _small_disk(session, study, f"size=1g,nr_inodes={files}")


def _may_mount(folder: Path) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    folder.mkdir()
    tried = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
    if tried.returncode == 0:
        subprocess.run(["umount", folder], check=True)
    return tried.returncode == 0


@contextmanager
def _disk(folder: Path, options: str) -> Iterator[None]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _small_disk(session: Session, study: TestedStudy, options: str) -> Scenario:
    disk, count = session.new_folder(), session.count(SMALL_DISK)
    with _disk(disk, options):
        workspace = disk / "workspace"
        result = yield session.launcher.fork(study.command(workspace))
        if result.code != study.code:
            count.injected += 1
            session.check_refusal(SMALL_DISK, study, result, code=1, words=[str(workspace), NO_SPACE])
        if (workspace / recorded.DATABASE).exists():
            copy = disk.with_name("copy") / "workspace"
            copy.parent.mkdir()
            session.check_kept(SMALL_DISK, study, recorded.copied(workspace, copy), recorded.NO_PROGRESS)
        subprocess.run(["mount", "-o", "remount,size=1g,nr_inodes=0", disk], check=True)
        yield from session.finish(SMALL_DISK, study, workspace)
    session.remove(disk)


def forbidden(session: Session, study: TestedStudy) -> Iterator[Scenario]:
    """Each part of a workspace without permission to write, before and during training."""
    if os.geteuid() != 0:
        os.chmod(session.folder, 0o755)  # noqa: PTH101
    yield _no_folder(session, study)
    for part in ("", "tensors", recorded.DATABASE, "lock"):
        for way in ("kill", "interrupt"):
            yield _forbidden(session, study, part, way)
    for part in ("", "tensors"):
        yield _taken_away(session, study, part)


def _as_user(session: Session, study: TestedStudy, workspace: Path, fault: Fault = NO_FAULT) -> Running:
    """Root may write everywhere, so the command runs as the user nobody."""
    return session.launcher.fork(study.command(workspace), fault, user=NOBODY if os.geteuid() == 0 else None)


def _no_folder(session: Session, study: TestedStudy) -> Scenario:
    workspace = session.new_workspace(study)
    workspace.parent.chmod(0o555)
    session.count(FORBIDDEN).injected += 1
    result = yield _as_user(session, study, workspace)
    workspace.parent.chmod(0o755)
    session.check_refusal(FORBIDDEN, study, result, code=2, words=[str(workspace), NO_PERMISSION])
    yield from session.finish(FORBIDDEN, study, workspace)
    session.remove(workspace)


def _forbidden(session: Session, study: TestedStudy, part: str, way: str) -> Scenario:
    """After a kill, the files beside the database still exist, and then nothing in the folder itself has to change."""
    workspace = yield from _of_nobody(session, study, way)
    before = _bytes(workspace)
    mode = _forbid(workspace / part)
    session.count(FORBIDDEN).injected += 1
    result = yield _as_user(session, study, workspace)
    if result.code != study.code or part or way == "interrupt":
        session.check_refusal(FORBIDDEN, study, result, code=2, words=[str(workspace / part), NO_PERMISSION])
        if part != "tensors" and not _bytes(workspace).items() <= before.items():  # what a crash left may be removed
            session.count(FORBIDDEN).different += 1
            session.fail(
                FORBIDDEN, study, f"a refused command changed the workspace ({part or 'folder'} without permission)"
            )
    (workspace / part).chmod(mode)
    session.check_kept(FORBIDDEN, study, workspace, recorded.NO_PROGRESS)
    result = yield _as_user(session, study, workspace)
    session.check_finished(FORBIDDEN, study, workspace, result)
    session.remove(workspace)


def _taken_away(session: Session, study: TestedStudy, part: str) -> Scenario:
    """Permission is taken away during training, which may go on as long as it needs no new file there."""
    workspace = yield from _of_nobody(session, study, "kill")
    running = _as_user(session, study, workspace)
    while not (workspace / f"{recorded.DATABASE}-wal").exists() and running.result() is None:
        time.sleep(0.001)
    mode = _forbid(workspace / part)
    session.count(FORBIDDEN).injected += 1
    result = yield running
    (workspace / part).chmod(mode)
    if result.code != study.code:
        session.check_refusal(FORBIDDEN, study, result, code=2, words=[str(workspace / part), NO_PERMISSION])
    session.check_kept(FORBIDDEN, study, workspace, recorded.NO_PROGRESS)
    result = yield _as_user(session, study, workspace)
    session.check_finished(FORBIDDEN, study, workspace, result)
    session.remove(workspace)


def _of_nobody(session: Session, study: TestedStudy, way: str) -> Generator[Running, Result, Path]:
    """A workspace in which training has begun, and which belongs to the user whose permission is taken away."""
    workspace = yield from session.interrupted(study, way)
    if os.geteuid() == 0:
        for path in (workspace.parent, workspace, *workspace.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    return workspace


def _forbid(path: Path) -> int:
    mode = path.stat().st_mode & 0o777
    path.chmod(mode & 0o555)
    return mode


def _bytes(workspace: Path) -> dict[str, bytes]:
    """Every file with results: not the lock, and not the log's index, which SQLite may make again at any time."""
    return {
        str(path): path.read_bytes()
        for path in workspace.rglob("*")
        if path.is_file() and path.name not in ("lock", f"{recorded.DATABASE}-shm")
    }
