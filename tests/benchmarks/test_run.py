"""The order of a benchmark and what it writes, with children that return fixed numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import run
from benchmarks.children import FailedError
from benchmarks.rows import read

asked: list[tuple[str, str, int | None]] = []


class FakeChild:
    """Replaces a child process: 10 ms a model-epoch, and half of that where runs train as one program."""

    def __init__(self, tool: str, network: str) -> None:
        self.tool, self.network = tool, network
        self.batched, self.min_runs = tool in ("vmap", "paribus-training"), 2 if tool == "processes" else 1

    def ready(self) -> dict[str, str]:
        if self.tool == "keras":
            raise FailedError("No module named 'keras'")
        return {"torch": "2.15.0"}

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        runs = request.get("runs")
        asked.append((self.tool, request["do"], runs))
        if request["do"] == "peak":
            return {"peak": 1e11}
        if request["do"] == "warm up":
            return {}
        if self.tool == "skorch":
            raise FailedError("MemoryError")
        each_s = 0.005 if self.batched else 0.010
        return {"seconds": each_s * runs * 2, "quality": {str(r): 0.5 + 0.01 * r for r in range(min(runs, 8))}}

    def close(self) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    asked.clear()
    monkeypatch.setattr(run, "Child", FakeChild)
    tools = ["dataloader", "processes", "skorch", "keras", "vmap", "paribus-training"]
    options = ["--networks", "ShallowMLP", "--cohorts", "1", "8", "--repeats", "2", "--output", str(tmp_path)]
    run.main(["--tools", *tools, *options])
    return tmp_path


def test_every_tool_has_a_row_for_every_number_of_runs_that_it_can_train(folder: Path) -> None:
    rows = {(row.tool, row.cohort): row for row in read(folder / "benchmarks/results.json")}
    assert set(rows) == {
        ("dataloader", 1), ("dataloader", 8), ("processes", 8), ("vmap", 1), ("vmap", 8), ("paribus-training", 1),
        ("paribus-training", 8),
    }  # fmt: skip
    assert rows["dataloader", 8].measured_at == 1
    assert rows["processes", 8].measured_at == 2
    assert rows["dataloader", 8].ms_per_model_epoch == pytest.approx(10)
    assert rows["vmap", 8].ms_per_model_epoch == pytest.approx(5)
    assert rows["vmap", 8].peak_share == pytest.approx(102_272 * 8_000 / 0.005 / 1e11)
    assert rows["vmap", 8].agrees


def test_tools_take_turns_within_each_repeat(folder: Path) -> None:
    trained = [(tool, runs) for tool, do, runs in asked if do == "train" and tool not in ("skorch", "sequential")]
    turn = [
        ("dataloader", 1), ("processes", 2), ("vmap", 1), ("paribus-training", 1), ("vmap", 8), ("paribus-training", 8)
    ]  # fmt: skip
    assert trained == turn * 2


def test_a_tool_that_is_missing_or_fails_is_left_out_with_the_reason(folder: Path) -> None:
    about = json.loads((folder / "benchmarks/machine.json").read_text(encoding="utf-8"))
    assert {one["tool"]: one["reason"] for one in about["left_out"]} == {
        "keras": "No module named 'keras'",
        "skorch": "MemoryError",
    }
    page = (folder / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert "No module named 'keras'" in page
