"""How long a run's end is expected to take: told by a clock that is known, and of a real run without its test set."""

from __future__ import annotations

import pytest

from paribus.data.pool import TestSet
from paribus.training import end_timing
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.end_timing import ENOUGH_S, FEWEST, MOST, seconds_to_measure
from tests.training.conftest import active, recipe


@pytest.mark.parametrize(
    ("fixed_s", "each_s"),
    [(0.01, 1e-4), (0.01, 1e-6), (0.0, 0.1)],  # the last one takes long enough with the first part
)
def test_a_line_through_two_parts_gives_the_time_of_the_whole(monkeypatch, fixed_s, each_s):
    one = active(recipe())
    dataset = one.spec.dataset
    whole = dataset.train + dataset.validation + dataset.test
    asked = []

    def measured(_spec, _splits, _engine, share):
        asked.append(share * whole)
        return fixed_s + each_s * share * whole

    monkeypatch.setattr(end_timing, "_measured_part", measured)
    assert seconds_to_measure(one.spec, one.splits, CompiledEngine()) == pytest.approx(fixed_s + each_s * whole)
    assert asked[0] == pytest.approx(min(FEWEST, whole))
    assert max(asked) <= MOST
    assert all(fixed_s + each_s * examples < ENOUGH_S for examples in asked[:-1])


def test_the_test_set_is_not_read(monkeypatch):
    monkeypatch.setattr(TestSet, "open", lambda *_: pytest.fail("the test set was opened"))
    one = active(recipe(selection={"rules": ["min-val-loss", "last"]}, test={"read_at": ["last"]}))
    assert seconds_to_measure(one.spec, one.splits, CompiledEngine()) > 0
