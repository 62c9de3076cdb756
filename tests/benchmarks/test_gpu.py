from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from benchmarks import gpu
from benchmarks.tasks import task

LIMITS = gpu.DeviceLimits(operations=50e12, bytes=3e12, launch_s=2e-6)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """The peers choose PyTorch's number of threads; this restores it for other tests."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("tool", ["paribus-training", "vmap"])
def test_a_tool_is_measured_with_more_and_more_runs(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "REPEATS", 1)
    found = list(gpu.measured(tool, task("ShallowMLP").limited(256), (1, 2), 1, "cpu"))
    assert [(point["tool"], point["runs"]) for point in found] == [(tool, 1), (tool, 2)]
    assert all(point["ms_per_model_epoch"] > 0 for point in found)


def test_the_lower_bound_is_by_memory_or_by_arithmetic_whichever_takes_longer() -> None:
    work = task("ShallowMLP")
    steps, examples, parameters = 63, 8000, 25_450
    moved = steps * 2 * 2 * 4 * parameters + examples * 784
    assert gpu.lower_bound_s(work, replace(LIMITS, operations=1e15)) == pytest.approx(moved / 3e12)
    assert gpu.lower_bound_s(work, LIMITS) == pytest.approx(work.operations / 50e12)


def test_the_page_has_a_row_for_every_number_of_runs_and_marks_a_missed_target() -> None:
    points = [
        {"network": "ShallowMLP", "tool": tool, "runs": runs, "ms_per_model_epoch": 2.0 / runs}
        for tool in ("paribus-training", "jax")
        for runs in (1, 1024)
    ]
    text = gpu.page(points, LIMITS, [gpu.StudySeconds("faces", 50.0), gpu.StudySeconds("selection", 60.0)])
    assert "| 1 | 500.0 |  |  | 500.0 |" in text
    assert "| 1,024 | 512,000.0 |" in text
    assert "| **all** | 1 min 50 s ✗ 1 min 30 s |" in text
    assert "✗" not in gpu.page(points, LIMITS, [gpu.StudySeconds("faces", 50.0)])
