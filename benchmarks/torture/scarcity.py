"""No room and no right: a full disk, and what may not be written to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.torture import recorded
from benchmarks.torture.lives import NOBODY, NONE, End, Fault, Life, Story
from benchmarks.torture.trial import Subject, Trial

STARVED = "disk full at a write point"
FULL = "disk full (a small tmpfs)"
FORBIDDEN = "right to write taken away"

NO_SPACE = "no space left on the disk"
NO_RIGHT = "permission"


def at_points(trial: Trial, subject: Subject, numbers: Sequence[int]) -> Iterator[Story]:
    """A workspace for each point, at which it finds the disk full."""
    for number in numbers:
        yield _starved(trial, subject, Fault(f"enospc@{number}"))


def _starved(trial: Trial, subject: Subject, fault: Fault) -> Story:
    workspace, count = trial.new_folder(), trial.count(STARVED)
    end = yield trial.lives.fork(subject.command(workspace), fault)
    count.injected += 1
    if end.code == subject.code:  # a step that only tidies up, or a life that ended before this point
        trial.finished(STARVED, subject, workspace, end)
    else:
        trial.told(STARVED, subject, end, code=1, words=[str(workspace), NO_SPACE])
    trial.look(STARVED, subject, workspace, recorded.NO_PROGRESS)
    yield from trial.finish(STARVED, subject, workspace)
    trial.clear(workspace)


def small_disks(trial: Trial, subject: Subject, sizes: int) -> Iterator[Story]:
    """Real disks that are too small by more and by less. None where this process may not mount one."""
    if not _may_mount(trial.new_folder()):
        return
    need = sum(path.stat().st_size for path in subject.workspace.rglob("*") if path.is_file())
    for i in range(sizes):
        yield _full(trial, subject, f"size={max(1, round(need * (i + 0.5) / sizes / 1024))}k")
    for files in (2, 6, 12):
        yield _full(trial, subject, f"size=1g,nr_inodes={files}")


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


def _full(trial: Trial, subject: Subject, options: str) -> Story:
    disk, count = trial.new_folder(), trial.count(FULL)
    with _disk(disk, options):
        workspace = disk / "workspace"
        end = yield trial.lives.fork(subject.command(workspace))
        if end.code != subject.code:
            count.injected += 1
            trial.told(FULL, subject, end, code=1, words=[str(workspace), NO_SPACE])
        if (workspace / recorded.DATABASE).exists():
            copy = disk.with_name("copy") / "workspace"
            copy.parent.mkdir()
            trial.look(FULL, subject, recorded.photograph(workspace, copy), recorded.NO_PROGRESS)
        subprocess.run(["mount", "-o", "remount,size=1g,nr_inodes=0", disk], check=True)
        yield from trial.finish(FULL, subject, workspace)
    trial.clear(disk)


def forbidden(trial: Trial, subject: Subject) -> Iterator[Story]:
    """Each part of a workspace closed to the one who trains, before and during training."""
    if os.geteuid() != 0:
        os.chmod(trial.folder, 0o755)  # noqa: PTH101
    yield _no_folder(trial, subject)
    for part in ("", "tensors", recorded.DATABASE, "lock"):
        for left_by in (signal.SIGKILL, signal.SIGINT):
            yield _closed(trial, subject, part, left_by)
    for part in ("", "tensors"):
        yield _taken(trial, subject, part)


def _as_someone(trial: Trial, subject: Subject, workspace: Path, fault: Fault = NONE) -> Life:
    """Root may write everywhere: it becomes nobody."""
    return trial.lives.fork(subject.command(workspace), fault, user=NOBODY if os.geteuid() == 0 else None)


def _no_folder(trial: Trial, subject: Subject) -> Story:
    workspace = trial.new_folder()
    workspace.parent.chmod(0o555)
    trial.count(FORBIDDEN).injected += 1
    end = yield _as_someone(trial, subject, workspace)
    workspace.parent.chmod(0o755)
    trial.told(FORBIDDEN, subject, end, code=2, words=[str(workspace), NO_RIGHT])
    yield from trial.finish(FORBIDDEN, subject, workspace)
    trial.clear(workspace)


def _closed(trial: Trial, subject: Subject, part: str, left_by: signal.Signals) -> Story:
    """After a kill the files beside the database are there still: then nothing in the folder itself need change."""
    workspace = yield from _of_nobody(trial, subject, left_by)
    before = _bytes(workspace)
    mode = _close(workspace / part)
    trial.count(FORBIDDEN).injected += 1
    end = yield _as_someone(trial, subject, workspace)
    if end.code != subject.code or part or left_by == signal.SIGINT:
        trial.told(FORBIDDEN, subject, end, code=2, words=[str(workspace / part), NO_RIGHT])
        if part != "tensors" and not _bytes(workspace).items() <= before.items():  # what a crash left may be swept away
            trial.count(FORBIDDEN).different += 1
            trial.trouble(FORBIDDEN, subject, f"a refused command changed the workspace ({part or 'folder'} closed)")
    (workspace / part).chmod(mode)
    trial.look(FORBIDDEN, subject, workspace, recorded.NO_PROGRESS)
    end = yield _as_someone(trial, subject, workspace)
    trial.finished(FORBIDDEN, subject, workspace, end)
    trial.clear(workspace)


def _taken(trial: Trial, subject: Subject, part: str) -> Story:
    """While training goes on. What needs no new file in the folder may go on."""
    workspace = yield from _of_nobody(trial, subject, signal.SIGKILL)
    life = _as_someone(trial, subject, workspace)
    while not (workspace / f"{recorded.DATABASE}-wal").exists() and life.over() is None:
        time.sleep(0.001)
    mode = _close(workspace / part)
    trial.count(FORBIDDEN).injected += 1
    end = yield life
    (workspace / part).chmod(mode)
    if end.code != subject.code:
        trial.told(FORBIDDEN, subject, end, code=2, words=[str(workspace / part), NO_RIGHT])
    trial.look(FORBIDDEN, subject, workspace, recorded.NO_PROGRESS)
    end = yield _as_someone(trial, subject, workspace)
    trial.finished(FORBIDDEN, subject, workspace, end)
    trial.clear(workspace)


def _of_nobody(trial: Trial, subject: Subject, left_by: signal.Signals) -> Generator[Life, End, Path]:
    """A workspace in which training has begun, and which belongs to whom it is going to be closed."""
    workspace = yield from trial.half_done(subject, left_by)
    if os.geteuid() == 0:
        for path in (workspace.parent, workspace, *workspace.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    return workspace


def _close(path: Path) -> int:
    mode = path.stat().st_mode & 0o777
    path.chmod(mode & 0o555)
    return mode


def _bytes(workspace: Path) -> dict[str, bytes]:
    """Every file that holds something: not the lock, nor the index of the log that SQLite makes anew as it likes."""
    return {
        str(path): path.read_bytes()
        for path in workspace.rglob("*")
        if path.is_file() and path.name not in ("lock", f"{recorded.DATABASE}-shm")
    }
