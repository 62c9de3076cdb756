"""What every kind of torture shares: the studies as they end undisturbed, and the count of what went wrong."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.torture import recorded, studies
from benchmarks.torture.lives import End, Fault, Life, Lives, Story
from paribus.store.verify import verify

BRIEF = ("--set", "training.epochs=8", "--replicates", "1")
"""So short that a study can be killed at each of its write points."""
WHOLE = ("--set", "training.epochs=60")


@dataclass
class Count:
    """Of one kind of fault: how often it was injected, what it destroyed, and what was said about it."""

    injected: int = 0
    kills: int = 0
    epochs_lost: int = 0
    compared: int = 0
    different: int = 0
    complaints: int = 0
    misnamed: int = 0


@dataclass
class Subject:
    """A study that is tortured: its command without the workspace, and what came of it undisturbed."""

    name: str
    words: Sequence[str | Path]
    code: int = 0
    results: recorded.Results = field(default_factory=recorded.Results)
    progress: recorded.RunProgress = recorded.NO_PROGRESS
    points: Sequence[str] = ()
    wall_s: float = 1.0
    """Of a life that is forked; from a new interpreter it takes `start_s` more."""
    start_s: float = 1.0
    workspace: Path = Path()

    def command(self, workspace: Path) -> list[str | Path]:
        return ["run", *self.words, "--workspace", workspace]


Step = Generator[Life, End, End]


class Trial:
    """One torture: a folder for its workspaces, its chance, its lives and its counts."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.counts: dict[str, Count] = {}
        self.troubles: list[str] = []
        self._folders = 0
        (folder / "said").mkdir()
        (folder / "studies").mkdir()
        self.lives = Lives(folder / "said")

    def count(self, kind: str) -> Count:
        return self.counts.setdefault(kind, Count())

    def new_folder(self) -> Path:
        """A folder that does not exist yet, in one that does."""
        self._folders += 1
        parent = self.folder / f"{self._folders}"
        parent.mkdir()
        return parent / "workspace"

    def clear(self, workspace: Path) -> None:
        shutil.rmtree(workspace.parent)

    def trouble(self, kind: str, subject: Subject, what: str) -> None:
        self.troubles.append(f"{kind}, {subject.name}: {what}")

    def subject(self, name: str, form: Sequence[str]) -> Subject:
        path = studies.write(name, self.folder / "studies")
        return Subject(name if form == WHOLE else f"{name} (brief)", (path, *form))

    def once(self, subject: Subject) -> Story:
        """One life, for what can be learned of it."""
        yield self.lives.fork(subject.command(self.new_folder()))

    def undisturbed(self, subject: Subject) -> Story:
        """Run the very command, in an interpreter of its own, and keep what it recorded as what is wanted."""
        subject.workspace = self.new_folder()
        points = subject.workspace.with_name("points")
        end = yield self.lives.start(subject.command(subject.workspace), Fault(f"count@{points}"))
        if end.code not in (0, 3):
            raise RuntimeError(f"{subject.name} cannot be run undisturbed: {end}")
        subject.code = end.code
        subject.results = recorded.results(subject.workspace)
        subject.progress = recorded.run_progress(subject.workspace)
        subject.points = points.read_text(encoding="utf-8").splitlines()
        subject.start_s = end.wall_s
        end = yield self.lives.fork(subject.command(self.new_folder()))
        subject.wall_s = end.wall_s
        subject.start_s -= end.wall_s

    def look(self, kind: str, subject: Subject, workspace: Path, before: recorded.RunProgress) -> recorded.RunProgress:
        """Right after a disturbance: nothing that was recorded is gone or changed, and the workspace is sound."""
        count = self.count(kind)
        if not (workspace / recorded.DATABASE).exists():
            now = recorded.NO_PROGRESS
        else:
            copy = recorded.photograph(workspace, workspace.with_name("photograph"))
            for problem in verify(copy).problems:
                count.different += 1
                self.trouble(kind, subject, f"verify says, before it went on: {problem}")
            now = recorded.run_progress(copy)
        lost = recorded.epochs_lost(before, now, subject.progress)
        count.epochs_lost += lost
        if lost:
            self.trouble(kind, subject, f"{lost} epochs lost")
        return now

    def finished(self, kind: str, subject: Subject, workspace: Path, end: End) -> None:
        """After the command that was allowed to end: every result is what it is undisturbed."""
        count = self.count(kind)
        if end.code != subject.code:
            count.different += 1
            self.trouble(kind, subject, f"the same command did not finish: {end}")
            return
        found = recorded.results(workspace)
        different = recorded.differing(found, subject.results)
        count.compared += subject.results.total()
        count.different += different
        if different:
            some = [*(subject.results - found), *(found - subject.results)][:4]
            self.trouble(kind, subject, f"{different} results differ: {some}")
        checked = verify(workspace)
        for problem in (*checked.problems, *checked.notes):
            count.different += 1
            self.trouble(kind, subject, f"verify says at the end: {problem}")
        lost = recorded.epochs_lost(subject.progress, recorded.run_progress(workspace), subject.progress)
        count.epochs_lost += lost

    def finish(self, kind: str, subject: Subject, workspace: Path) -> Step:
        """Let the same command end, and compare."""
        end = yield self.lives.fork(subject.command(workspace))
        self.finished(kind, subject, workspace, end)
        return end

    def half_done(self, subject: Subject, left_by: signal.Signals = signal.SIGKILL) -> Generator[Life, End, Path]:
        """A workspace in which training has begun and was ended by that signal."""
        for _ in range(200):
            workspace, after_s = self.new_folder(), subject.wall_s * self.random.uniform(0.4, 0.9)
            end = yield self.lives.fork(subject.command(workspace), Fault(after_s=after_s, number=left_by))
            now = recorded.run_progress(recorded.photograph(workspace, workspace.with_name("photograph")))
            done = sum(now.epochs.values())
            if 0 < done < sum(subject.progress.epochs.values()):
                return workspace
            subject.wall_s = 1.2 * subject.wall_s if done == 0 else end.wall_s  # the machine has got slower, or faster
            self.clear(workspace)
        raise RuntimeError(f"{subject.name} is never half done")

    def told(self, kind: str, subject: Subject, end: End, *, code: int, words: Sequence[str]) -> None:
        """A refusal is one line that says what rule is broken, where, and nothing else."""
        count = self.count(kind)
        count.complaints += 1
        lines = end.talk
        if end.code != code or len(lines) != 1 or not all(word in lines[0] for word in words):
            count.misnamed += 1
            self.trouble(kind, subject, f"wanted exit code {code} and one line with {list(words)}, got {end}")
