"""How it was done: what the study cost, who read the test data, and all that is needed to do it again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from paribus import seeding
from paribus.analysis.test_access import test_access
from paribus.analysis.cost import arm_costs, beside, methods, scored, tag_sentence, total, tracker_sentence
from paribus.analysis.results import Results
from paribus.analysis.wording import plural
from paribus.energy.carbon import Grid
from paribus.report.blocks import Block, Cell, Prose, Record, Section
from paribus.report.tabulate import NONE, Column, arm, plain, table, text
from paribus.units import count, duration

DATA = {
    "fashion-mnist/scarce": (
        "Fashion-MNIST: 8,000 training and 2,000 validation images drawn for each replicate from the 10,000-image "
        "file; the test data are the 60,000-image file."
    ),
    "fashion-mnist/noisy-labels": (
        "Fashion-MNIST: the 10,000-image file is the training set, a stated share of its labels replaced by a "
        "uniformly drawn class for each replicate; the test data are the clean 60,000-image file."
    ),
    "fashion-mnist/standard": (
        "Fashion-MNIST: 50,000 training and 10,000 validation images drawn for each replicate from the 60,000-image "
        "file; the test data are the 10,000-image file."
    ),
    "faces/all": (
        "400 photographs of 40 people (AT&T/ORL), 64 × 64 grey pixels in [0, 1]; all of them train, and there is "
        "neither a validation nor a test set."
    ),
    "file/faces": "Faces from the user's own file; all of them train.",
    "file/train-val-test": "Training, validation and test images from the user's own file.",
    "file/train-test": "Training and test images from the user's own file.",
}


def cost_section(results: Results, grid: Grid | None = None) -> Section | None:
    """Time and energy by arm, each with its tag; the forecast held against what was used."""
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
        Column("energy", lambda r: Cell(_joules(r["energy_j"]), faint=str(r["tag"])), numeric=True),
        Column("a model-epoch", lambda r: Cell(_joules(r["energy_per_model_epoch_j"])), numeric=True),
    ]
    if any(c.co2_g is not None for c in rows):
        columns.append(
            Column("CO2eq", lambda r: Cell(NONE if r["co2_g"] is None else f"{r['co2_g']:.3g} g"), numeric=True)
        )
    note = "Runs that trained together share their cohort's time and energy in proportion to their work."
    blocks: list[Block] = [table("costs", "Time and energy by arm", columns, records, note=note)]
    blocks += _forecasts(results)
    ways = [", ".join(f"{key}: {plain(value)}" for key, value in way.items()) for way in methods(results) if way]
    tracker = beside(results)
    words = [
        *([tracker_sentence(tracker)] if tracker is not None else []),
        *(f"How it was measured: {way}." for way in ways),
    ]
    if words:
        blocks.append(Prose(tuple(words)))
    return Section("cost", "Time, energy, carbon", tuple(blocks), lead=(tag_sentence(whole),))


def _joules(energy_j: float | None) -> str:
    return "unknown" if energy_j is None else f"{count(energy_j)}J" if abs(energy_j) >= 1000 else f"{energy_j:.3g} J"


def _forecasts(results: Results) -> list[Block]:
    records: list[Record] = [
        {
            "made_at": s.made_at,
            "basis": s.basis,
            "expected_model_epochs": s.expected_model_epochs,
            "used_model_epochs": s.used_model_epochs,
            "expected_wall_s": s.expected_wall_s,
            "used_wall_s": s.used_wall_s,
            "wall_ratio": s.wall_ratio,
            "expected_energy_j": s.expected_energy_j,
            "used_energy_j": s.used_energy_j,
            "energy_ratio": s.energy_ratio,
        }
        for s in scored(results)
    ]
    columns = [
        Column("foretold at", lambda r: Cell(str(r["made_at"])[:19].replace("T", " "))),
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
            "used / foretold",
            lambda r: Cell(NONE if r["wall_ratio"] is None else f"{r['wall_ratio']:.2f}"),
            numeric=True,
        ),
        Column(
            "energy",
            lambda r: Cell(_joules(r["expected_energy_j"]), faint=f"used {_joules(r['used_energy_j'])}", below=True),
            numeric=True,
        ),
    ]
    return [table("forecasts", "Foretold and used", columns, records, fold=True)] if records else []


def drawer_section(results: Results) -> Section | None:
    """The log of test reads."""
    access = test_access(results)
    if not results.test_reads and not any(results.recipe(a).has_test for a in results.arms):
        return None
    names = {run.id: (run.arm, run.replicate) for run in results.runs}
    records: list[Record] = [
        {
            "arm": names[read.run_id][0],
            "replicate": names[read.run_id][1],
            "rule": read.rule,
            "epoch": read.epoch,
            "images": read.images,
            "purpose": read.purpose,
            "read_at": read.read_at,
        }
        for read in results.test_reads
        if read.run_id in names
    ]
    columns = [
        arm(results.arms),
        text("replicate", "replicate"),
        text("purpose", "purpose"),
        Column("rule", lambda r: Cell(r["rule"] or NONE)),
        Column("epoch", lambda r: Cell(NONE if r["epoch"] is None else f"{r['epoch']:,}"), numeric=True),
        Column("images", lambda r: Cell(f"{r['images']:,}"), numeric=True),
        Column("read at", lambda r: Cell(str(r["read_at"])[:19].replace("T", " "))),
    ]
    blocks = (table("test-reads", f"All {len(records)} readings", columns, records, fold=True),) if records else ()
    return Section("drawer", "Who looked at the test data", blocks, lead=(access.sentence,))


def method_section(results: Results) -> Section:
    """Data, recipes, seeds, environment and runs."""
    blocks: list[Block] = [
        _recipes(results),
        _shared(results),
        _seeds(results),
        _environments(results),
        _runs(results),
    ]
    return Section("method", "How it was done", tuple(blocks), lead=tuple(_words(results)))


def _words(results: Results) -> Iterator[str]:
    for protocol in dict.fromkeys(results.recipe(a).data.protocol for a in results.arms):
        yield f"Data: {DATA.get(protocol, protocol)}"
    study = results.study
    yield (
        f"Every arm was planned with {plural(study.replicates, 'replicate')}. The arms of one replicate share their "
        "split, their noise, their order of images and, where shapes agree, their initial weights, so that differences "
        "between arms can be paired. Weights start as PyTorch's default initialisation draws them. Training loss is "
        "the mean over the epoch's batches; a selection rule keeps the exact epoch, not the nearest saved one. "
        "Intervals are 95 % t intervals over replicates."
    )
    states = results.states()
    yield "Runs: " + ", ".join(f"{number} {state}" for state, number in states.items()) + "."


def _recipes(results: Results) -> Block:
    """What differs between the arms, and nothing else."""
    flat = {name: dict(_flat(results.recipe(name).model_dump(mode="json"))) for name in results.arms}
    keys = [key for key in _all_keys(flat) if len({json.dumps(f.get(key)) for f in flat.values()}) > 1]
    notes = {entry.name: entry.note for entry in results.study.arms}
    records: list[Record] = [
        {"arm": name, **{key: _said(flat[name].get(key)) for key in keys}, "note": notes[name]} for name in results.arms
    ]
    columns = [arm(results.arms), *(text(_key_words(key), key) for key in keys)]
    if any(notes.values()):
        columns.append(text("note", "note"))
    return table("arms", "What differs between the arms", columns, records)


def _shared(results: Results) -> Block:
    """What all arms have in common."""
    flat = {name: dict(_flat(results.recipe(name).model_dump(mode="json"))) for name in results.arms}
    first = next(iter(flat.values()))
    keys = [key for key in _all_keys(flat) if len({json.dumps(f.get(key)) for f in flat.values()}) == 1]
    records: list[Record] = [{"key": key, "value": _said(first.get(key))} for key in keys]
    columns = [Column("setting", lambda r: Cell(_key_words(str(r["key"])))), text("all arms", "value")]
    return table("recipe", "What all arms have in common", columns, records, fold=True)


def _seeds(results: Results) -> Block:
    """The seeds, which follow from the study's own, the replicate and the purpose."""
    purposes = (seeding.SPLIT, seeding.LABEL_NOISE, seeding.PIXEL_NOISE, seeding.INIT, seeding.ORDER, seeding.DROPOUT)
    seed = results.study.seed
    records: list[Record] = [
        {"replicate": r, **{purpose: seeding.derive(seed, r, purpose) for purpose in purposes}}
        for r in range(results.study.replicates)
    ]
    columns = [
        text("replicate", "replicate"),
        *(Column(p, lambda r, p=p: Cell(str(r[p])), numeric=True) for p in purposes),
    ]
    note = "Streams for single epochs and layers are derived from these by counting."
    return table("seeds", f"Seeds, from the study's seed {seed}", columns, records, note=note, fold=True)


def _environments(results: Results) -> Block:
    """Machines and software, each once, with the runs that were made there."""
    found: dict[str, tuple[Mapping[str, Any], list[str]]] = {}
    for run in results.runs:
        if run.environment:
            key = json.dumps(dict(run.environment), sort_keys=True, default=str)
            found.setdefault(key, (run.environment, []))[1].append(f"{run.arm}/{run.replicate}")
    records: list[Record] = [
        {"environment": i, "runs": len(runs), "key": key, "value": _said(value)}
        for i, (environment, runs) in enumerate(found.values(), start=1)
        for key, value in _flat(environment)
    ]
    several = len(found) > 1
    columns = [
        *([text("environment", "environment"), text("runs", "runs")] if several else []),
        Column("what", lambda r: Cell(_key_words(str(r["key"])))),
        text("value", "value"),
    ]
    title = (
        f"Machine and software ({len(found)} environments: results may differ between them)"
        if several
        else "Machine and software"
    )
    return table("environment", title, columns, records, fold=True)


def _runs(results: Results) -> Block:
    records: list[Record] = [
        {"arm": run.arm, "replicate": run.replicate, "run": run.id, "state": run.state, "epochs": run.epochs_done}
        for run in results.runs
    ]
    columns = [
        arm(results.arms),
        text("replicate", "replicate"),
        text("identity", "run"),
        text("state", "state"),
        Column("epochs", lambda r: Cell(f"{r['epochs']:,}"), numeric=True),
    ]
    note = "A run's identity is the hash of all that can change its result."
    return table("runs", "Runs", columns, records, note=note, fold=True)


def _flat(tables: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _flat(cast("Mapping[str, Any]", value), f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _all_keys(flat: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for entries in flat.values() for key in entries))


def _key_words(key: str) -> str:
    return key.replace("_", " ").replace(".kind", "").replace(".", " · ")


def _said(value: Any) -> str:
    if isinstance(value, list):
        parts = cast("list[Any]", value)
        return ", ".join(map(plain, parts)) if parts else "none"
    return plain(value)
