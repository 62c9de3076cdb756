"""Evaluating networks that are there already: from weight files of other programs, or from a workspace."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import tomli_w
from pydantic import ValidationError

from paribus.analysis.wording import plural
from paribus.api.frames import frame
from paribus.api.predictions import Columns, class_columns, number_columns
from paribus.data.loading import load_splits
from paribus.errors import Shown, UserError
from paribus.execution.evaluation import (
    SPLIT_WORDS,
    NamedSplit,
    Scores,
    SplitWord,
    Subject,
    evaluate_named,
    named_split,
    natural_split,
    of_arm,
    own_split,
    subject_from_file,
    subject_from_workspace,
    title,
)
from paribus.seeding import Streams
from paribus.spec.data import Data
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

_NETWORK: Final = re.compile(r"(mlp|autoencoder):([0-9]{1,5}(?:-[0-9]{1,5})+)")
_MODULE: Final = re.compile(r".+\.py:\w+")
_PLACE: Final = "the network that is evaluated"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A network on data that a person named. `measured` has its metrics, by name; accuracies are fractions."""

    scores: Scores
    data: NamedSplit

    @property
    def measured(self) -> Mapping[str, float]:
        return self.scores.measured

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each layer, the input first."""
        return self.scores.subject.run.widths

    @property
    def examples(self) -> int:
        return len(self.scores.split)

    def columns(self) -> Columns:
        """One value for each example: its `row` in the source, its label or numbers, and what the network gives."""
        split, dataset = self.scores.split, self.scores.subject.run.spec.dataset
        rows: Columns = {"row": split.rows}
        if self.scores.outputs is None:
            return {**rows, **({} if self.scores.errors is None else {"error": self.scores.errors})}
        if split.labels is not None:
            return {**rows, **class_columns(self.scores.outputs, split.labels, dataset.classes)}
        return {**rows, **number_columns(self.scores.outputs, split.numbers, dataset.targets)}

    def outputs(self) -> pd.DataFrame:
        """`columns` as a data frame."""
        return frame(self.columns())

    def __repr__(self) -> str:
        figures = ", ".join(f"{name} {value:.6g}" for name, value in list(self.measured.items())[:3])
        return f"<{title(self.scores.subject.run)} on {self.data.name}, {plural(self.examples, 'example')}: {figures}>"


def evaluate(
    file: str | os.PathLike[str],
    *,
    network: str,
    data: str,
    activation: str = "relu",
    target: str | None = None,
    task: str | None = None,
    scale: str = "unit",
    changes: Mapping[str, str] | None = None,
) -> Evaluation:
    """Evaluate the weights in a file: safetensors, or a PyTorch file, which is opened where nothing in it can run.

    Parameters
    ----------
    file : a state dict, or a checkpoint that holds one. Layers may have any names that tell their order.
    network : `mlp:784-32-10`, or `autoencoder:784-32-784`: units of each layer, the input first. Or `nets.py:LeNet`: a
        class of `torch.nn.Module` in a file, whose code runs in processes of its own.
    data : a source, and its split where it has several: `fashion-mnist:test`, `flowers.csv`, `sklearn:wine`.
    activation : that of the hidden layers.
    target : the column or key of what the network gives.
    task : classification, regression or reconstruction; by default what the network is for.
    scale : how inputs are scaled, as `data.scale` of a study file.
    changes : any other key of a study file's tables data, network and loss, as `--set` takes them.

    Raises UserError, in one line, where the file does not hold that network, or where the data do not fit it.

    Examples
    --------
    >>> found = paribus.evaluate("net.pt", network="mlp:784-32-10", data="fashion-mnist:test")  # doctest: +SKIP
    >>> found.measured["accuracy"], found.outputs()  # doctest: +SKIP
    """
    source, word = split_word(data)
    study = _described(network, source, activation, target, task, scale, changes or {})
    run, engine = of_arm(study, study.arms[0].name, 0)
    if run.widths:
        _refuse_other_widths(network, run.widths)
    named = named_split(run.recipe.data, word, Path())
    return Evaluation(evaluate_named(subject_from_file(Path(file), run, engine), named), named)


def on_named_data(subject: Subject, data: str, target: str | None = None) -> Evaluation:
    """A network of a study on other data, which are read and scaled as the study's own are.

    Of the study's own data, its training and validation splits are evaluated. Raises UserError where the examples are
    test data that the study keeps locked.
    """
    source, word = split_word(data)
    own = subject.run.recipe.data
    tables: dict[str, Any] = {name: getattr(own, name) for name in own.model_fields_set}
    for name in ("label_noise", "limit"):
        tables.pop(name, None)
    tables |= {"source": source, "split": natural_split(source, Path()), "task": subject.run.recipe.task}
    if target is not None:
        tables["target"] = target
    named = _named(tables, word, subject)
    ours, theirs = subject.run.spec.dataset.feature_names, named.splits.dataset.feature_names
    if ours != theirs and not own.inputs.categorical and set(ours) < set(theirs):  # columns that are no features here
        named = _named({**tables, "inputs": {"keep": ours}}, word, subject)
    return Evaluation(evaluate_named(subject, named), named)


def _named(tables: Mapping[str, Any], word: SplitWord | None, subject: Subject) -> NamedSplit:
    try:
        data = Data(**tables)
    except ValidationError as error:
        rule = error.errors(include_url=False)[0]["msg"]
        raise UserError(rule, given=tables["target"], place="target", remedy="name a column or a key") from None
    own = own_split(data, word, subject.run, Path())
    return named_split(data, word, Path(), subject.run.splits.fill) if own is None else own


def recorded_subject(workspace: Workspace, study: Study, arm: str, replicate: int, rule: str) -> Subject:
    """The network that a workspace has of one run at a selection rule."""
    run, engine = of_arm(study, arm, replicate)
    return subject_from_workspace(workspace, run, engine, rule)


def split_word(data: str) -> tuple[str, SplitWord | None]:
    """`fashion-mnist:test` as the source and its split; a source may have a colon of its own: `sklearn:wine`."""
    source, colon, word = data.rpartition(":")
    return (source, cast("SplitWord", word)) if colon and word in SPLIT_WORDS else (data, None)


def _described(
    network: str, source: str, activation: str, target: str | None, task: str | None, scale: str,
    changes: Mapping[str, str],
) -> Study:  # fmt: skip
    """A study of one arm that has the network and the data, and that nobody trains."""
    kind, widths = _read(network)
    task = task or ("reconstruction" if kind == "autoencoder" else "classification")
    data: dict[str, Any] = {"source": source, "split": natural_split(source, Path()), "task": task, "scale": scale}
    if task == "regression":
        data["scale_target"] = "none"  # a network from elsewhere gives numbers in their units
    if target is not None:
        data["target"] = target
    layers = {"module": network} if kind == "module" else {"hidden": widths[1:-1], "activation": activation}
    single = "binary-cross-entropy" if widths[-1:] == [1] else "cross-entropy"
    document: dict[str, Any] = {
        "name": "evaluated",
        "question": "How good is it?",
        "replicates": 1,
        "data": data,
        "network": {"kind": kind, **layers},
        "loss": {"kind": single if task == "classification" else "mse"},
        "optimizer": {"kind": "sgd", "lr": 1e-6},
        "training": {"epochs": 1, "batch_size": 1},
        "arms": [{"name": "evaluated"}],
    }
    study = parse(tomli_w.dumps(document), place=_PLACE, overrides=changes)
    recipe = study.arms[0].recipe
    if kind == "module" or getattr(recipe.network, "batch_norm", False):
        # no batch of one example can be normalised, if it were trained, and a module takes a step to be checked
        examples = len(load_splits(recipe.data, Path(), Streams.of_replicate(0, 0)).train)
        sizes = (size for size in range(2, examples + 1) if examples % size != 1)
        document["training"] = {"epochs": 1, "batch_size": next(sizes, 1)}
        return parse(tomli_w.dumps(document), place=_PLACE, overrides=changes)
    return study


def _read(network: str) -> tuple[str, list[int]]:
    """The kind of a network that a person names, and the units of its layers; none of a module."""
    if _MODULE.fullmatch(network):
        return "module", []
    found = _NETWORK.fullmatch(network)
    if found is None:
        rule = "must be mlp or autoencoder with the units of each layer, the input first, or FILE.py:CLASS"
        raise UserError(rule, given=network, place="network", remedy="write mlp:784-32-10")
    return found[1], [int(width) for width in found[2].split("-")]


def _refuse_other_widths(network: str, widths: tuple[int, ...]) -> None:
    fitting = "-".join(map(str, widths))
    kind, _, given = network.partition(":")
    if given != fitting:
        rule = f"must begin with the {widths[0]} features of the data and end with their {widths[-1]} outputs"
        raise UserError(rule, given=Shown(given), place="network", remedy=f"write {kind}:{fitting}, or name other data")
