"""A network that is there already, from a file or from a workspace, evaluated on an arm's data or on data of one's own.

The test data of a study stay locked here: those are read at the declared snapshots of its runs only. Data that a person
names belong to that person, test data among them, unless they are the ones that the study keeps locked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from paribus.data.imputation import filled, refuse_missing
from paribus.data.loading import fingerprint, load_splits
from paribus.data.pool import Features, Pool, Split, Splits, whole
from paribus.data.registry import find
from paribus.errors import Shown, UserError, nearest
from paribus.execution.external import read_weights
from paribus.execution.isolated_engine import IsolatedEngine, ended_after, evaluation_engine
from paribus.execution.runner import prepare
from paribus.seeding import Streams, derive
from paribus.spec.data import Data
from paribus.spec.network import Module
from paribus.spec.study import Study
from paribus.store.workspace import Workspace
from paribus.training.classification import classification_scores, probabilities
from paribus.training.cohort import architecture, fresh_state
from paribus.training.engine import Engine, ModuleArchitecture, State
from paribus.training.evaluation import evaluate_weights
from paribus.training.inference import Inference, predicted_classes
from paribus.training.measurements import Arrays
from paribus.training.plan import PlannedRun
from paribus.training.reconstruction import example_errors
from paribus.training.regression import predictions, regression_scores

SplitWord = Literal["train", "validation", "test"]
SPLIT_WORDS: Final[tuple[SplitWord, ...]] = ("train", "validation", "test")
_PREFERRED: Final = ("given", "standard", "all")
"""Splits of a source, the first choice first: those that the data came with."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A network to be evaluated: the run that it is or could be, and its weights. Its splits scale the inputs.

    `sha256` is that of the weight file, None for a recorded network.
    """

    run: PlannedRun
    weights: State
    engine: Engine
    sha256: str | None = None


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A network on the training and validation splits of its run.

    `measured` has a value for each metric, not finite where outputs overflow. `units` are the arrays that are recorded
    of hidden units at a selected snapshot, empty without hidden layers.
    """

    run: PlannedRun
    sha256: str | None
    measured: Mapping[str, float]
    units: Arrays

    @property
    def overflowing(self) -> tuple[str, ...]:
        """The metrics whose values are not finite: weights so large that outputs leave the range of float32."""
        return tuple(name for name, value in self.measured.items() if not math.isfinite(value))


@dataclass(frozen=True, eq=False)
class NamedSplit:
    """Examples that a person names, with what is known of their source. `word` is None for a source without splits."""

    source: str
    word: SplitWord | None
    split: Split
    splits: Splits
    fingerprint: str

    @property
    def name(self) -> str:
        return self.source if self.word is None else f"{self.source}:{self.word}"


@dataclass(frozen=True, eq=False)
class Scores:
    """A network on named data.

    `outputs` (example, output) are logits, predictions of numbers in original units, or None for reconstructions, of
    which `errors` (example,) are the mean squares.
    """

    subject: Subject
    split: Split
    measured: Mapping[str, float]
    outputs: npt.NDArray[Any] | None
    errors: npt.NDArray[Any] | None


def of_arm(study: Study, arm: str, replicate: int) -> tuple[PlannedRun, Engine]:
    """The run of one replicate of an arm, its data loaded, and what evaluates it."""
    replicates = study.replicates.model_copy(update={"count": 1, "first": replicate})
    alone = study.model_copy(update={"arms": (study.arm(arm),), "claims": (), "replicates": replicates})
    (run,) = prepare(alone).runs
    return run, evaluation_engine(run.spec.family)


def subject_from_file(path: Path, run: PlannedRun, engine: Engine) -> Subject:
    """The network of `run` with the weights of a file. Raises UserError where the file does not hold them."""
    state = _initial_state(run, engine)
    shapes = {name: tensor.shape for name, tensor in state.items()}
    whole = [name for name, tensor in state.items() if tensor.dtype.kind != "f"]
    found = read_weights(path, shapes, f"the network {title(run)}", whole)
    return Subject(run, found.weights, engine, found.sha256)


def _initial_state(run: PlannedRun, engine: Engine) -> State:
    """The state dict of a run's network, for its names and shapes. A module is made where the engine has it."""
    made_of = architecture(run.spec)
    if isinstance(engine, IsolatedEngine) and isinstance(made_of, ModuleArchitecture):
        return engine.initial_state(made_of, derive(run.spec.streams.init, "init"))
    return fresh_state(run.spec).tensors


def subject_from_workspace(workspace: Workspace, run: PlannedRun, engine: Engine, rule: str) -> Subject:
    """The network that a recorded run has at a selection rule. Raises UserError where none is recorded."""
    rules = run.recipe.selection.rules
    if rule not in rules:
        raise UserError("must be a selection rule of the run", given=rule, place="rule", remedy=nearest(rule, rules))
    selected = next((s for s in workspace.selections(run.id) if s.rule == rule and s.tensors is not None), None)
    if selected is None or selected.tensors is None:
        rule_, given = "must be a run whose network is recorded", Shown(f"none at {rule}")
        raise UserError(rule_, given=given, place=f"run {run.id[:12]}", remedy="train it first with `paribus run`")
    return Subject(run, dict(workspace.tensors.get(selected.tensors)), engine)


def title(run: PlannedRun) -> str:
    """A network's name for people: its widths, or the name of its class."""
    network = run.recipe.network
    return network.name if isinstance(network, Module) else "-".join(map(str, run.widths))


def evaluate_file(path: Path, study: Study, arm: str, replicate: int) -> Evaluated:
    """Load the weights of `path` into the network of an arm, and evaluate it on a replicate's training and validation
    splits. The test set stays locked.

    Raises UserError where the file holds anything but weights of that network, or where the data cannot be loaded.
    """
    return evaluate_own(subject_from_file(path, *of_arm(study, arm, replicate)))


def evaluate_own(subject: Subject) -> Evaluated:
    """A network on the training and validation splits of its run."""
    with ended_after(subject.engine):
        found = evaluate_weights(subject.run.spec, subject.run.splits, subject.weights, subject.engine)
    units = next((arrays for _, name, arrays in found.artifacts if name == "units"), {})
    return Evaluated(subject.run, subject.sha256, {one.name: one.value for one in found.numbers}, units)


def natural_split(source: str, folder: Path) -> str:
    """The split that a source has of its own: what `data.split` says where nobody asks for another."""
    splits = find(source, folder).splits
    return next((name for name in _PREFERRED if name in splits), splits[0])


def named_split(data: Data, word: SplitWord | None, folder: Path, fill: Features | None = None) -> NamedSplit:
    """All examples of the source, or of that one of its splits which `word` names.

    `fill` (feature,) takes the place of missing values; without it they are filled in as `data` says. Raises UserError
    where the source has no such split, or has several and none is named.
    """
    splits, parts = load_splits(data, folder, Streams.of_replicate(0, 0)), find(data.source, folder).read(data)
    pools: dict[SplitWord, Pool] = {"train": parts.train}
    if parts.validation is not None:
        pools["validation"] = parts.validation
    if parts.test is not None and word == "test":
        pools["test"] = parts.test.read()
    known = [*(name for name in pools if name != "test"), *(["test"] if parts.test is not None else [])]
    chosen = "train" if word is None and len(known) == 1 else word
    if chosen is None or chosen not in pools or (word is not None and parts.undivided):
        given = Shown("none") if word is None else word
        remedy = f"write {data.source}:{known[0]}" if len(known) > 1 else f"write {data.source}"
        rule = f"must name a split that these data have: {', '.join(known)}"
        if parts.undivided:
            rule = "must name no split: these data are not divided"
        raise UserError(rule, given=given, place=f"data {data.source}", remedy=remedy)
    pool = replace(pools[chosen], divisor=1.0) if data.scale == "none" else pools[chosen]
    own = splits.fill if fill is None else fill
    if own is None:
        refuse_missing(pool, parts.feature_names, pool.name)
    split = whole(pool if own is None or len(own) != pool.values.shape[1] else filled(pool, own))
    return NamedSplit(data.source, word, split, splits, fingerprint(data, folder))


def own_split(data: Data, word: SplitWord | None, run: PlannedRun, folder: Path) -> NamedSplit | None:
    """The split of that name that a run itself has, where the data are its own; None where they are others.

    Whatever the source calls its files, a study's splits are what the study made of them: one may train on the file
    that another is tested on. Raises UserError where the examples are, or have among them, locked test data.
    """
    found = fingerprint(data, folder)
    if found != run.spec.data_fingerprint:
        return None
    own: dict[SplitWord | None, Split | None] = {"train": run.splits.train, "validation": run.splits.validation}
    split = own.get(word)
    if split is not None:
        return NamedSplit(data.source, word, split, run.splits, found)
    if run.spec.dataset.test:
        rule = "must not be the test data of the study: it reads them at its declared snapshots only"
        remedy = f"write {data.source}:train, or add a rule to test.read_at and run the study again"
        name = data.source if word is None else f"{data.source}:{word}"
        raise UserError(rule, given=Shown(""), place=f"data {name}", remedy=remedy)
    return None


def evaluate_named(subject: Subject, named: NamedSplit) -> Scores:
    """A network on named data, its inputs scaled as those that it was trained on.

    Raises UserError where the data do not have the features, the classes or the numbers that the network is for.
    """
    spec = subject.run.spec
    split = _fitting(named, subject.run)
    with ended_after(subject.engine):
        return _scores(subject, split, Inference(spec, subject.run.splits, subject.weights, subject.engine))


def _scores(subject: Subject, split: Split, network: Inference) -> Scores:
    spec = subject.run.spec
    if spec.recipe.task == "reconstruction":
        errors = example_errors(network, split)
        return Scores(subject, split, {"loss": float(network.evaluate(split).loss[0]), "mse": float(errors.mean())},
                      None, errors)  # fmt: skip
    outputs = network.outputs(split)
    measured = {"loss": network.loss_of(outputs, split)}
    if split.labels is not None:
        predicted = predicted_classes(outputs, spec.recipe.loss)
        measured["accuracy"] = float(np.mean(predicted == split.labels))
        measured |= classification_scores(probabilities(outputs, spec.recipe.loss), split.labels, predicted)
    elif split.numbers is not None:
        outputs = predictions(outputs, subject.run.splits.target_scaling)
        measured |= regression_scores(outputs, split.numbers, spec.dataset.targets)
    return Scores(subject, split, measured, outputs, None)


def _fitting(named: NamedSplit, run: PlannedRun) -> Split:
    """The named split with labels counted as the network counts its classes."""
    ours, theirs, place = run.spec.dataset, named.splits.dataset, f"data {named.name}"
    if theirs.features != ours.features:
        rule = f"must have the {ours.features} features that the network takes"
        raise UserError(rule, given=Shown(f"{theirs.features}"), place=place, remedy="name other data")
    for mine, yours in zip(ours.feature_names, theirs.feature_names, strict=False):
        if mine != yours:
            rule = f"must have the features that the network takes, in their order: {mine} here"
            raise UserError(rule, given=yours, place=place, remedy="name the columns in data.inputs.keep")
    same = theirs.classes == ours.classes and len(theirs.targets) == len(ours.targets)
    if same or run.recipe.task == "reconstruction":
        return named.split
    unknown = [name for name in theirs.classes if name not in ours.classes]
    if unknown or not theirs.classes or named.split.labels is None:
        wanted = f"classes {', '.join(ours.classes[:8])}" if ours.classes else f"{len(ours.targets)} numbers"
        given = f"class {unknown[0]}" if unknown else f"{theirs.outputs} of them"
        rule = f"must have what the network was trained to give: {wanted}"
        raise UserError(rule, given=Shown(given), place=place, remedy="name other data, or another target")
    place_of = np.array([ours.classes.index(name) for name in theirs.classes], np.int64)
    labels = place_of[named.split.labels]
    return replace(named.split, labels=labels, true_labels=labels)
