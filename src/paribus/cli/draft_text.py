"""A draft as the text of a study file, with a comment on each line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from paribus.cli.draft import Draft


def study_text(draft: Draft) -> str:
    """The study file: valid, and ready to run. Its questions and claims are for the user to replace."""
    return "\n".join([*_head(draft), "", *_data(draft), "", *_training(draft), "", *_arms(draft), ""])


def slug(name: str) -> str:
    """A study's name from that of a file: lower-case words and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "study"


def study_name(source: str) -> str:
    """`patients` for `data/patients.csv`, `iris` for `sklearn:iris`."""
    last = re.split(r"[/\\:]", source.rstrip("/\\"))[-1]
    return slug(last.rsplit(".", 1)[0] if "." in last else last)


def _head(draft: Draft) -> Iterator[str]:
    yield "# A first study of these data. Everything here is a guess: change what you know better."
    yield "# See what it would do with `paribus plan`, train with `paribus run`, and read `paribus report`."
    yield ""
    yield _line("name", study_name(draft.source), "a short name, used by all commands")
    yield _line("question", _question(draft), "what you want to know")
    yield _line("replicates", 5, "each arm is trained so often, each time on another split and from another start")
    if draft.task != "reconstruction" and (draft.has_validation or draft.has_test):
        models = ["constant", "linear", *(["gradient-boosting"] if len(draft.shape) == 1 else [])]
        yield _line("references", models, "scikit-learn's models on the same splits, beside the networks")


def _question(draft: Draft) -> str:
    if draft.task == "reconstruction":
        return "How wide must the code be?"
    return "Does a network do better than a linear model?"


def _data(draft: Draft) -> Iterator[str]:
    yield "[data]"
    what = f"{draft.examples:,} examples of {_shape(draft)}"
    yield _line("source", draft.source, what)
    yield _line("task", draft.task, draft.task_reason)
    if draft.target:
        yield _line("target", draft.target[0], "what is to be predicted")
    if draft.dropped or draft.categorical:
        yield from _inputs(draft)
    if draft.missing_values:
        comment = f'{draft.missing_values:,} values are missing; "refuse", "mean" and "most-frequent" are others'
        yield _line("missing", "median", comment)
    yield _line("split", draft.split, draft.split_reason)
    yield _line("scale", draft.scale, draft.scale_reason)
    if draft.task == "regression":
        yield _line("scale_target", "standardise", "for training only: metrics stay in the target's own unit")


def _shape(draft: Draft) -> str:
    if len(draft.shape) > 1:
        return " x ".join(map(str, draft.shape)) + " pixels"
    return "1 feature" if draft.features == 1 else f"{draft.features:,} features"


def _inputs(draft: Draft) -> Iterator[str]:
    for name, reason in draft.dropped.items():
        yield _comment(f"left out: {name}, because {reason}")
    for name, categories in draft.categorical.items():
        yield _comment(f"categorical: {name}, with {categories} different values")
    inputs: dict[str, Any] = {}
    if draft.dropped:
        inputs["drop"] = list(draft.dropped)
    if draft.categorical:
        inputs["categorical"] = list(draft.categorical)
    yield _line("inputs", inputs, "all other columns are numbers")


def _training(draft: Draft) -> Iterator[str]:
    rule = "min-val-loss" if draft.has_validation else "last"
    yield "[network]"
    kind = "autoencoder" if draft.task == "reconstruction" else "mlp"
    yield _line("kind", kind, "fully connected layers; input and output widths come from the data")
    yield _line("activation", "relu", "of the hidden layers")
    yield ""
    if draft.task != "classification":
        yield "[loss]"
        yield _line("kind", "mse", "the mean squared error")
        yield ""
    yield "[optimizer]"
    yield _line("kind", "adam", "sgd, adamw and rmsprop are others")
    yield _line("lr", 0.003, "the learning rate; try a third and three times as much")
    yield ""
    yield "[training]"
    steps = -(-draft.training_examples // draft.batch_size)
    yield _line("epochs", draft.epochs, f"passes over the training examples, of {_steps(steps)} each")
    yield _line("batch_size", draft.batch_size, "examples in each step")
    yield ""
    yield "[selection]"
    comment = "keep the weights of the best validation epoch" if draft.has_validation else "keep the last weights"
    yield _line("rules", [rule], comment)
    if draft.has_test:
        yield ""
        yield "[test]"
        yield _line("read_at", [rule], "the test set is locked, and opened for these weights only")


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count:,} steps"


def _arms(draft: Draft) -> Iterator[str]:
    if draft.task == "reconstruction":
        arms: tuple[tuple[str, list[int], str], ...] = (
            ("narrow", [8], "8 numbers for each example"),
            ("wide", [64], "64 numbers for each example"),
        )
    else:
        arms = (("linear", [], "no hidden layer: a linear model"), ("network", [64, 64], "two hidden layers"))
    comments = iter(("one configuration; the first arm is the control", "compared with the control"))
    for name, hidden, comment in arms:
        yield "[[arms]]"
        yield _line("name", name, next(comments))
        yield _line("network", {"hidden": hidden}, comment)
        yield ""
    better, than = arms[1][0], arms[0][0]
    yield "# A claim gets a verdict. State it before you run the study: remove the # below, and say what matters."
    yield "# [[claims]]"
    yield f"# statement = {_value(_statement(draft))}"
    metric, by = _claimed(draft)
    yield f"# metric = {_value(metric)}"
    yield f"# better = {{ arm = {_value(better)} }}"
    yield f"# than = {{ arm = {_value(than)} }}"
    yield f"# by = {_value(by)}  # the smallest difference that matters to you"


def _statement(draft: Draft) -> str:
    if draft.task == "reconstruction":
        return "The wide autoencoder reconstructs better than the narrow one."
    return "The network does better than the linear model."


def _claimed(draft: Draft) -> tuple[str, float]:
    """A metric that the study measures, and a difference of it that could matter."""
    if draft.task == "classification":
        return (
            "test_accuracy" if draft.has_test else "val_accuracy" if draft.has_validation else "train_accuracy"
        ), 0.02
    if draft.task == "reconstruction":
        return "mse", 0.001
    metric = "test_rmse" if draft.has_test else "val_rmse" if draft.has_validation else "train_rmse"
    return metric, float(f"{0.05 * (draft.target_deviation or 1.0):.1g}")


def _line(key: str, value: object, comment: str) -> str:
    return f"{key} = {_value(value)}  # {_one_line(comment)}"


def _comment(text: str) -> str:
    return f"# {_one_line(text)}"


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _value(value: object) -> str:
    """A value in TOML's notation. Its basic strings have the escapes of JSON, but for DEL."""
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        return "{ " + ", ".join(f"{key} = {_value(entry)}" for key, entry in table.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, cast("list[object]", value))) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)
