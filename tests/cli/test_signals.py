"""The installed command is asked to end while it trains: what was trained is kept, and the same command resumes."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paribus.store.verify import verify
from paribus.store.workspace import Workspace
from tests.cli.installed import command, environment

INTERRUPTED = "paribus: interrupted; run the same command again to resume"
LONG = ("--set", "training.epochs=20000")
ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
TRAINED_S = 1.5
"""How long training goes on before a signal comes."""


@contextmanager
def training(study: Path, *more: str, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """`paribus run` at the moment at which its first cohort begins. Only a signal makes it save before it ends."""

    with subprocess.Popen(
        command("run", study, *more, before=before),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(PARIBUS_CHECKPOINT_S="600"),
    ) as process:
        assert process.stderr is not None
        try:
            while "cohort 1/" not in (line := process.stderr.readline()):
                assert line, "ended before training began"
            yield process
        finally:
            process.kill()


def kept_epochs() -> int:
    """Epochs that the workspace holds of all runs, after it was checked."""
    assert verify(Path("paribus-workspace")).problems == ()
    with Workspace.open(Path("paribus-workspace")) as workspace:
        (study,) = workspace.studies()
        return sum(run.epochs_done for _, _, run in workspace.runs_of(study.id))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_keeps_every_trained_epoch(course: Path, number: signal.Signals) -> None:
    with training(course, *LONG) as process:
        time.sleep(TRAINED_S)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == INTERRUPTED
    assert kept_epochs() > 0


def test_further_signals_change_nothing(course: Path) -> None:
    with training(course, *LONG) as process:
        time.sleep(TRAINED_S)
        for _ in range(200):
            for number in ENDINGS:
                process.send_signal(number)
            if process.poll() is not None:
                break
            time.sleep(0.005)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == INTERRUPTED
    assert err.count("interrupted") == 1
    assert kept_epochs() > 0


def test_nohup_is_respected(course: Path) -> None:
    nohup = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    with training(course, "--set", "training.epochs=500", before=nohup) as process:
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert kept_epochs() == 4 * 500


def test_a_terminal_that_vanishes_ends_training_as_a_signal_does(course: Path) -> None:
    """As at the end of an ssh session: SIGHUP comes, and from then on nothing can be printed."""
    argv, variables = command("run", course, *LONG), environment(PARIBUS_CHECKPOINT_S="600", TERM="xterm")
    child, terminal = pty.fork()
    if child == 0:
        os.execve(argv[0], argv, variables)
    seen = b""
    while b"epoch" not in seen:
        assert select.select([terminal], [], [], 60)[0], seen
        seen += os.read(terminal, 65536)
    time.sleep(TRAINED_S)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert kept_epochs() > 0


@pytest.mark.parametrize("number", ENDINGS)
def test_any_command_ends_in_one_line(number: signal.Signals) -> None:
    before = (
        "import time, paribus.cli.status\n"
        "def execute(arguments): print('ready', flush=True); time.sleep(60)\n"
        "paribus.cli.status.execute = execute"
    )
    with subprocess.Popen(
        command("status", before=before), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == f"{INTERRUPTED}\n"
