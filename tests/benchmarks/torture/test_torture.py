"""The torture test in its short form, and whether it would notice."""

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
    """In a process of its own, as it forks; the folder with what it published."""
    folder = tmp_path_factory.mktemp("torture")
    environment = {**os.environ, "PYTHONPATH": str(Path(paribus.__file__).parents[1])}
    command = [sys.executable, "-m", "benchmarks.torture", "--quick", "--to", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_killed_starved_and_misled_nothing_is_lost(report):
    found = json.loads((report / "reliability.json").read_text(encoding="utf-8"))
    assert found["kills"] >= 12
    assert found["faults"] > found["kills"]
    assert found["results_compared"] > 1000
    assert found["answers"] > 10
    assert (found["epochs_lost"], found["results_different"], found["misnamed"], found["troubles"]) == (0, 0, 0, [])
    assert found["machine"]["cores"] >= 1


def test_people_get_the_same_in_a_table(report):
    text = (report / "reliability.md").read_text(encoding="utf-8")
    found = json.loads((report / "reliability.json").read_text(encoding="utf-8"))
    (line,) = [line for line in text.splitlines() if line.startswith("| **all**")]
    figures = [int(cell.strip(" *").replace(",", "")) for cell in line.split("|")[2:-1]]
    names = ("faults", "kills", "epochs_lost", "results_compared", "results_different", "answers", "misnamed")
    assert figures == [found[name] for name in names]
    assert "named the right thing" in text
