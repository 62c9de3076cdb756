"""The page of the searches, from made-up rows."""

from __future__ import annotations

import math
from typing import Any

import pytest

from benchmarks.search import confirm, page, summary


def row(seed: int, tool: str, seconds: float, confirmed: tuple[float, ...], **more: Any) -> dict[str, Any]:
    found = {"lr": 0.1, "batch": 8, "found": 0.01, "excluded": ""} if confirmed else {"lr": None, "found": None}
    same = {"space": "n16", "seed": seed, "tool": tool, "seconds": seconds, "load": 2.0, "processor": "made up",
            "commit": "abc"}  # fmt: skip
    return {**same, **found, "confirmed": list(confirmed), "excluded": "" if confirmed else "no winner", **more}


ROWS = [
    row(0, "paribus", 10.0, (0.02, 0.04), faults={"collapsed": 7}, confirming=6.0),
    row(0, "ray", 40.0, (0.05, 0.07), excluded="collapsed in 1 of 2"),
    row(1, "paribus", 20.0, (0.03, 0.03), faults={"collapsed": 5, "unstable": 2}),
    row(1, "ray", 60.0, (0.04, 0.04)),
    row(2, "paribus", 30.0, (), faults={"collapsed": 20}, confirming=0.0),
    row(2, "ray", 20.0, (0.09, 0.09)),
]


def test_winners_and_times_are_compared_by_search() -> None:
    """By hand: the differences are 0.03 and 0.01, and the ratios of the times 1/4, 1/3 and 3/2, whose product is 1/8;
    search 2 has no winner of ours."""
    ours, other = summary({"searches": ROWS})
    assert (ours["disqualified"], ours["without"]) == (0, 1)
    assert (other["disqualified"], other["without"]) == (1, 0)
    assert other["against"].mean == pytest.approx(0.02)
    assert other["against"].n == 2
    assert math.exp(other["log_ratio"].mean) == pytest.approx(0.5)


def test_the_page_says_what_was_disqualified_and_that_ten_are_missing() -> None:
    text = page({"searches": ROWS})
    assert "n16: 32 collapsed, 2 unstable of 60." in text
    assert "fresh replicates took: n16 15 %." in text
    assert "| n16 | Ray Tune + ASHA | 3 | 36 (9 to 144) |" in text, "the cube root of 48,000, not the mean of 40"
    assert "| +0.02000 (-0.10706 to +0.14706), 2 searches | 0.50 (0.05 to 5.46) |" in text
    assert "fewer than 10 searches of some tool on n16, n64, mlp" in " ".join(text.split())


def test_the_page_counts_searches_that_were_measured_apart_from_the_other_tools() -> None:
    apart = [row(3, "paribus", 10.0, (0.02, 0.04), tools=["paribus"])]
    assert "Measured at another time than the other tools: paribus in 1 search." in page({"searches": ROWS + apart})
    assert "another time" not in page({"searches": ROWS})


def test_a_search_in_which_no_tool_has_a_winner_has_nothing_to_confirm() -> None:
    rows: list[dict[str, Any]] = [{"tool": "paribus", "lr": None}]
    confirm("n16", 0, rows)
    assert rows == [{"tool": "paribus", "lr": None, "confirmed": [], "excluded": "no winner"}]
