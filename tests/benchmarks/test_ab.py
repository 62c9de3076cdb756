"""The order of a comparison and its table, with sides that return fixed numbers; and a real side once."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from benchmarks import ab, machine

OLD = Path("old")
asked: list[str] = []


class FakeSide:
    """Replaces a child process: the old one takes 10 ms an epoch, with one slow epoch in three, and the new one 11."""

    facts = {"examples": 100, "batch_size": 10, "parameters": 1000}  # noqa: RUF012 - a test replaces it

    def __init__(self, checkout: Path, network: str, runs: int) -> None:
        self.name = "old" if checkout == OLD else "new"
        self.epochs = 0

    def epoch_s(self) -> float:
        asked.append(self.name)
        self.epochs += 1
        slow = 0.03 if self.epochs % 3 == 0 else 0.0
        return (0.010 if self.name == "old" else 0.011) + slow

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    asked.clear()
    monkeypatch.setattr(ab, "Side", FakeSide)


@pytest.mark.usefixtures("fake")
def test_sides_take_turns_and_slow_epochs_do_not_count() -> None:
    found = ab.compared(OLD, "ShallowMLP", runs=2, pairs=10)
    assert asked[2:8] == ["old", "new", "new", "old", "old", "new"]
    assert asked.count("old") == asked.count("new")
    assert found.old_ms == pytest.approx([5.0] * 10)
    assert found.ratios == pytest.approx([1.1] * 10)


@pytest.mark.usefixtures("fake")
def test_a_slower_engine_is_marked() -> None:
    found = ab.compared(OLD, "ShallowMLP", runs=2, pairs=6)
    assert "| ShallowMLP | 2 | 5.00 | 5.50 | 1.100 ✗ 1.03 | 1.100 to 1.100 |" in ab.table([found])
    content = json.loads(ab.as_json([found], {"old": "a", "new": "b"}))
    assert content["networks"][0]["median"] == pytest.approx(1.1)
    assert len(content["networks"][0]["new_ms"]) == 6


@pytest.mark.usefixtures("fake")
def test_sides_that_do_other_work_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(FakeSide):
        def __init__(self, checkout: Path, network: str, runs: int) -> None:
            super().__init__(checkout, network, runs)
            self.facts = {"examples": 100 if checkout == OLD else 99}

    monkeypatch.setattr(ab, "Side", Other)
    with pytest.raises(SystemExit, match="other work"):
        ab.compared(OLD, "ShallowMLP", runs=1, pairs=1)


def test_the_interval_of_ten_values_is_from_the_second_lowest_to_the_second_highest() -> None:
    found = ab.median_interval([1.3, 0.9, 1.0, 1.1, 1.2, 0.7, 0.8, 1.4, 1.5, 1.6])
    assert (found.median, found.low, found.high) == pytest.approx((1.15, 0.8, 1.5))


def test_a_side_imports_its_checkout_and_trains() -> None:
    with ab.Side(machine.ROOT, "AE_n16", 1) as side:
        assert side.facts == {"examples": 400, "batch_size": 64, "parameters": 135_184}
        assert side.epoch_s() > 0
