from dataclasses import replace

import pytest

from paribus.analysis.cost import (
    TRACKER,
    arm_costs,
    energy_sentence,
    run_costs,
    scored_forecasts,
    total,
    tracker_for,
    tracker_sentence,
)
from paribus.energy.carbon import Grid
from paribus.store.records import Forecast, UsageRecord

ALL = {"fixed-0": 0.25, "fixed-1": 0.25, "dropped-0": 0.5}


def _used(name, minute, *, wall_s=60.0, energy_j=100.0, tag="modelled", shares=None) -> UsageRecord:
    started = f"2024-01-01T00:{minute:02d}:00+00:00"
    return UsageRecord(name, started, wall_s, wall_s, energy_j, tag, {"watts": 5}, shares or ALL, 12)


@pytest.fixture
def trained(classifiers, steady):
    maker = classifiers(replicates=2)
    for arm, replicate in (("fixed", 0), ("fixed", 1), ("dropped", 0), ("dropped", 1)):
        maker.run(arm, replicate, curves=steady(0))
    return maker


def test_a_run_has_its_share_of_every_session(trained) -> None:
    trained.usage += [_used("a", 0), _used("b", 5, energy_j=40.0, tag="measured", shares={"fixed-0": 1.0})]
    costs = {(cost.arm, cost.replicate): cost for cost in run_costs(trained.results())}
    assert costs["fixed", 0].energy_j == pytest.approx(65.0)
    assert costs["fixed", 0].wall_s == pytest.approx(75.0)
    assert (costs["fixed", 0].tag, costs["fixed", 1].tag) == ("modelled", "modelled")
    assert ("dropped", 1) not in costs
    whole = total(trained.results())
    assert (whole.runs, whole.model_epochs, whole.energy_j) == (3, 12, pytest.approx(140.0))
    assert whole.energy_per_model_epoch_j == pytest.approx(140 / 12)


def test_one_unknown_part_makes_the_sum_unknown(trained) -> None:
    trained.usage += [_used("a", 0), _used("b", 5, energy_j=None, tag="unknown", shares={"fixed-0": 1.0})]
    fixed, dropped = arm_costs(trained.results())
    assert (fixed.energy_j, fixed.tag) == (None, "unknown")
    assert (dropped.energy_j, dropped.tag) == (50.0, "modelled")
    assert "unknown" in energy_sentence(fixed)


def test_carbon_is_given_only_for_a_grid_that_the_user_names(trained) -> None:
    trained.usage.append(_used("a", 0, energy_j=3.6e6))
    assert total(trained.results()).co2_g is None
    assert "no CO2" in energy_sentence(total(trained.results()))
    grid = Grid(50.0, 1.0, "the user")
    named = total(trained.results(), grid)
    assert named.co2_g == pytest.approx(50.0)
    assert "50 g CO2eq at 50 g/kWh (the user)" in energy_sentence(named, grid)


def test_a_run_that_two_arms_share_is_paid_once(trained) -> None:
    trained.usage.append(_used("a", 0))
    trained.runs[2] = replace(trained.runs[2], id="fixed-0")
    assert total(trained.results()).runs == 2


def test_forecasts_are_scored_against_what_began_after_them(trained) -> None:
    trained.usage += [_used("a", 0), _used("b", 10), _used("c", 10, wall_s=90.0)]
    trained.forecasts += [
        Forecast("x", "2024-01-01T00:10:00+00:00", 24, 60.0, 100.0, "a timing run"),
        Forecast("x", "2024-01-01T00:30:00+00:00", 24, 60.0, None, "a timing run"),
    ]
    (score,) = scored_forecasts(trained.results())
    assert score.used_wall_s == 90.0  # side by side: not 150
    assert score.wall_ratio == pytest.approx(1.5)
    assert score.energy_ratio == pytest.approx(2.0)
    assert score.used_model_epochs == 24


def test_the_reference_s_tracker_is_taken_apart_into_its_hidden_constants() -> None:
    assert TRACKER.energy_kwh * TRACKER.grid.g_per_kwh == pytest.approx(TRACKER.co2_g, rel=1e-4)
    assert TRACKER.device_kwh == pytest.approx(0.009763, abs=1e-6)
    said = tracker_sentence(TRACKER)
    assert "294.2 g/kWh" in said
    assert "1.58" in said
    assert "55.5 kJ (0.0154 kWh)" in said  # in the units and digits of our own figures
    assert "without it, 35.1 kJ (0.00976 kWh)" in said


def test_the_tracker_stands_beside_comparisons_of_sizes_that_have_published_figures(classifiers) -> None:
    wide = '[[arms]]\nname = "wide"\nnetwork = { hidden = [64] }\n'
    figure = '[[published]]\narm = "{}"\nrule = "max-val-accuracy"\ntest_accuracy = 0.85\n'
    both = wide + figure.format("fixed") + figure.format("wide")
    assert tracker_for(classifiers(epochs=1500, more=both).results()) == TRACKER
    assert tracker_for(classifiers(epochs=4, more=both).results()) is None
    assert tracker_for(classifiers(epochs=1500, more=wide + figure.format("fixed")).results()) is None
    assert tracker_for(classifiers(epochs=1500, more=wide).results()) is None
