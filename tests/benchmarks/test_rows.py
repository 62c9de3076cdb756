from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rows import Expected, Row, read, to_json


def test_runs_that_differ_by_noise_agree_and_others_do_not() -> None:
    expected = Expected({0: 0.80, 1: 0.70, 2: 0.75, 3: 0.65}, {0: 0.81, 1: 0.69, 2: 0.76, 3: 0.64})
    assert expected.of([0]) == pytest.approx(0.805)
    assert expected.of([1, 3]) == pytest.approx(0.67)
    assert expected.agrees({0: 0.81, 1: 0.70})
    assert expected.agrees({3: 0.63})
    assert not expected.agrees({0: 0.75})
    assert not expected.agrees({0: 0.76, 1: 0.65, 2: 0.71, 3: 0.60})


def test_results_are_a_list_of_rows_that_reads_back(tmp_path: Path) -> None:
    rows = [Row("ShallowMLP", "vmap", 8, 8, 15.0, 14.0, 16.5, 3, 0.4, "accuracy", 0.62, 0.61, True)]
    path = tmp_path / "results.json"
    path.write_text(to_json(rows), encoding="utf-8")
    assert read(path) == rows
