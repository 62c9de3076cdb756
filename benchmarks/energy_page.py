"""`docs/energy.md` from what `benchmarks.energy` has measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from paribus.energy.carbon import CARBONTRACKER
from paribus.energy.meters import bounds
from paribus.units import duration, joules, kwh

TARGET = 0.05
"""A forecast from the first epochs is to be no further off in time."""
COVERAGE = (0.85, 0.95)
"""How often a range of 90 % is to hold."""


def page(content: Mapping[str, Any]) -> str:
    """The whole page. Every number and every judgement on it comes from `content`."""
    here, capacity = content["machine"], content["capacity"]
    return f"""\
# Energy and forecasts, measured

How energy is measured, modelled and forecast says [the explanation](explanation/energy.md). This page has the numbers
of one machine.

## Forecasts, scored

Small studies of random size, trained one after the other in one workspace; each takes some seconds. Each is forecast
twice: by `paribus plan`, from timing runs of a few steps, and again when 2 % of its work is done and half a second has
passed. The range is to hold in nine cases of ten; it is a default until a workspace has 19 forecasts of its own, and
then that of the earlier ones. Forecasts of the built-in studies are [on another page](whole-study.md).

{_forecasts(content["forecasts"])}

{_judged(content["forecasts"])}
{_repeated(content["repeated"])}

## Meters side by side

One session of the study `capacity` (one replicate, {content["meters"]["model_epochs"]} model-epochs,
{duration(content["meters"]["wall_s"])}), by all meters at once. Only the processor's own counters measure; this machine
has {_measured(content["meters"]["meters"])}.

{_meters(content["meters"]["meters"])}

## What batching saves

Sixteen replicates of the reference's smallest network, 10 epochs, by the model.

{_batching(content["batching"])}

## CarbonTracker's figure for `capacity`

CarbonTracker predicts the energy of all epochs from what it has seen of the first. For
{capacity["model_epochs"]:,.0f} model-epochs (one replicate of `capacity`) it comes to
{joules(capacity["carbontracker_j"])}, and our model to {joules(capacity["ours_j"])}. The factors between the two:

{_factors(capacity)}

It would call its figure {kwh(capacity["carbontracker_j"]) * capacity["fallback_g_per_kwh"]:.3g} g CO2eq: where it finds
no location, CarbonTracker {_version(content["meters"]["meters"])} takes {capacity["fallback_g_per_kwh"]:g} g/kWh,
a world average. The older one behind the reference's figure took {CARBONTRACKER.g_per_kwh:g} g/kWh, an average
for Europe in 2017. paribus gives no CO2 unless a country or a factor is named.

Measured by `make energy` on {here["started"][:10]}, commit {here["commit"]}: {here["processor"]},
{here["cores"]} cores. Other guests of the same host took {here["stolen"]:.0%} of the processors'
time.{_disturbed(here)}
"""


def _disturbed(here: Mapping[str, Any]) -> str:
    """Whether other programs ran on the machine: a load of more than its cores and one."""
    if here["load"] <= here["cores"] + 1:
        return ""
    return (
        f" Other programs ran on this machine (a load of {here['load']:g} on {here['cores']} cores), so times jump, "
        "and forecasts are worse than on a quiet one."
    )


def _forecasts(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = ("forecast from", "range from", "studies", "median error", "largest error", "used / expected", "range held")
    lines = [
        (
            row["from"],
            row["range"],
            str(row["studies"]),
            f"{row['median_error']:.1%}",
            f"{row['largest_error']:.0%}",
            f"{row['lowest_ratio']:.2f} to {row['highest_ratio']:.2f}",
            f"{row['within']:.0%}",
        )
        for row in rows
    ]
    return _table(heads, lines)


def _judged(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which targets were met."""
    found: list[str] = []
    first = [row for row in rows if row["from"] == "the first epochs"]
    if first:
        error = sum(row["median_error"] * row["studies"] for row in first) / sum(row["studies"] for row in first)
        met = "met" if error <= TARGET else "missed"
        found.append(f"- Half of the forecasts from the first epochs within {TARGET:.0%}: {met} ({error:.1%}).")
    for row in rows:
        if row["range"] != "default":
            met = "met" if COVERAGE[0] <= row["within"] <= COVERAGE[1] else "missed"
            found.append(
                f"- Ranges from {row['from']} right in {COVERAGE[0]:.0%} to {COVERAGE[1]:.0%} of studies: {met} "
                f"({row['within']:.0%} of {row['studies']})."
            )
    return "\n".join(found)


def _repeated(same: Mapping[str, Any]) -> str:
    return (
        f"- The same study, trained twice in new workspaces, differed by {same['median']:.1%} in time (median of "
        f"{same['studies']}; at most {same['largest']:.0%}). No forecast from the plan can be better than that."
    )


def _measured(meters: Sequence[Mapping[str, Any]]) -> str:
    measured = [meter["meter"] for meter in meters if meter["tag"] == "measured"]
    return f"them ({', '.join(measured)})" if measured else "none that can be read, so every figure is modelled"


def _version(meters: Sequence[Mapping[str, Any]]) -> str:
    return next(str(meter["version"]) for meter in meters if meter["meter"] == "carbontracker")


def _meters(meters: Sequence[Mapping[str, Any]]) -> str:
    heads = ("meter", "energy", "between", "relative to the first", "of what")
    counted = meters[0]["energy_j"]
    lines: list[tuple[str, ...]] = []
    for meter in meters:
        name = " ".join(str(meter[key]) for key in ("meter", "version") if key in meter)
        if meter.get("energy_j") is None:
            lines.append((name, "unknown", "", "", str(meter.get("reason", ""))))
            continue
        low, high = bounds(meter["energy_j"], meter)
        ratio = f"{meter['energy_j'] / counted:.2f}" if counted else ""
        lines.append((name, joules(meter["energy_j"]), f"{joules(low)} to {joules(high)}", ratio, str(meter["scope"])))
    return _table(heads, lines)


def _batching(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = ("how", "time", "energy", "per model-epoch")
    lines = [
        (row["how"], duration(row["wall_s"]), joules(row["energy_j"]), joules(row["per_model_epoch_j"])) for row in rows
    ]
    saved = 1 - rows[0]["energy_j"] / rows[1]["energy_j"]
    return f"{_table(heads, lines)}\n\nTraining together takes {saved:.0%} {'less' if saved >= 0 else 'more'} energy."


def _factors(capacity: Mapping[str, Any]) -> str:
    product = 1.0
    lines: list[tuple[str, ...]] = []
    for entry in capacity["factors"]:
        product *= entry["factor"]
        lines.append((f"{entry['factor']:.3g}", entry["what"]))
    lines.append((f"{product:.3g}", "all together: CarbonTracker's figure over ours"))
    return _table(("factor", "what"), lines)


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *(f"| {' | '.join(line)} |" for line in lines)]
    return "\n".join(rows)
