"""Damaged: files torn, and bytes flipped, in every kind of file. What is damaged must be named, and nothing else."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.torture import recorded
from benchmarks.torture.lives import End, Life, Story
from benchmarks.torture.trial import Subject, Trial

TORN = "newest file torn"
FLIPPED_TENSORS = "byte flipped in a tensor file"
FLIPPED_DATABASE = "byte flipped in the database"
FLIPPED_LOG = "byte flipped in the database's log"
FLIPPED_LOCK = "byte flipped in the lock"

LOG = f"{recorded.DATABASE}-wal"
WORDS = (
    *(b"done", b"diverged", b"running", b"train_loss", b"last", b"max-val-accuracy", b"network", b"activity"),
    *(b"RAISE", b"CREATE", b"PRIMARY", b"named_tensors", b"members_by_run"),
)
"""Text in the database, of which a letter is changed where it stands."""

Mutation = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Patient:
    """A workspace with something wrong in `part`, and a sound copy of it. `finished` if nothing is left to train."""

    workspace: Path
    backup: Path
    part: str
    finished: bool

    def restore(self) -> None:
        """What the complaint advises: put back a copy of the damaged file."""
        shutil.copyfile(self.backup / self.part, self.workspace / self.part)

    def restore_all(self) -> None:
        """As if the damaged workspace had never been tried."""
        shutil.rmtree(self.workspace)
        shutil.copytree(self.backup, self.workspace)


def _tear(share: float) -> Mutation:
    return lambda content: content[: int(share * len(content))]


def _flip(at: int) -> Mutation:
    def flipped(content: bytes) -> bytes:
        index = at % len(content)
        return content[:index] + bytes([content[index] ^ 0x15]) + content[index + 1 :]

    return flipped


def torn(trial: Trial, subject: Subject, times: int) -> Iterator[Story]:
    """Of a workspace in the midst of training: the newest tensor file, the log, the database."""
    for i in range(times):
        share = (0.0, 0.5, 0.999, trial.random.random())[i // 3 % 4]
        yield _half_done(trial, TORN, subject, ("tensors", LOG, recorded.DATABASE)[i % 3], _tear(share))


def flipped(trial: Trial, subject: Subject, times: int) -> Iterator[Story]:
    """A byte in each kind of tensor file, in the lock, and in many places of the database and its log."""
    with closing(sqlite3.connect(subject.workspace / recorded.DATABASE)) as database:
        kinds = database.execute("SELECT reason, min(tensors) FROM named_tensors GROUP BY reason").fetchall()
    for i, (_, name) in enumerate(kinds):
        at = (0, 60, -1)[i % 3]
        yield _ended(trial, FLIPPED_TENSORS, subject, f"tensors/{name}.safetensors", _flip(at))
    for at in (0, 70, -1):
        yield _half_done(trial, FLIPPED_TENSORS, subject, "tensors", _flip(at))
    for at in (0, -1):
        yield _ended(trial, FLIPPED_LOCK, subject, "lock", _flip(at))
        yield _half_done(trial, FLIPPED_LOCK, subject, "lock", _flip(at))
    content = (subject.workspace / recorded.DATABASE).read_bytes()
    words = (*WORDS, *(name.encode() for _, name in kinds))
    found = [[place.start() + 1 for place in re.finditer(word, content)] for word in words]
    places = [at for places in found for at in {*places[:1], *places[-1:]}]  # in a table, and often in an index
    places += [18, 43, 63, 71, *(trial.random.randrange(len(content)) for _ in range(times))]
    for at in places:
        yield _ended(trial, FLIPPED_DATABASE, subject, recorded.DATABASE, _flip(at))
    for _ in range(times // 2):
        yield _half_done(trial, FLIPPED_DATABASE, subject, recorded.DATABASE, _flip(trial.random.randrange(1 << 30)))
        yield _half_done(trial, FLIPPED_LOG, subject, LOG, _flip(trial.random.randrange(1 << 30)))


def _ended(trial: Trial, kind: str, subject: Subject, part: str, mutation: Mutation) -> Story:
    workspace = trial.new_folder()
    shutil.copytree(subject.workspace, workspace)
    yield from _treated(trial, kind, subject, workspace, part, mutation, finished=True)


def _half_done(trial: Trial, kind: str, subject: Subject, part: str, mutation: Mutation) -> Story:
    workspace = yield from trial.half_done(subject)
    if part == "tensors":
        newest = max((workspace / part).iterdir(), key=lambda path: path.stat().st_mtime_ns)
        part = f"tensors/{newest.name}"
    if (workspace / part).exists() and (workspace / part).stat().st_size:
        yield from _treated(trial, kind, subject, workspace, part, mutation, finished=False)


def _treated(
    trial: Trial, kind: str, subject: Subject, workspace: Path, part: str, mutation: Mutation, *, finished: bool
) -> Story:
    """Damage one file; listen to `verify` and to the same command; put the file back, and let it end."""
    patient = Patient(workspace, workspace.with_name("backup"), part, finished)
    shutil.copytree(workspace, patient.backup)
    path = workspace / part
    path.write_bytes(mutation(path.read_bytes()))
    count = trial.count(kind)
    count.injected += 1
    verdict = yield trial.lives.fork(["verify", "--workspace", workspace])
    end = yield trial.lives.fork(subject.command(workspace))
    count.complaints += 2
    complaint = _unjust(patient, verdict) or (yield from _wrong(trial, subject, patient, verdict, end))
    if complaint:
        count.misnamed += 1
        trial.trouble(kind, subject, f"{part}: {complaint}; verify: {verdict.out.strip()[:300]} {verdict}; run: {end}")
    if finished:
        patient.restore()
    else:
        patient.restore_all()
    yield from trial.finish(kind, subject, workspace)
    trial.clear(workspace)


def _unjust(patient: Patient, verdict: End) -> str:
    """A file accused that is sound."""
    for line in verdict.out.splitlines():
        accused = re.match(r"tensors/([0-9a-f]{64})\.safetensors: ", line)
        if accused is not None and accused[0][:-2] != patient.part:
            path = patient.workspace / accused[0][:-2]
            if path.exists() and path.read_bytes() == (patient.backup / accused[0][:-2]).read_bytes():
                return f"verify accuses {accused[0][:-2]}, which is sound"
    return ""


def _wrong(trial: Trial, subject: Subject, patient: Patient, verdict: End, end: End) -> Generator[Life, End, str]:
    """What is wrong with what was said of a damaged file; empty if it was right.

    Right is: `verify` names the file, or the run or study in the database whose rows are damaged, with exit code 1 (or
    2, where the file is no longer known as paribus's). If it finds nothing, nothing may be wrong. The same command
    refuses in one line that names the file, or it ends; and then all is right, or `verify` still says what is not.
    """
    proper = verdict.code in (0, 1, 2) and end.code in (subject.code, 1, 2) and "defect of paribus" not in end.err
    if not proper:
        return "no proper answer"
    in_database = patient.part in (recorded.DATABASE, LOG)
    names = (recorded.DATABASE, "run ", "study ", "usage record ", "tensors/") if in_database else (patient.part,)
    unread = verdict.code == 2 and in_database and str(patient.workspace) in verdict.err
    if verdict.code != 0 and not unread and not any(name in verdict.out for name in names):
        return "verify names something else"
    if end.code != subject.code:
        named = len(end.talk) == 1 and str(patient.workspace if in_database else patient.part) in end.talk[0]
        return "" if named else "the command does not name it in one line"
    again = yield trial.lives.fork(["verify", "--workspace", patient.workspace])
    if again.code == 0:
        found = recorded.differing(recorded.results(patient.workspace), subject.results)
        return f"not a word, and {found} results differ" if found else ""
    return "" if verdict.code else "verify found it only after the command had run"
