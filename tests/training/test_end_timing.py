"""How long a run's end is expected to take: told by a clock that is known, and of a real run without its test set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paribus.data.pool import TestSet
from paribus.training import end_timing
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.end_timing import FEWEST, GROWTH, MOST_S, seconds_to_measure
from tests.training.conftest import active, recipe

WHOLE = 70_000


def timed(monkeypatch, seconds):
    """The time of the whole, where measuring a number of examples takes `seconds` of it, and the parts."""
    one = active(recipe())
    dataset = one.spec.dataset
    spec = replace(one.spec, dataset=replace(dataset, validation=0, test=WHOLE - len(one.splits.train)))
    parts = []

    def measured(_spec, _splits, _engine, share):
        parts.append(round(share * WHOLE))
        return seconds(parts[-1])

    monkeypatch.setattr(end_timing, "_measured_part", measured)
    return seconds_to_measure(spec, one.splits, CompiledEngine()), parts


@pytest.mark.parametrize(
    ("fixed_s", "each_s", "largest"),
    [
        (0.01, 1e-6, WHOLE),  # a fixed time, for the most part
        (0.01, 1e-5, FEWEST * GROWTH),
        (0.1, 1e-2, 457),  # a larger part would take longer than `MOST_S`
        (0.0, 0.2, FEWEST),
    ],
)
def test_the_time_of_the_whole_is_on_the_line_through_two_parts(monkeypatch, fixed_s, each_s, largest):
    found, parts = timed(monkeypatch, lambda examples: fixed_s + each_s * examples)
    assert found == pytest.approx(fixed_s + each_s * WHOLE)
    assert parts[1] == FEWEST
    assert max(parts) == pytest.approx(largest, rel=0.1)
    assert fixed_s + each_s * max(parts) < 1.1 * MOST_S


def test_a_fixed_time_is_not_taken_for_one_of_each_example(monkeypatch):
    """A tenth of a second for any part, as where features are put in order first, is a tenth for the whole."""
    found, parts = timed(monkeypatch, lambda _examples: 0.1)
    assert found == pytest.approx(0.1)
    assert max(parts) == WHOLE


def test_what_only_the_first_part_takes_does_not_count(monkeypatch):
    times = iter([30.0])  # compilation
    found, _ = timed(monkeypatch, lambda examples: next(times, 1e-5 * examples))
    assert found == pytest.approx(1e-5 * WHOLE)


def test_a_part_that_another_program_has_slowed_down_does_not_count(monkeypatch):
    times = iter([1e-3, 1e-3, 1e-3, 0.09])
    found, _ = timed(monkeypatch, lambda examples: next(times, 2e-6 * examples))
    assert found == pytest.approx(2e-6 * WHOLE, rel=0.02)


def test_the_test_set_is_not_read(monkeypatch):
    monkeypatch.setattr(TestSet, "open", lambda *_: pytest.fail("the test set was opened"))
    one = active(recipe(selection={"rules": ["min-val-loss", "last"]}, test={"read_at": ["last"]}))
    assert seconds_to_measure(one.spec, one.splits, CompiledEngine()) > 0
