"""What the study cost: time and energy by arm, meters and nodes, forecasts beside what was used."""

from __future__ import annotations

from paribus.analysis.cost import (
    arm_costs,
    energy_sentence,
    scored_forecasts,
    total,
    tracker_for,
    tracker_sentence,
)
from paribus.analysis.meters import meter_totals, method_sentences, node_totals
from paribus.analysis.results import Results
from paribus.energy.carbon import Grid
from paribus.report.blocks import Block, Cell, Fold, Prose, Record, Section
from paribus.report.tabulate import NONE, Column, arm, joules, table, text
from paribus.units import duration


def cost_section(results: Results, grid: Grid | None = None) -> Section | None:
    """Time and energy by arm, each with its tag; the forecast beside what was used."""
    costs = arm_costs(results, grid)
    if not costs:
        return None
    whole = total(results, grid)
    rows = [*costs, whole]
    records: list[Record] = [
        {
            "arm": c.arm or "whole study",
            "runs": c.runs,
            "model_epochs": c.model_epochs,
            "wall_s": c.wall_s,
            "cpu_s": c.cpu_s,
            "energy_j": c.energy_j,
            "low_j": c.low_j,
            "high_j": c.high_j,
            "tag": c.tag,
            "energy_per_model_epoch_j": c.energy_per_model_epoch_j,
            "co2_g": c.co2_g,
        }
        for c in rows
    ]
    columns = [
        arm(results.arms),
        Column("runs", lambda r: Cell(f"{r['runs']:,}"), numeric=True),
        Column("model-epochs", lambda r: Cell(f"{r['model_epochs']:,}"), numeric=True),
        Column("time", lambda r: Cell(duration(r["wall_s"])), numeric=True),
        Column("CPU time", lambda r: Cell(duration(r["cpu_s"])), numeric=True),
        Column("energy", lambda r: Cell(joules(r["energy_j"]), faint=_tag(r), below=True), numeric=True),
        Column("per model-epoch", lambda r: Cell(joules(r["energy_per_model_epoch_j"])), numeric=True),
    ]
    if any(c.co2_g is not None for c in rows):
        columns.append(
            Column("CO2eq", lambda r: Cell(NONE if r["co2_g"] is None else f"{r['co2_g']:.3g} g"), numeric=True)
        )
    note = "Runs that train together share their cohort's time and energy in proportion to their work."
    blocks: list[Block] = [table("costs", "Time and energy by arm", columns, records, note=note, fold=True)]
    blocks += _meters(results)
    blocks += _nodes(results)
    blocks += _forecasts(results)
    tracker = tracker_for(results)
    if tracker is not None:
        blocks.append(Prose((tracker_sentence(tracker),)))
    ways = method_sentences(results)
    if ways:
        blocks.append(Fold("How the energy was measured or modelled", (Prose(ways),)))
    return Section("cost", "Time and energy", tuple(blocks), lead=(energy_sentence(whole, grid),))


def _tag(record: Record) -> str:
    """The tag, and of a modelled energy the range."""
    low_j, high_j = record["low_j"], record["high_j"]
    return str(record["tag"] if low_j == high_j else f"{record['tag']}, {joules(low_j)} to {joules(high_j)}")


def _meters(results: Results) -> list[Block]:
    """The meters side by side, where there were several."""
    records: list[Record] = [vars(total) for total in meter_totals(results)]
    if len(records) < 2:
        return []
    columns = [
        text("meter", "meter"),
        text("of", "scope"),
        Column("energy", lambda r: Cell(joules(r["energy_j"]), faint=_tag(r), below=True), numeric=True),
        Column("relative", lambda r: Cell(NONE if r["ratio"] is None else f"{r['ratio']:.2f}"), numeric=True),
        Column("idle power", lambda r: Cell(NONE if r["idle_w"] is None else f"{r['idle_w']:.3g} W"), numeric=True),
    ]
    note = "The first meter counts everywhere else. Idle power is subtracted where it was measured."
    return [table("meters", "Meters side by side", columns, records, note=note)]


def _nodes(results: Results) -> list[Block]:
    """What the workers on each node of a cluster took; nothing where none trained on one."""
    records: list[Record] = [vars(total) for total in node_totals(results)]
    columns = [
        text("node", "node"),
        Column("workers", lambda r: Cell(f"{r['workers']:,}"), numeric=True),
        Column("CPU time", lambda r: Cell(duration(r["cpu_s"])), numeric=True),
        Column("memory", lambda r: Cell(f"{r['memory_gib']:.2f} GiB"), numeric=True),
        Column("energy", lambda r: Cell(joules(r["energy_j"])), numeric=True),
    ]
    note = (
        "A node is named by the first digits of its id in Ray. Energy is modelled for each from the processor time and "
        "the memory of its workers. The command's own process is not included."
    )
    return [table("nodes", "Nodes of the cluster", columns, records, note=note, fold=True)] if records else []


def _forecasts(results: Results) -> list[Block]:
    records: list[Record] = [
        {
            "made_at": s.made_at,
            "basis": s.basis,
            "expected_model_epochs": s.expected_model_epochs,
            "used_model_epochs": s.used_model_epochs,
            "expected_wall_s": s.expected_wall_s,
            "low_s": s.low_s,
            "high_s": s.high_s,
            "used_wall_s": s.used_wall_s,
            "within": s.within,
            "wall_ratio": s.wall_ratio,
            "expected_energy_j": s.expected_energy_j,
            "low_j": s.low_j,
            "high_j": s.high_j,
            "used_energy_j": s.used_energy_j,
            "energy_ratio": s.energy_ratio,
        }
        for s in scored_forecasts(results)
    ]
    columns = [
        Column("forecast at", lambda r: Cell(str(r["made_at"])[:19].replace("T", " "))),
        text("from", "basis"),
        Column(
            "model-epochs",
            lambda r: Cell(f"{r['expected_model_epochs']:,}", faint=f"used {r['used_model_epochs']:,}", below=True),
            numeric=True,
        ),
        Column(
            "time",
            lambda r: Cell(duration(r["expected_wall_s"]), faint=f"used {duration(r['used_wall_s'])}", below=True),
            numeric=True,
        ),
        Column(
            "used / forecast",
            lambda r: Cell(NONE if r["wall_ratio"] is None else f"{r['wall_ratio']:.2f}", faint=_range(r), below=True),
            numeric=True,
        ),
        Column(
            "energy",
            lambda r: Cell(joules(r["expected_energy_j"]), faint=f"used {joules(r['used_energy_j'])}", below=True),
            numeric=True,
        ),
    ]
    return [table("forecasts", "Forecast and actual", columns, records, fold=True)] if records else []


def _range(record: Record) -> str:
    """The range of time that a forecast gave, and whether the time used lies in it."""
    if record["low_s"] is None:
        return ""
    between = f"{duration(record['low_s'])} to {duration(record['high_s'])}"
    return between if record["within"] is None else f"{between}: {'within' if record['within'] else 'not within'}"
