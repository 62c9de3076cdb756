import pytest

from paribus.energy.forecast import error, expected, rate, total


def test_twice_the_work_takes_twice_the_time_and_energy():
    measured = rate(100, wall_s=5.0, energy_j=60.0, basis="100 model-epochs of arm a")
    ahead = expected(200, measured)
    assert (ahead.wall_s, ahead.energy_j, ahead.basis) == (10.0, 120.0, "100 model-epochs of arm a")


def test_a_plan_adds_up_and_one_unknown_part_makes_its_energy_unknown():
    known = expected(10, rate(1, wall_s=2.0, energy_j=3.0, basis="a"))
    unknown = expected(10, rate(1, wall_s=1.0, energy_j=None, basis="b"))
    assert (total([known, known]).wall_s, total([known, known]).energy_j) == (40.0, 60.0)
    both = total([known, unknown])
    assert (both.wall_s, both.energy_j, both.basis) == (30.0, None, "a; b")
    assert total([]).energy_j == 0


def test_predictions_are_scored_as_a_share_of_what_was_used():
    assert error(125.0, 100.0) == pytest.approx(0.25)
    assert error(80.0, 100.0) == pytest.approx(-0.2)
    assert error(None, 100.0) is None
    assert error(80.0, None) is None
    assert error(80.0, 0.0) is None


def test_a_rate_needs_work():
    with pytest.raises(ValueError, match="needs work"):
        rate(0, wall_s=1.0, energy_j=None, basis="nothing")
