from __future__ import annotations

import pytest
import torch

from benchmarks import chart, details, table
from benchmarks.tasks import task


@pytest.fixture
def unsettled():
    """Profiling settles its thread, which elsewhere is a process of its own; here it is the other tests'."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.mark.usefixtures("unsettled")
@pytest.mark.parametrize("network", ["ShallowMLP", "AE_n16"])
def test_a_profile_tells_the_whole_step_and_its_parts(network: str) -> None:
    told = details.profile(task(network).cut(256))
    assert set(told["us"]) == {"products", "images", "optimizer", "the rest"}
    assert sum(told["us"].values()) == pytest.approx(told["whole_us"])
    assert network in table._profiles([told])


def test_cost_and_memory_are_drawn_and_tabled_by_the_number_of_runs() -> None:
    points = [
        {"network": "ShallowMLP", "runs": runs, "ms_per_model_epoch": 9.0, "bytes": runs * 3_000_000}
        for runs in (1, 2, 4)
    ]
    assert "| 4 | 9.0 | 12 |" in table._curves(points)
    assert chart.by_runs(points).to_dict()["hconcat"]
