"""The torture test in its short form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import paribus

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The folder with what it published. It runs in a process of its own, because it forks."""
    folder = tmp_path_factory.mktemp("torture")
    environment = {**os.environ, "PYTHONPATH": str(Path(paribus.__file__).parents[1])}
    command = [sys.executable, "-m", "benchmarks.torture", "--quick", "--to", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_nothing_is_lost_whatever_the_fault(report):
    found = json.loads((report / "reliability.json").read_text(encoding="utf-8"))
    assert found["kills"] >= 12
    assert found["faults"] > found["kills"]
    assert found["results_compared"] > 1000
    assert found["messages"] > 10
    assert (found["epochs_lost"], found["results_different"]) == (0, 0)
    assert (found["wrong_messages"], found["failures"]) == (0, [])
    assert found["machine"]["cores"] >= 1


def test_the_table_has_the_same_numbers(report):
    text = (report / "reliability.md").read_text(encoding="utf-8")
    found = json.loads((report / "reliability.json").read_text(encoding="utf-8"))
    (line,) = [line for line in text.splitlines() if line.startswith("| **all**")]
    figures = [int(cell.strip(" *").replace(",", "")) for cell in line.split("|")[2:-1]]
    names = ("faults", "kills", "epochs_lost", "results_compared", "results_different", "messages", "wrong_messages")
    assert figures == [found[name] for name in names]
    assert "every message was right" in text
