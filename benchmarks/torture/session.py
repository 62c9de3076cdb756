"""What all faults share: the studies and their undisturbed results, what is checked after a fault, and the counts."""

from __future__ import annotations

import random
import shutil
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.torture import recorded, studies
from benchmarks.torture.processes import Fault, Launcher, Result, Running, Scenario
from paribus.store.verify import verify

BRIEF = ("--set", "training.epochs=8", "--replicates", "1")
"""So short that a study can be killed at each of its write points."""
FULL = ("--set", "training.epochs=60")
MAX_ATTEMPTS = 50
"""Attempts at interrupting a study between its first checkpoint and its end."""
EVERY_EPOCH_S = 1e-6
"""Seconds between checkpoints that leave none out."""


@dataclass
class Count:
    """Of one kind of fault: how many there were, what was lost, and how many messages about it were right."""

    injected: int = 0
    kills: int = 0
    epochs_lost: int = 0
    compared: int = 0
    different: int = 0
    messages: int = 0
    wrong_messages: int = 0


@dataclass
class TestedStudy:
    """A study: its command without the workspace, `run` or `search`, and what it records undisturbed.

    A command begins in a workspace that does not exist, or in a copy of `base`. `wall_s` is the time of a forked
    command; one in a new interpreter takes `start_s` more. `workspace` is the undisturbed one.
    """

    __test__ = False  # pytest collects classes of this name

    name: str
    words: Sequence[str | Path]
    base: Path | None = None
    code: int = 0
    results: recorded.Results = field(default_factory=recorded.Results)
    progress: recorded.RunProgress = recorded.NO_PROGRESS
    points: Sequence[str] = ()
    wall_s: float = 1.0
    start_s: float = 1.0
    workspace: Path = Path()
    verb: str = "run"

    def command(self, workspace: Path) -> list[str | Path]:
        return [self.verb, *self.words, "--workspace", workspace]


Step = Generator[Running, Result, Result]


class Session:
    """One torture test: a folder for its workspaces, its random numbers, its commands, its counts and failures."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.counts: dict[str, Count] = {}
        self.failures: list[str] = []
        self._folders = 0
        (folder / "output").mkdir()
        (folder / "studies").mkdir()
        self.launcher = Launcher(folder / "output")

    def count(self, kind: str) -> Count:
        return self.counts.setdefault(kind, Count())

    def new_workspace(self, study: TestedStudy) -> Path:
        """A folder in which the study's command begins: one that does not exist yet, or a copy of its base."""
        workspace = self.new_folder()
        if study.base is not None:
            shutil.copytree(study.base, workspace)
        return workspace

    def new_folder(self) -> Path:
        """A folder that does not exist yet, in one that does."""
        self._folders += 1
        parent = self.folder / f"{self._folders}"
        parent.mkdir()
        return parent / "workspace"

    def remove(self, workspace: Path) -> None:
        shutil.rmtree(workspace.parent)

    def fail(self, kind: str, study: TestedStudy, what: str) -> None:
        """Note something that must not happen."""
        self.failures.append(f"{kind}, {study.name}: {what}")

    def study(self, name: str, form: Sequence[str]) -> TestedStudy:
        path = studies.write(name, self.folder / "studies")
        return TestedStudy(name if form == FULL else f"{name} (brief)", (path, *form))

    def measured_later(self, name: str, trained: TestedStudy) -> TestedStudy:
        """The command that measures what a trained study's recorded runs lack."""
        words = (*trained.words, *studies.LATER[name])
        return TestedStudy(f"{name} (measured later)", words, base=trained.workspace)

    def undisturbed(self, study: TestedStudy) -> Scenario:
        """Run the command in a new interpreter, and keep what it records as what is expected."""
        study.workspace = self.new_workspace(study)
        points = study.workspace.with_name("points")
        result = yield self.launcher.start(study.command(study.workspace), Fault(f"count@{points}"))
        if result.code not in (0, 3):
            raise RuntimeError(f"{study.name} does not run undisturbed: {result}")
        study.code = result.code
        study.results = recorded.results(study.workspace)
        study.progress = recorded.run_progress(study.workspace)
        study.points = points.read_text(encoding="utf-8").splitlines()
        study.start_s = result.wall_s
        workspace = self.new_workspace(study)
        result = yield self.launcher.fork(study.command(workspace))
        study.wall_s = result.wall_s
        study.start_s -= result.wall_s
        self.remove(workspace)

    def check_kept(
        self, kind: str, study: TestedStudy, workspace: Path, before: recorded.RunProgress
    ) -> recorded.RunProgress:
        """After a fault: nothing that was recorded is gone or changed, and the workspace is sound."""
        count = self.count(kind)
        if not (workspace / recorded.DATABASE).exists():
            now = recorded.NO_PROGRESS
        else:
            copy = recorded.copied(workspace, workspace.with_name("copy"))
            for problem in verify(copy).problems:
                count.different += 1
                self.fail(kind, study, f"verify reports after the fault: {problem}")
            now = recorded.run_progress(copy)
        lost = recorded.epochs_lost(before, now, study.progress)
        count.epochs_lost += lost
        if lost:
            self.fail(kind, study, f"{lost} epochs lost")
        return now

    def check_finished(self, kind: str, study: TestedStudy, workspace: Path, result: Result) -> None:
        """After the command that ran to its end: every result is as in the undisturbed workspace."""
        count = self.count(kind)
        if result.code != study.code:
            count.different += 1
            self.fail(kind, study, f"the same command does not finish: {result}")
            return
        found = recorded.results(workspace)
        different = recorded.differing(found, study.results)
        count.compared += study.results.total()
        count.different += different
        if different:
            some = [*(study.results - found), *(found - study.results)][:4]
            self.fail(kind, study, f"{different} results differ: {some}")
        checked = verify(workspace)
        for problem in (*checked.problems, *checked.notes):
            count.different += 1
            self.fail(kind, study, f"verify reports at the end: {problem}")
        count.epochs_lost += recorded.epochs_lost(study.progress, recorded.run_progress(workspace), study.progress)

    def finish(self, kind: str, study: TestedStudy, workspace: Path) -> Step:
        """Run the same command to its end, and compare."""
        result = yield self.launcher.fork(study.command(workspace))
        self.check_finished(kind, study, workspace, result)
        return result

    def interrupted(self, study: TestedStudy, way: str = "kill") -> Generator[Running, Result, Path]:
        """A workspace in which training has begun and was ended at a write point, by "kill" or "interrupt".

        Epochs are counted there, so a checkpoint is saved after each one. Points that are too early and too late
        enclose the right ones, however fast the machine is.
        """
        early, late = 0, 2 * len(study.points)
        for _ in range(MAX_ATTEMPTS):
            workspace, point = self.new_workspace(study), self.random.randint(early + 1, max(early + 1, late))
            fault = Fault(f"{way}@{point}", checkpoint_s=EVERY_EPOCH_S)
            yield self.launcher.fork(study.command(workspace), fault)
            if not (workspace / recorded.DATABASE).exists():
                done = 0
            else:
                copy = recorded.copied(workspace, workspace.with_name("copy"))
                done = sum(recorded.run_progress(copy).epochs.values())
            if 0 < done < sum(study.progress.epochs.values()):
                return workspace
            early, late = (point, late) if done == 0 else (early, point - 1)
            self.remove(workspace)
        raise RuntimeError(f"{study.name} never ends between its first checkpoint and its end")

    def check_refusal(self, kind: str, study: TestedStudy, result: Result, *, code: int, words: Sequence[str]) -> None:
        """A refusal is one line that names the rule and the place, and nothing else."""
        count = self.count(kind)
        count.messages += 1
        lines = result.messages
        if result.code != code or len(lines) != 1 or not all(word in lines[0] for word in words):
            count.wrong_messages += 1
            self.fail(kind, study, f"expected exit code {code} and one line with {list(words)}, got {result}")
