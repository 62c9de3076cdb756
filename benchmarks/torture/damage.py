"""Damaged files of every kind: truncated, or with a byte flipped. Messages must name what is damaged, and only that."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.torture import recorded
from benchmarks.torture.processes import Result, Running, Scenario
from benchmarks.torture.session import Session, TestedStudy

TRUNCATED = "newest file truncated"
FLIPPED_TENSORS = "byte flipped in a tensor file"
FLIPPED_DATABASE = "byte flipped in the database"
FLIPPED_LOG = "byte flipped in the database's log"
FLIPPED_LOCK = "byte flipped in the lock"

LOG = f"{recorded.DATABASE}-wal"
WORDS = (
    *(b"done", b"diverged", b"running", b"train_loss", b"last", b"max-val-accuracy", b"network", b"activity"),
    *(b"later measurement", b"RAISE", b"CREATE", b"PRIMARY", b"named_tensors", b"members_by_run"),
)
"""Text in the database, of which one letter is changed."""

Mutation = Callable[[bytes], bytes]


@dataclass(frozen=True)
class DamagedWorkspace:
    """A workspace with damage in the file `part`, and a sound copy. `finished` says that all its runs are recorded."""

    path: Path
    backup: Path
    part: str
    finished: bool

    def restore(self) -> None:
        """Put back a copy of the damaged file, as the message says."""
        shutil.copyfile(self.backup / self.part, self.path / self.part)

    def restore_all(self) -> None:
        """Put back the whole workspace."""
        shutil.rmtree(self.path)
        shutil.copytree(self.backup, self.path)


def _truncate(share: float) -> Mutation:
    return lambda content: content[: int(share * len(content))]


def _flip(at: int) -> Mutation:
    def flipped(content: bytes) -> bytes:
        index = at % len(content)
        return content[:index] + bytes([content[index] ^ 0x15]) + content[index + 1 :]

    return flipped


def truncated(session: Session, study: TestedStudy, times: int) -> Iterator[Scenario]:
    """In a workspace whose training was interrupted: the newest tensor file, the log, the database."""
    for i in range(times):
        share = (0.0, 0.5, 0.999, session.random.random())[i // 3 % 4]
        yield _interrupted(session, TRUNCATED, study, ("tensors", LOG, recorded.DATABASE)[i % 3], _truncate(share))


def flipped(session: Session, study: TestedStudy, times: int) -> Iterator[Scenario]:
    """A byte in each kind of tensor file, in the lock, and in many places of the database and its log."""
    with closing(sqlite3.connect(study.workspace / recorded.DATABASE)) as database:
        kinds = database.execute("SELECT reason, min(tensors) FROM named_tensors GROUP BY reason").fetchall()
    for i, (_, name) in enumerate(kinds):
        at = (0, 60, -1)[i % 3]
        yield _finished(session, FLIPPED_TENSORS, study, f"tensors/{name}.safetensors", _flip(at))
    for at in (0, -1):
        yield _finished(session, FLIPPED_LOCK, study, "lock", _flip(at))
    content = (study.workspace / recorded.DATABASE).read_bytes()
    words = (*WORDS, *(name.encode() for _, name in kinds))
    found = [[place.start() + 1 for place in re.finditer(word, content)] for word in words]
    places = [at for places in found for at in {*places[:1], *places[-1:]}]  # in a table, and often in an index
    places += [18, 43, 63, 71, *(session.random.randrange(len(content)) for _ in range(times))]
    for at in places:
        yield _finished(session, FLIPPED_DATABASE, study, recorded.DATABASE, _flip(at))
    if study.base is None:  # otherwise all runs are recorded from the beginning
        yield from _flipped_in_training(session, study, times)


def _flipped_in_training(session: Session, study: TestedStudy, times: int) -> Iterator[Scenario]:
    for at in (0, 70, -1):
        yield _interrupted(session, FLIPPED_TENSORS, study, "tensors", _flip(at))
    for at in (0, -1):
        yield _interrupted(session, FLIPPED_LOCK, study, "lock", _flip(at))
    for _ in range(times // 2):
        yield _interrupted(
            session, FLIPPED_DATABASE, study, recorded.DATABASE, _flip(session.random.randrange(1 << 30))
        )
        yield _interrupted(session, FLIPPED_LOG, study, LOG, _flip(session.random.randrange(1 << 30)))


def _finished(session: Session, kind: str, study: TestedStudy, part: str, mutation: Mutation) -> Scenario:
    workspace = session.new_folder()
    shutil.copytree(study.workspace, workspace)
    yield from _damaged(session, kind, study, workspace, part, mutation, finished=True)


def _interrupted(session: Session, kind: str, study: TestedStudy, part: str, mutation: Mutation) -> Scenario:
    workspace = yield from session.interrupted(study)
    if part == "tensors":
        newest = max((workspace / part).iterdir(), key=lambda path: path.stat().st_mtime_ns)
        part = f"tensors/{newest.name}"
    if (workspace / part).exists() and (workspace / part).stat().st_size:
        yield from _damaged(session, kind, study, workspace, part, mutation, finished=False)


def _damaged(
    session: Session, kind: str, study: TestedStudy, workspace: Path, part: str, mutation: Mutation, *, finished: bool
) -> Scenario:
    """Damage one file, check the messages of `verify` and of the same command, put the file back, and finish."""
    damaged = DamagedWorkspace(workspace, workspace.with_name("backup"), part, finished)
    shutil.copytree(workspace, damaged.backup)
    path = workspace / part
    path.write_bytes(mutation(path.read_bytes()))
    count = session.count(kind)
    count.injected += 1
    checked = yield session.launcher.fork(["verify", "--workspace", workspace])
    result = yield session.launcher.fork(study.command(workspace))
    count.messages += 2
    mistake = _wrong_file(damaged, checked) or (yield from _wrong_message(session, study, damaged, checked, result))
    if mistake:
        count.wrong_messages += 1
        session.fail(kind, study, f"{part}: {mistake}; verify: {checked.out.strip()[:300]} {checked}; run: {result}")
    if finished:
        damaged.restore()
    else:
        damaged.restore_all()
    yield from session.finish(kind, study, workspace)
    session.remove(workspace)


def _wrong_file(damaged: DamagedWorkspace, checked: Result) -> str:
    """Whether `verify` names a file that is sound; empty if it does not."""
    for line in checked.out.splitlines():
        named = re.match(r"(tensors/[0-9a-f]{64}\.safetensors): ", line)
        if named is not None and named[1] != damaged.part:
            path = damaged.path / named[1]
            if path.exists() and path.read_bytes() == (damaged.backup / named[1]).read_bytes():
                return f"verify names {named[1]}, which is sound"
    return ""


def _wrong_message(
    session: Session, study: TestedStudy, damaged: DamagedWorkspace, checked: Result, result: Result
) -> Generator[Running, Result, str]:
    """What is wrong with the messages about a damaged file; empty if they are right.

    `verify` must name the file, or the run or study in the database whose rows are damaged, with exit code 1 (or 2,
    where the file is no longer recognised as paribus's). If it finds nothing, nothing may be wrong. The same command
    must refuse in one line that names the file, or finish; and then all results must be right, or `verify` must still
    report those that are not.
    """
    known = checked.code in (0, 1, 2) and result.code in (study.code, 1, 2)
    if not known or "defect of paribus" in result.err:
        return "no message about it"
    in_database = damaged.part in (recorded.DATABASE, LOG)
    names = (recorded.DATABASE, "run ", "study ", "usage record ", "tensors/") if in_database else (damaged.part,)
    unread = checked.code == 2 and in_database and str(damaged.path) in checked.err
    if checked.code != 0 and not unread and not any(name in checked.out for name in names):
        return "verify names something else"
    if result.code != study.code:
        place, lines = str(damaged.path if in_database else damaged.part), result.messages
        return "" if len(lines) == 1 and place in lines[0] else "the command does not name it in one line"
    again = yield session.launcher.fork(["verify", "--workspace", damaged.path])
    if again.code == 0:
        found = recorded.differing(recorded.results(damaged.path), study.results)
        return f"no message, and {found} results differ" if found else ""
    return "" if checked.code else "verify found it only after the command had run"
