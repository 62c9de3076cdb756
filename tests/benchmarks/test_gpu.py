from __future__ import annotations

import pytest
import torch

from benchmarks import gpu
from benchmarks.tasks import task

LIMITS = {"operations": 50e12, "bytes": 3e12, "launch_s": 2e-6}


@pytest.fixture(autouse=True)
def unsettled():
    """What trains settles its thread, which elsewhere is a process of its own; here it is the other tests'."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("tool", ["paribus-training", "vmap"])
def test_a_tool_tells_of_ever_more_runs(tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "REPEATS", 1)
    told = list(gpu.measured(tool, task("ShallowMLP").cut(256), (1, 2), 1, "cpu"))
    assert [(point["tool"], point["runs"]) for point in told] == [(tool, 1), (tool, 2)]
    assert all(point["ms_per_model_epoch"] > 0 for point in told)


def test_the_floor_is_memorys_or_arithmetics_whichever_takes_longer() -> None:
    work = task("ShallowMLP")
    steps, images, parameters = 63, 8000, 25_450
    moved = steps * 2 * 2 * 4 * parameters + images * 784
    assert gpu.floor_s(work, {**LIMITS, "operations": 1e15}) == pytest.approx(moved / 3e12)
    assert gpu.floor_s(work, LIMITS) == pytest.approx(work.operations / 50e12)


def test_the_page_has_a_row_for_every_count_and_marks_a_missed_target() -> None:
    points = [
        {"network": "ShallowMLP", "tool": tool, "runs": runs, "ms_per_model_epoch": 2.0 / runs}
        for tool in ("paribus-training", "jax")
        for runs in (1, 1024)
    ]
    text = gpu.page(points, LIMITS, [("faces", 50.0), ("selection", 60.0)])
    assert "| 1 | 500.0 |  |  | 500.0 |" in text
    assert "| 1,024 | 512,000.0 |" in text
    assert "| **all** | 1 min 50 s ✗ 1 min 30 s |" in text
    assert "✗" not in gpu.page(points, LIMITS, [("faces", 50.0)])
