from __future__ import annotations

import pytest

from benchmarks import chart, details, table
from benchmarks.tasks import task


@pytest.mark.parametrize("network", ["ShallowMLP", "AE_n16"])
def test_a_profile_has_the_whole_step_and_its_parts(network: str) -> None:
    found = details.profile(task(network).limited(256))
    assert set(found["us"]) == {"matmuls", "inputs", "optimizer", "other"}
    assert sum(found["us"].values()) == pytest.approx(found["step_us"])
    assert network in table._profiles([found])


def test_cost_and_memory_are_drawn_and_tabled_by_the_number_of_runs() -> None:
    points = [
        {"network": "ShallowMLP", "runs": runs, "ms_per_model_epoch": 9.0, "bytes": runs * 3_000_000}
        for runs in (1, 2, 4)
    ]
    assert "| 4 | 9.0 | 12 |" in table._curves(points)
    assert chart.by_runs(points).to_dict()["hconcat"]
