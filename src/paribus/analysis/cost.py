"""What a study cost: model-epochs, time and energy by run and arm, beside forecasts and the reference's figures.

Runs train together in cohorts, so a run's time and energy are its share of its cohort's work. Energy without a meter
or a model is unknown, and one unknown part makes a sum unknown. No place is guessed: CO2 is given only for a grid
intensity that the user names. A run that several studies share was trained once, and counts in each of them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.wording import listed, number
from paribus.energy.carbon import CARBONTRACKER, Grid, carbon_g
from paribus.energy.meters import Tag, bounds
from paribus.spec.network import Module
from paribus.store.forecasts import ScoredForecast, scored
from paribus.store.records import UsageRecord
from paribus.units import JOULES_PER_KWH, duration, joules, kwh

_WORST: tuple[Tag, ...] = ("unknown", "modelled", "measured")
_LEAST_KWH = 1e-4
"""Less energy than this is given in joules only."""


@dataclass(frozen=True)
class RunCost:
    """One run's share: `wall_s` and `cpu_s` of its cohorts' time, `energy_j` None where the tag is `unknown`.

    The true energy is between `low_j` and `high_j`, if models deviate as their methods say.
    """

    arm: str
    replicate: int
    model_epochs: int
    wall_s: float
    cpu_s: float
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    tag: Tag


@dataclass(frozen=True)
class ArmCost:
    """The runs of an arm together; `arm` is empty for the whole study. CO2 in grams, None without a grid intensity.

    `low_j` and `high_j` are as in `RunCost`; of measured energy both are the figure itself.
    """

    arm: str
    runs: int
    model_epochs: int
    wall_s: float
    cpu_s: float
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    tag: Tag
    energy_per_model_epoch_j: float | None
    co2_g: float | None


@dataclass(frozen=True)
class Tracker:
    """A footprint that others predicted, and the constants in it: grid intensity and overhead of a data centre."""

    device: str
    epochs: int
    wall_s: float
    epoch_kwh: float
    energy_kwh: float
    co2_g: float
    car_km: float
    grid: Grid

    @property
    def device_kwh(self) -> float:
        """The energy without the overhead factor."""
        return self.energy_kwh / self.grid.overhead


TRACKER = Tracker("an RTX 3070", 1500, 11 * 60 + 39, 0.000010, 0.015426, 4.538467, 0.037695, CARBONTRACKER)
"""The reference report's CarbonTracker prediction. Its two constants are said nowhere in that report."""


def run_costs(results: Results) -> tuple[RunCost, ...]:
    """The cost of every run that has trained, in the study's order."""
    trained = {run_id for record in results.usage for run_id in record.shares}
    return tuple(_run_cost(run, results.usage) for run in results.runs if run.id in trained)


def arm_costs(results: Results, grid: Grid | None = None) -> tuple[ArmCost, ...]:
    """The cost of every arm that has trained; CO2 where the user says what the electricity is made of."""
    by_arm: defaultdict[str, list[RunCost]] = defaultdict(list)
    for cost in run_costs(results):
        by_arm[cost.arm].append(cost)
    return tuple(_summed(arm, by_arm[arm], grid) for arm in results.arms if arm in by_arm)


def total(results: Results, grid: Grid | None = None) -> ArmCost:
    """The cost of the whole study, each run once even where two arms share it."""
    once = {results.run(cost.arm, cost.replicate): cost for cost in run_costs(results)}
    by_id = {run.id: cost for run, cost in once.items() if run is not None}
    return _summed("", by_id.values(), grid)


def scored_forecasts(results: Results) -> tuple[ScoredForecast, ...]:
    """Every forecast of a study beside the usage that began after it and before the next one."""
    return scored(results.forecasts, results.usage)


def tracker_for(results: Results) -> Tracker | None:
    """The reference's tracker figures, where a study compares networks of several sizes, trained as long as those.

    Only for studies with published figures: others have nothing to do with the reference.
    """
    recipes = [results.recipe(arm) for arm in dict.fromkeys(entry.arm for entry in results.study.published)]
    networks = [recipe.network for recipe in recipes if recipe.training.epochs == TRACKER.epochs]
    sizes = {network.hidden for network in networks if not isinstance(network, Module)}
    return TRACKER if len(sizes) > 1 else None


def tracker_sentence(tracker: Tracker) -> str:
    """The tracker's figures with their hidden constants spelled out."""
    return (
        f"The reference's tracker predicted, for {tracker.epochs:,} epochs of one run on {tracker.device}, "
        f"{duration(tracker.wall_s)}, {_both_units(tracker.energy_kwh)} and {tracker.co2_g:.2f} g CO2eq "
        f"({1000 * tracker.car_km:.0f} m by car). The figure contains two constants that the report does not state: "
        f"{tracker.grid.g_per_kwh:g} g/kWh, an average for the EU in 2017 and not the local grid, and a PUE of "
        f"{tracker.grid.overhead:g}, which does not apply outside a data centre: without it, "
        f"{_both_units(tracker.device_kwh)}."
    )


def _both_units(in_kwh: float) -> str:
    """An energy in the units and digits of `energy_sentence`: `55.5 kJ (0.0154 kWh)`."""
    return f"{joules(in_kwh * JOULES_PER_KWH)} ({in_kwh:.3g} kWh)"


def _run_cost(run: Run, usage: Iterable[UsageRecord]) -> RunCost:
    own = [record for record in usage if run.id in record.shares]
    known = [(record.energy_j * record.shares[run.id], record.method) for record in own if record.energy_j is not None]
    complete = len(known) == len(own)
    between = [bounds(energy_j, method) for energy_j, method in known]
    return RunCost(
        arm=run.arm,
        replicate=run.replicate,
        model_epochs=run.epochs_done,
        wall_s=math.fsum(record.wall_s * record.shares[run.id] for record in own),
        cpu_s=math.fsum(record.cpu_s * record.shares[run.id] for record in own),
        energy_j=math.fsum(energy_j for energy_j, _ in known) if complete else None,
        low_j=math.fsum(low for low, _ in between) if complete else None,
        high_j=math.fsum(high for _, high in between) if complete else None,
        tag=_worst(record.tag if record.energy_j is not None else "unknown" for record in own),
    )


def _summed(arm: str, costs: Iterable[RunCost], grid: Grid | None) -> ArmCost:
    costs = list(costs)
    epochs = sum(cost.model_epochs for cost in costs)
    energy = _sum(cost.energy_j for cost in costs)
    return ArmCost(
        arm=arm,
        runs=len(costs),
        model_epochs=epochs,
        wall_s=math.fsum(cost.wall_s for cost in costs),
        cpu_s=math.fsum(cost.cpu_s for cost in costs),
        energy_j=energy,
        low_j=_sum(cost.low_j for cost in costs),
        high_j=_sum(cost.high_j for cost in costs),
        tag=_worst(cost.tag for cost in costs),
        energy_per_model_epoch_j=energy / epochs if energy is not None and epochs else None,
        co2_g=None if energy is None or grid is None else carbon_g(energy, grid),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    """The sum, or None where one of the values is unknown or there is none."""
    values = list(values)
    known = [value for value in values if value is not None]
    return math.fsum(known) if values and len(known) == len(values) else None


def _worst(tags: Iterable[Tag]) -> Tag:
    seen = set(tags)
    for tag in _WORST:
        if tag in seen:
            return tag
    return "unknown"


def energy_sentence(cost: ArmCost, grid: Grid | None = None) -> str:
    """Energy with its tag and range, and CO2 with the grid that it rests on, as far as they are known."""
    if cost.energy_j is None:
        return "The energy is unknown: nothing here could measure or model it."
    in_kwh = kwh(cost.energy_j)
    shown = f"{in_kwh:.3g} kWh, " if in_kwh >= _LEAST_KWH else ""
    parts = [f"{joules(cost.energy_j)} ({shown}{_tag(cost)})"]
    if cost.energy_per_model_epoch_j is not None:
        parts.append(f"{joules(cost.energy_per_model_epoch_j)} per model-epoch")
    if cost.co2_g is None or grid is None:
        return f"Training took {listed(parts)}; no CO2 estimate (no grid carbon intensity given)."
    overhead = "" if grid.overhead == 1 else f" and an overhead of {grid.overhead:g}"
    return (
        f"Training took {listed(parts)}; {number(cost.co2_g)} g CO2eq at {grid.g_per_kwh:g} g/kWh{overhead} "
        f"({grid.source})."
    )


def _tag(cost: ArmCost) -> str:
    if cost.low_j is None or cost.high_j is None or cost.low_j == cost.high_j:
        return cost.tag
    return f"{cost.tag}: {joules(cost.low_j)} to {joules(cost.high_j)}, by the errors measured of such models"
