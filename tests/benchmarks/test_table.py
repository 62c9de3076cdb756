from __future__ import annotations

from typing import Any

from benchmarks import table
from benchmarks.rows import Row

ABOUT: dict[str, Any] = {
    "processor": "a processor", "vector_instructions": "AVX512", "cores": 2, "memory_gib": 24, "system": "Linux x86_64",
    "python": "3.11.7", "versions": {"torch": "2.15.0"}, "commit": "abc", "peak_gflops": 180.0, "stolen": 0.01,
    "started": "2026-01-01T00:00+00:00", "minutes": 12.0, "cohorts": [1, 32], "repeats": 3, "whole": True,
    "left_out": [],
}  # fmt: skip


def row(tool: str, cohort: int, ms: float, **over: Any) -> Row:
    fields: dict[str, Any] = {
        "network": "ShallowMLP", "tool": tool, "cohort": cohort, "measured_at": cohort, "ms_per_model_epoch": ms,
        "lowest_ms": 0.9 * ms, "highest_ms": 1.2 * ms, "repeats": 3, "peak_share": 5 / ms, "metric": "accuracy",
        "quality": 0.61, "expected": 0.60, "agrees": True,
    }  # fmt: skip
    return Row(**{**fields, **over})


ROWS = [
    row("dataloader", 1, 120.0),
    row("dataloader", 32, 120.0, measured_at=1),
    row("sequential", 1, 60.0),
    row("sequential", 32, 60.0, measured_at=1),
    row("vmap", 32, 13.0),
    row("paribus-training", 1, 30.0),
    row("paribus-training", 32, 6.5),
    row("paribus", 32, 7.0),
]


def summary_of(rows: list[Row]) -> str:
    page = table.page(rows, ABOUT)
    return next(line for line in page.splitlines() if line.startswith("| ShallowMLP"))


def test_the_summary_compares_paribus_with_loop_peer_and_peak() -> None:
    cells = [cell.strip() for cell in summary_of(ROWS).strip("|").split("|")]
    assert cells == [
        "ShallowMLP", "6.50 (32 runs)", "154", "18.5x", "2.0x (vmap, 32 runs)", "2.0x", "77%", "+8% (32 runs)"
    ]  # fmt: skip


def test_a_missed_target_is_marked_with_the_target() -> None:
    slow = [row("paribus-training", 32, 12.0), row("paribus", 32, 15.0)]
    line = summary_of([*ROWS[:5], *slow])
    for missed in ("10.0x ✗ 15x (24.0x at the peak)", "1.1x ✗ 1.3x", "42% ✗ 65%", "+25% (32 runs) ✗ 12%"):
        assert missed in line


def test_a_narrow_miss_is_not_rounded_away() -> None:
    assert "1.29x ✗ 1.3x" in summary_of([*ROWS[:4], row("vmap", 32, 12.93), row("paribus-training", 32, 10.0)])


def test_arms_that_share_their_batches_are_shown_beside_runs_that_do_not() -> None:
    slower = [row("paribus-training", 32, 10.0), row("paribus-arms", 32, 8.0)]
    assert "| 12.0x; arms 15.0x |" in summary_of([*ROWS[:5], *slower])


def test_a_peer_that_trained_something_else_is_marked_and_does_not_count() -> None:
    wrong = row("jax", 32, 2.0, agrees=False, quality=0.1)
    assert "vmap" in summary_of([*ROWS, wrong])
    assert "10.0% (60.0%) ✗ differs with 32 runs" in table.page([*ROWS, wrong], ABOUT)


def test_a_cell_shows_median_and_spread_and_what_was_not_measured_again_only_the_median() -> None:
    page = table.page(ROWS, ABOUT)
    assert "| 120.0 (108.0–144.0) | 120.0 |" in page
    assert "| – | 13.0 (11.7–15.6) |" in page


def test_a_tool_that_was_left_out_is_named_with_the_reason() -> None:
    out = {"network": "ShallowMLP", "tool": "vmap-compiled", "reason": "needs a compiler"}
    assert "needs a compiler" in table.page(ROWS, {**ABOUT, "left_out": [out]})


def test_every_tool_has_a_title() -> None:
    from benchmarks.peers import NAMES

    assert set(table.TITLES) == set(NAMES)
