"""Commands as processes: each does what `python -m paribus ...` does, until it ends or is killed."""

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
from benchmarks.torture.children import workers_of

CHECKPOINT_S = 0.04
"""Seconds of training between two checkpoints: short, so that there are many in which a process can be killed."""
MAX_COMMAND_S = 60.0
"""A command that has not ended after this long never will, and is killed."""
MAX_GAP_S = 5.0
"""The longest time between two looks at a process that counts: the whole test may have been stopped meanwhile."""
NOBODY = 65534
_PROGRESS = re.compile(
    r"paribus: (note: |finding: |energy: |compiling |cohort \d|next: |"
    r"\S+: (\d+/\d+ runs done|trained |nothing to train|\d+ runs? diverged))"
)
"""Lines about how a command goes, and about what it found: a signal can come after them."""
_THREADS = Path("/proc/self/task")


@dataclass(frozen=True)
class Fault:
    """What disturbs a command: `points` is PARIBUS_FAULT, and after `after_s` seconds it gets the signal `number`.

    It saves a checkpoint every `checkpoint_s` seconds. With `worker`, one of its worker processes gets the signal in
    its place, as soon as there is one.
    """

    points: str = ""
    after_s: float | None = None
    number: signal.Signals = signal.SIGKILL
    worker: bool = False
    checkpoint_s: float = CHECKPOINT_S


NO_FAULT = Fault()


@dataclass(frozen=True)
class Result:
    """How a command ended: its exit code (a signal as its negative number; None if it hung), and what it printed.

    `signalled` says whether its fault came before its end, and `workers` are those that it then had.
    """

    pid: int
    code: int | None
    out: str
    err: str
    wall_s: float
    signalled: bool = False
    workers: Sequence[int] = ()

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def messages(self) -> list[str]:
        """The lines on stderr, without those about progress."""
        return [line for line in self.err.splitlines() if not _PROGRESS.match(line)]

    def __str__(self) -> str:
        if self.code is None:
            return "it hung"
        return f"exit code {self.code}: {' | '.join(self.messages)[-400:] or 'no message'}"


@dataclass
class Running:
    """A command that runs. Its output goes to files, because a full pipe would stop it."""

    pid: int
    fault: Fault
    output: Output
    process: subprocess.Popen[bytes] | None = None
    began: float = field(default_factory=time.perf_counter)
    looked_at: float = field(default_factory=time.perf_counter)
    ran_s: float = 0.0
    signalled: bool = False
    workers: Sequence[int] = ()
    ended: Result | None = None

    def result(self) -> Result | None:
        """How it ended, or None. It is sent its signal when the time has come."""
        if self.ended is None:
            self.ended = self._look()
        return self.ended

    def _look(self) -> Result | None:
        now = time.perf_counter()
        self.ran_s += min(now - self.looked_at, MAX_GAP_S)
        self.looked_at = now
        age, code = now - self.began, self._poll()
        if code is None and self.ran_s > MAX_COMMAND_S:
            self.kill()
        elif code is None:
            if not self.signalled and self.fault.after_s is not None and age >= self.fault.after_s:
                self._signal()
            return None
        out, err = (path.read_text(encoding="utf-8", errors="replace") for path in (self.output.out, self.output.err))
        return Result(self.pid, code, out, err, age, self.signalled, self.workers)

    def _signal(self) -> None:
        """Send the fault's signal; to a worker, once there is one."""
        self.workers = workers_of(self.pid)
        if self.fault.worker and not self.workers:
            return
        self.signalled = True
        os.kill(self.workers[-1] if self.fault.worker else self.pid, self.fault.number)

    def kill(self) -> None:
        """Kill it, and wait until it has ended."""
        os.kill(self.pid, signal.SIGKILL)
        while self._poll() is None:
            time.sleep(0.001)

    def _poll(self) -> int | None:
        if self.process is not None:
            return self.process.poll()
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None


@dataclass(frozen=True)
class Output:
    """The files that take a command's standard output and standard error."""

    out: Path
    err: Path


Scenario = Generator[Running, Result, None]
"""Commands one after the other: it yields each, and is sent its result."""


@dataclass
class _Current:
    """A scenario, and the command that it waits for."""

    scenario: Scenario
    running: Running


def play(scenarios: Iterable[Scenario], at_once: int = 1) -> None:
    """Run all scenarios to their ends, so many at a time."""
    waiting = iter(scenarios)
    current: list[_Current] = []
    try:
        while True:
            while len(current) < at_once and (scenario := next(waiting, None)) is not None:
                current += _continued(scenario, None)
            if not current:
                return
            for one in list(current):
                if (result := one.running.result()) is not None:
                    current.remove(one)
                    current += _continued(one.scenario, result)
            time.sleep(0.0005)
    finally:
        for one in current:
            one.running.kill()


def _continued(scenario: Scenario, result: Result | None) -> list[_Current]:
    """The scenario with its next command; nothing where it is at its end."""
    try:
        return [_Current(scenario, next(scenario) if result is None else scenario.send(result))]
    except StopIteration:
        return []


class Launcher:
    """Begins commands. `folder` takes their output."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begun = 0
        self._modules: Path | None = None

    def fork(
        self,
        words: Sequence[str | Path],
        fault: Fault = NO_FAULT,
        *,
        user: int | None = None,
        years: Sequence[float] = (),
    ) -> Running:
        """The command in a copy of this process, which has imported paribus and read the images.

        It runs as `user`, and its clock is wrong by `years` (see `clock.move`).
        """
        assert sum(1 for _ in _THREADS.iterdir()) == 1, "a fork copies only the thread that calls it"
        output = self._output()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pid = os.fork()
        if pid:
            return Running(pid, fault, output)
        code = 70
        try:
            os.setpgid(0, 0)
            for path, descriptor in ((output.out, 1), (output.err, 2)):
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

    def preload(self, scenario: Scenario) -> None:
        """Import whatever the commands of a scenario import, so that later ones need not (and need no right to)."""
        self._modules = self._folder / "modules"
        play([scenario])
        names = self._modules.read_text(encoding="utf-8").split()
        self._modules = None
        for name in names:
            with suppress(ImportError):
                importlib.import_module(name)

    def start(self, words: Sequence[str | Path], fault: Fault = NO_FAULT) -> Running:
        """The command in a new interpreter."""
        output = self._output()
        environment = {**os.environ, **_settings(fault), "PYTHONPATH": str(Path(paribus.__file__).parents[1])}
        command = [sys.executable, "-m", "paribus", *map(str, words)]
        with output.out.open("wb") as out, output.err.open("wb") as err:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=err, start_new_session=True)
        return Running(process.pid, fault, output, process)

    def _output(self) -> Output:
        self._begun += 1
        return Output(self._folder / f"{self._begun}.out", self._folder / f"{self._begun}.err")


def _settings(fault: Fault) -> dict[str, str]:
    return {"PARIBUS_CHECKPOINT_S": str(fault.checkpoint_s), "PARIBUS_FAULT": fault.points}


def _command(words: Sequence[str | Path], fault: Fault) -> int:
    """What `python -m paribus` does; its exit code."""
    from paribus.cli.main import main
    from paribus.store import faults

    os.environ.update(_settings(fault))
    faults.inject(fault.points)
    sys.argv = ["paribus", *map(str, words)]
    try:
        code = main()
    except BaseException as error:  # noqa: BLE001 - as the interpreter does at its end
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code
