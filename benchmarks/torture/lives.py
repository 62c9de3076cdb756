"""Lives of the command line: each a process that does what `python -m paribus ...` does, until it ends or is killed."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import paribus
from benchmarks.torture import clock

CHECKPOINT_S = 0.04
"""Seconds of training between two checkpoints: short, so that there are many to be killed in."""
PATIENCE_S = 60.0
"""A command that has not ended after so long never will."""
LONG_LOOK_S = 5.0
"""Between two looks at a life no more time counts: someone may have stopped the whole torture meanwhile."""
NOBODY = 65534
_HOW_IT_GOES = re.compile(r"paribus: (cohort \d|[a-z]+: trained )")
_THREADS = Path("/proc/self/task")


@dataclass(frozen=True)
class Fault:
    """What befalls a life: `points` is PARIBUS_FAULT, `after_s` the instant at which it gets the signal `number`."""

    points: str = ""
    after_s: float | None = None
    number: signal.Signals = signal.SIGKILL


NONE = Fault()


@dataclass(frozen=True)
class End:
    """How a life ended: exit code (a signal as its negative number; None if it hung), and what it said."""

    pid: int
    code: int | None
    out: str
    err: str
    wall_s: float

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def talk(self) -> list[str]:
        """What it said besides how training goes."""
        return [line for line in self.err.splitlines() if not _HOW_IT_GOES.match(line)]

    def __str__(self) -> str:
        if self.code is None:
            return "hung"
        return f"exit code {self.code}: {' | '.join(self.talk)[-400:] or 'not a word'}"


@dataclass
class Life:
    """A command that runs. Its output goes to files beside the workspaces, as a full pipe would hold it up."""

    pid: int
    fault: Fault
    said: tuple[Path, Path]
    process: subprocess.Popen[bytes] | None = None
    began: float = field(default_factory=time.perf_counter)
    seen: float = field(default_factory=time.perf_counter)
    waited_s: float = 0.0
    struck: bool = False
    ended: End | None = None

    def over(self) -> End | None:
        """How it ended, if it has; strikes it when its time has come."""
        if self.ended is None:
            self.ended = self._look()
        return self.ended

    def _look(self) -> End | None:
        now = time.perf_counter()
        self.waited_s += min(now - self.seen, LONG_LOOK_S)
        self.seen = now
        age, code = now - self.began, self._poll()
        if code is None and self.waited_s > PATIENCE_S:
            self.end()
        elif code is None:
            if not self.struck and self.fault.after_s is not None and age >= self.fault.after_s:
                self.struck = True
                os.kill(self.pid, self.fault.number)
            return None
        out, err = (path.read_text(encoding="utf-8", errors="replace") for path in self.said)
        return End(self.pid, code, out, err, age)

    def end(self) -> None:
        """Kill it, whatever it does."""
        os.kill(self.pid, signal.SIGKILL)
        while self._poll() is None:
            time.sleep(0.001)

    def _poll(self) -> int | None:
        if self.process is not None:
            return self.process.poll()
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None


Story = Generator[Life, End, None]
"""Lives one after the other: it yields each, and gets how it ended."""


def tell(stories: Iterable[Story], at_once: int = 1) -> None:
    """Let the stories happen, so many at a time."""
    waiting = iter(stories)
    told: list[tuple[Story, Life]] = []
    try:
        while True:
            while len(told) < at_once and (story := next(waiting, None)) is not None:
                told += [(story, life) for life in _next(story, None)]
            if not told:
                return
            for entry in list(told):
                story, life = entry
                if (end := life.over()) is not None:
                    told.remove(entry)
                    told += [(story, life) for life in _next(story, end)]
            time.sleep(0.0005)
    finally:
        for _, life in told:
            life.end()


def _next(story: Story, end: End | None) -> list[Life]:
    """The story's next life; none where it is at its end."""
    try:
        return [next(story) if end is None else story.send(end)]
    except StopIteration:
        return []


class Lives:
    """Begins lives. `folder` keeps what they say."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begun = 0
        self._modules: Path | None = None

    def fork(
        self, words: Sequence[str | Path], fault: Fault = NONE, *, user: int | None = None, years: Sequence[float] = ()
    ) -> Life:
        """A copy of this process that has imported paribus and read the pictures, and then lives as the command does.

        `user` is whom it becomes; `years` is how far off its clock is, by turns.
        """
        assert sum(1 for _ in _THREADS.iterdir()) == 1, "only a process of one thread can be copied whole"
        said = self._said()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pid = os.fork()
        if pid:
            return Life(pid, fault, said)
        code = 70
        try:
            os.setpgid(0, 0)
            for path, descriptor in zip(said, (1, 2), strict=True):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), descriptor)
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            if years:
                clock.move(years)
            code = _command(words, fault)
            if self._modules is not None:
                self._modules.write_text("\n".join(sys.modules), encoding="utf-8")
        finally:
            os._exit(code)

    def learn(self, life: Story) -> None:
        """Import whatever that life imports, so that those that follow need not, and need not be allowed to."""
        modules = self._folder / "modules"
        self._modules = modules
        tell([life])
        self._modules = None
        for name in modules.read_text(encoding="utf-8").split():
            if name.startswith("triton"):  # it talks when it is taken down
                continue
            with suppress(ImportError):
                importlib.import_module(name)

    def start(self, words: Sequence[str | Path], fault: Fault = NONE) -> Life:
        """The command itself, from a new interpreter."""
        said = self._said()
        environment = {**os.environ, **_settings(fault), "PYTHONPATH": str(Path(paribus.__file__).parents[1])}
        command = [sys.executable, "-m", "paribus", *map(str, words)]
        with said[0].open("wb") as out, said[1].open("wb") as err:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=err, start_new_session=True)
        return Life(process.pid, fault, said, process)

    def _said(self) -> tuple[Path, Path]:
        self._begun += 1
        return self._folder / f"{self._begun}.out", self._folder / f"{self._begun}.err"


def _settings(fault: Fault) -> dict[str, str]:
    return {"PARIBUS_CHECKPOINT_S": str(CHECKPOINT_S), "PARIBUS_FAULT": fault.points}


def _command(words: Sequence[str | Path], fault: Fault) -> int:
    """What `python -m paribus` does, to the exit code."""
    from paribus.cli.main import entry
    from paribus.store import faults

    os.environ.update(_settings(fault))
    faults.inject(fault.points)
    sys.argv = ["paribus", *map(str, words)]
    try:
        entry()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - as the interpreter does at its end
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code
