"""Methods: who read the test data, and all that is needed to repeat the study."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from paribus import seeding
from paribus.analysis.estimates import LEVEL, LEVEL_TEXT
from paribus.analysis.pairs import flat
from paribus.analysis.results import Results
from paribus.analysis.sharing import sharing
from paribus.analysis.test_access import has_test_data, test_access
from paribus.analysis.wording import listed
from paribus.report.blocks import Block, Cell, Record, Section
from paribus.report.tabulate import NONE, Column, arm, plain, rule, table, text
from paribus.spec.label_noise import InstanceNoise, LabelNoiseBase, PairNoise, SymmetricNoise
from paribus.spec.split import Split

SHOWN_KEYS: Final = 3
"""Of more settings that differ, each is a line of the table of arms, and not a column."""
MAX_ARM_COLUMNS: Final = 6


def method_section(results: Results) -> Section:
    """Data, recipes, seeds, environment and runs."""
    blocks: list[Block] = [
        _recipes(results),
        _shared(results),
        _streams(results),
        *_test_reads(results),
        _environments(results),
        _runs(results),
    ]
    folded = "Data, pairing, intervals, test reads, recipes, random streams, machine and software"
    return Section("method", "Methods", tuple(blocks), lead=tuple(_words(results)), folded=folded)


def _words(results: Results) -> Iterator[str]:
    yield from dict.fromkeys(_data_sentence(results, arm) for arm in results.arms)
    yield " ".join(sharing(results))
    yield (
        "Training loss is the unweighted mean over the epoch's batches, so that a smaller last batch counts as much as "
        "a full one. A selection rule keeps the exact epoch; ties go to the earliest. Intervals are "
        f"{LEVEL_TEXT} Student t confidence intervals over replicates, not adjusted for multiple comparisons: about 1 "
        f"in {1 / (1 - LEVEL):.0f} misses its true value. They hold for these test examples; the sampling error of the "
        "test set is included only where a claim says so."
    )
    if any(results.recipe(arm).task == "regression" for arm in results.arms):
        yield (
            "RMSE is the square root of the mean squared error, MAE the mean absolute error and R² the explained share "
            "of the variance of the targets, all of predictions in the targets' own unit; of several targets, the mean "
            "over them. Losses are those of the scaled targets."
        )
    if results.test_reads or has_test_data(results):
        yield test_access(results).sentence
    states = results.states()
    if set(states) != {"done"}:
        yield f"Runs: {listed(f'{number} {state}' for state, number in states.items())}."


def _test_reads(results: Results) -> list[Block]:
    """The log of test reads."""
    names = {run.id: (run.arm, run.replicate) for run in results.runs}
    records: list[Record] = [
        {
            "arm": names[read.run_id][0],
            "replicate": names[read.run_id][1],
            "rule": read.rule,
            "epoch": read.epoch,
            "examples": read.examples,
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
        rule(),
        Column("epoch", lambda r: Cell(NONE if r["epoch"] is None else f"{r['epoch']:,}"), numeric=True),
        Column("examples", lambda r: Cell(f"{r['examples']:,}"), numeric=True),
        Column("read at", lambda r: Cell(str(r["read_at"])[:19].replace("T", " "))),
    ]
    return [table("test-reads", "Test-set access log", columns, records, fold=True)] if records else []


def _data_sentence(results: Results, arm: str) -> str:
    """Where an arm's examples come from, and how many there are, as far as a run is recorded."""
    data, dataset = results.recipe(arm).data, results.dataset(arm)
    parts = [f"Data: {data.source}, {_split_words(data.split)}"]
    if dataset is not None:
        counts = (("training", dataset.train), ("validation", dataset.validation), ("test", dataset.test))
        features = " × ".join(map(str, dataset.shape))
        parts.append(listed(f"{count:,} {split}" for split, count in counts if count) + f" examples of {features}")
        if dataset.classes:
            parts.append("1 class" if len(dataset.classes) == 1 else f"{len(dataset.classes)} classes")
        if dataset.targets:
            parts.append(f"to be predicted: {listed(dataset.targets)}")
    if data.label_noise is not None:
        parts.append(_noise_words(data.label_noise))
    if data.planted is not None:
        parts.append(f"{100 * data.planted.share:g} % of all labels planted wrong, by another class")
    if dataset is not None and dataset.inspection is not None and dataset.inspection.missing_values:
        parts.append(f"missing values filled in ({data.missing} of the training examples)")
    if data.scale in ("centre", "standardise"):
        parts.append(f"features scaled ({data.scale}) with figures of the training examples")
    if dataset is not None and dataset.targets and data.scale_target != "none":
        parts.append("targets standardised for training, metrics in original units")
    return f"{'; '.join(parts)}."


def _noise_words(noise: LabelNoiseBase) -> str:
    words = "training labels drawn anew by a matrix of probabilities for each class"
    if isinstance(noise, SymmetricNoise):
        words = f"{100 * noise.share:g} % of the training labels replaced by a uniformly drawn class"
    if isinstance(noise, PairNoise):
        words = f"{100 * noise.share:g} % of the training labels replaced by the class that follows"
    if isinstance(noise, InstanceNoise):
        share = f"{100 * noise.share:g} % of the training labels wrong on average"
        words = f"{share}, which and how depending on the example (Xia et al. 2020)"
    return f"{words}, validation labels too" if noise.validation else words


def _split_words(split: Split) -> str:
    kept = f" that keep the groups in {split.column} together" if split.column else ""
    within = f" of what {split.within.by} has for training" if split.within else ""
    tested = f"replicate r is tested on fold r mod {split.folds}, and replicates share most training examples"
    words = {
        "random": "split at random",
        "stratified": "split at random within each class",
        "group": f"split by the groups in {split.column}",
        "time": f"split by the times in {split.column}, training first and test last",
        "folds": f"split into {split.folds} folds{within}{kept}: {tested}",
    }.get(split.by, f"split {split.by}")
    if split.by == "given" and (split.column or split.index):
        words = f"split as {split.column} says" if split.column else "split as index files say"
    return f"{words}, with the same test examples in all replicates" if split.test else words


def _settings(results: Results) -> dict[str, dict[str, Any]]:
    """Every arm's settings by dotted key."""
    return {
        arm.name: {"seed": arm.seed, **dict(flat(arm.recipe.model_dump(mode="json")))} for arm in results.study.arms
    }


def _recipes(results: Results) -> Block:
    """What differs between the arms: a line for each setting where arms fit beside each other, else for each arm."""
    settings = _settings(results)
    keys = [key for key in _all_keys(settings) if len({json.dumps(f.get(key)) for f in settings.values()}) > 1]
    notes = {entry.name: entry.note for entry in results.study.arms}
    if len(keys) > SHOWN_KEYS and len(results.arms) <= MAX_ARM_COLUMNS:
        lines: list[Record] = [
            {"setting": _key_words(key), **{name: _text(settings[name].get(key)) for name in results.arms}}
            for key in keys
        ]
        if any(notes.values()):
            lines.append({"setting": "note", **notes})
        columns = [text("setting", "setting"), *(text(name, name) for name in results.arms)]
        return table("arms", "What differs between the arms", columns, lines)
    records: list[Record] = [
        {"arm": name, **{key: _text(settings[name].get(key)) for key in keys}, "note": notes[name]}
        for name in results.arms
    ]
    columns = [arm(results.arms), *(text(_key_words(key), key) for key in keys)]
    if any(notes.values()):
        columns.append(text("note", "note"))
    return table("arms", "What differs between the arms", columns, records)


def _shared(results: Results) -> Block:
    """What all arms have in common."""
    settings = _settings(results)
    first = next(iter(settings.values()))
    keys = [key for key in _all_keys(settings) if len({json.dumps(f.get(key)) for f in settings.values()}) == 1]
    records: list[Record] = [{"key": key, "value": _text(first.get(key))} for key in keys]
    columns = [Column("setting", lambda r: Cell(_key_words(str(r["key"])))), text("all arms", "value")]
    return table("recipe", "What all arms have in common", columns, records, fold=True)


def _streams(results: Results) -> Block:
    """The random streams of every replicate; arms of one seed share them."""
    seeds: dict[int, list[str]] = {}
    for entry in results.study.arms:
        seeds.setdefault(entry.seed, []).append(entry.name)
    records: list[Record] = [
        {
            "arms": "all" if len(seeds) == 1 else ", ".join(arms),
            "replicate": replicate,
            **{purpose: f"{stream.seed}/{stream.index}" for purpose, stream in vars(streams).items()},
        }
        for arms in seeds.values()
        for replicate in results.study.replicates.indices
        for streams in (results.study.streams(results.study.arm(arms[0]), replicate),)
    ]
    columns = [text("arms", "arms"), text("replicate", "replicate")]
    columns += [text(purpose.replace("_", " "), purpose) for purpose in seeding.PURPOSES]
    note = (
        "A stream is a seed and an index. The numbers of one epoch come from the SHA-256 of seed/index/purpose/epoch."
    )
    return table("streams", "Random streams", columns, records, note=note, fold=True)


def _environments(results: Results) -> Block:
    """Machines and software, each once, with the runs that were made there."""
    found: dict[str, tuple[Mapping[str, Any], list[str]]] = {}
    for run in results.runs:
        if run.environment:
            key = json.dumps(dict(run.environment), sort_keys=True, default=str)
            found.setdefault(key, (run.environment, []))[1].append(f"{run.arm}/{run.replicate}")
    records: list[Record] = [
        {"environment": i, "runs": len(runs), "key": key, "value": _text(value)}
        for i, (environment, runs) in enumerate(found.values(), start=1)
        for key, value in flat(environment)
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
    note = "A run's identity is the hash of its recipe, its random streams, its data and the kind of engine."
    return table("runs", "Runs", columns, records, note=note, fold=True)


def _all_keys(settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for entries in settings.values() for key in entries))


def _key_words(key: str) -> str:
    return key.replace("_", " ").replace(".kind", "").replace(".", " · ")


def _text(value: Any) -> str:
    if isinstance(value, list):
        parts = cast("list[Any]", value)
        return ", ".join(map(plain, parts)) if parts else "none"
    return plain(value)
