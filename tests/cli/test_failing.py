"""What a person reads when a worker is lost, and when a run fails."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from paribus.cli.lines import LineDisplay
from paribus.cli.live import LiveDisplay
from paribus.cli.main import run_command
from paribus.errors import Exit
from paribus.execution.events import CohortDone, CohortLost, CohortStarted
from paribus.execution.progress import StudyProgress
from tests.execution import faults
from tests.execution.conftest import ARMS, TINY, save_digits

STARTED = CohortStarted(0, 2, ("slow", "fast"), 2, 1000, 0, 12)
EVENTS = [
    STARTED,
    CohortLost(0, 2, ("slow", "fast"), "was killed by SIGKILL", again=True),
    CohortLost(0, 2, ("fast",), "was killed by SIGKILL", again=False),
    CohortDone(0, 1, 0, 12.0, failed=1),
]
KILLED = "the worker was killed by SIGKILL"
LOST = [
    f"paribus: cohort 1/2 (slow, fast): {KILLED}; its runs resume from their last checkpoint",
    f"paribus: cohort 1/2 (fast): {KILLED}; its run failed; the study continues",
]


def progress() -> StudyProgress:
    return StudyProgress("mini", runs=4, recorded=0, work=1000 * 12)


def test_lines_say_what_happened_to_a_worker_and_what_follows(capsys: pytest.CaptureFixture[str]) -> None:
    display = LineDisplay(progress())
    for event in EVENTS:
        display(event)
    _, *lost, done = capsys.readouterr().err.splitlines()
    assert lost == LOST
    assert done.startswith("paribus: mini: 1/4 runs done, ")
    assert done.endswith("; cohort 1/2: 1 run done in 12 s, 1 failed")


def test_a_terminal_shows_the_same_above_its_table() -> None:
    terminal = io.StringIO()
    with LiveDisplay(progress(), Console(file=terminal, force_terminal=True, width=150, height=24)) as display:
        for event in EVENTS:
            display(event)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    for line in LOST:
        assert line in text
    assert "1 failed" in text


def test_a_failing_run_gives_exit_code_3_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_digits(tmp_path)
    study = tmp_path / "tiny.toml"
    study.write_text(TINY + ARMS, encoding="utf-8")
    faults.install(monkeypatch.setattr)
    monkeypatch.setenv(faults.VARIABLE, faults.describe(tmp_path / "faults", "error", times=100, lr=0.3))
    command = ["run", str(study), "--workspace", str(tmp_path / "w"), "--set", "replicates=1"]
    assert run_command(command) == Exit.FAILED_RUNS
    lines = capsys.readouterr().err.splitlines()
    failed = "arm fast, replicate 0 failed: its worker met an error (RuntimeError: broken)"
    assert [line for line in lines if "replicate 0" in line] == [
        f"paribus: tiny: {failed}; the same command trains it again"
    ]
    assert any(line.startswith("paribus: tiny: trained 2 runs in") for line in lines)
    assert "paribus: tiny: --debug shows the traceback of an error in a worker" in lines
    assert "Traceback" not in "".join(lines)
    assert run_command([*command, "--debug"]) == Exit.FAILED_RUNS
    lines = capsys.readouterr().err.splitlines()
    assert "Traceback (most recent call last):" in lines
    assert "RuntimeError: broken" in lines
    assert not any("--debug" in line for line in lines)
    monkeypatch.delenv(faults.VARIABLE)
    assert run_command(command) == Exit.DONE
    assert "tiny: trained 1 run in" in capsys.readouterr().err
