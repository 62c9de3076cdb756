"""The JSON Schema of study files, beside what `parse` takes and refuses."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from jsonschema import Draft202012Validator

from paribus.errors import UserError
from paribus.spec import builtin
from paribus.spec.json_schema import study_schema
from paribus.spec.overrides import SHORT_FOR
from paribus.spec.study import parse

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
MINI = (Path(__file__).parent / "mini.toml").read_text(encoding="utf-8")
VALIDATOR = Draft202012Validator(study_schema())
STUDIES = {
    **{name: builtin.text(name) for name in builtin.NAMES},
    "mini": MINI,
    **{f"README {i}": text for i, text in enumerate(re.findall(r"```toml\n(.*?)```", README, re.DOTALL))},
}


def errors(document: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(study_schema())


@pytest.mark.parametrize("text", STUDIES.values(), ids=STUDIES)
def test_studies_that_paribus_takes_are_accepted(text: str) -> None:
    parse(text, place="a study")
    assert errors(tomllib.loads(text)) == []


def with_one_key_misspelt(value: Any) -> Iterator[tuple[str, Any]]:
    """(key, document) for every key of every table, with an x behind it."""
    if isinstance(value, list):
        for i, entry in enumerate(value):
            for key, changed in with_one_key_misspelt(entry):
                yield key, [*value[:i], changed, *value[i + 1 :]]
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("factors", "space"):  # their keys are dotted, and only `parse` follows them
                yield key, {(f"{k}x" if k == key else k): copy.deepcopy(v) for k, v in value.items()}
                for name, changed in with_one_key_misspelt(inner):
                    yield name, {**value, key: changed}


@pytest.mark.parametrize("text", STUDIES.values(), ids=STUDIES)
def test_every_unknown_key_is_refused(text: str) -> None:
    document = tomllib.loads(text)
    misspelt = list(with_one_key_misspelt(document))
    assert len(misspelt) > 15
    for key, changed in misspelt:
        assert errors(changed), f"{key}x"


def changed(key: str, value: Any) -> dict[str, Any]:
    document = tomllib.loads(MINI)
    *tables, last = key.split(".")
    table = document
    for word in tables:
        table = table.setdefault(word, {})
    table[last] = value
    return document


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("replicates", 5),
        ("replicates", {"count": 5, "vary": ["init"]}),
        ("data.split", "scarce"),
        ("data.label_noise", 0.3),
        ("data.label_noise", {"share": 0.3}),
        ("data.target", "y"),
        ("data.target", 1),
        ("data.target", ["a", "b"]),
        ("data.inputs", 0),
        ("data.inputs", "X"),
        ("data.inputs", ["a", "b"]),
        ("data.inputs", {"drop": "id", "categorical": ["site"]}),
        ("data.inputs", {"key": 3, "layout": "columns"}),
        ("data.inputs", {"resize": 8, "colour": "grey"}),
        ("data.inputs", {"resize": [8, 12]}),
        ("network.activation", "gelu"),
        ("network.activation", {"kind": "leaky-relu", "slope": 0.1}),
        ("network.activation", ["gelu"]),
        ("network.activation", [{"kind": "elu", "alpha": 2}]),
        ("network.init", "orthogonal"),
        ("loss", "cross-entropy"),
        ("loss", {"label_smoothing": 0.1}),
        ("network", {"kind": "module", "module": "nets.py:Net"}),
        ("schedule", "constant"),
        ("schedule", {"kind": "settle"}),
        ("optimizer.lr", 1),
        ("deploy", "max-val-accuracy"),
        ("selection.rules", ["epoch:2", "last", "max-val-accuracy", "min-train-loss-examples"]),
        ("test.read_at", ["last"]),
    ],
)
def test_every_way_to_write_a_value_is_accepted(key: str, value: Any) -> None:
    document = changed(key, value)
    parse(tomli_w.dumps(document), place="a study")
    assert errors(document) == []


@pytest.mark.parametrize("loss", ["nets.py:focal", {"kind": "function", "function": "nets.py:focal"}])
def test_a_loss_of_ones_own_may_be_written_as_text_or_as_a_table(loss: Any) -> None:
    document = changed("loss", loss)
    document["network"] = {"kind": "module", "module": "nets.py:Net"}
    parse(tomli_w.dumps(document), place="a study")
    assert errors(document) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("name", "Not A Slug"),
        ("replicates", 0),
        ("replicates", "five"),
        ("data.split", 3),
        ("data.scale", "big"),
        ("data.inputs", {"resize": [8]}),
        ("data.inputs", {"colour": "red"}),
        ("network.activation", "rolu"),
        ("network.hidden", [0]),
        ("loss", "mze"),
        ("loss", "function"),
        ("loss", {"kind": "function", "function": 3}),
        ("loss", {"kind": "mse", "label_smoothing": 0.1}),
        ("schedule", "sometimes"),
        ("optimizer.kind", "sdg"),
        ("optimizer.lr", "small"),
        ("optimizer.lr", -1),
        ("training.epochs", 2.5),
        ("selection.rules", ["best"]),
        ("arms", []),
        ("arms", [{"optimizer": {"lr": 1}}]),
        ("factors", {"optimizer.lr": [1e-3]}),
    ],
)
def test_what_paribus_refuses_is_refused(key: str, value: Any) -> None:
    document = changed(key, value)
    with pytest.raises(UserError):
        parse(tomli_w.dumps(document), place="a study")
    assert errors(document)


def test_an_arm_needs_no_more_than_what_differs() -> None:
    arms = [{"name": "a", "optimizer": {"momentum": 0.5}}, {"name": "b", "network": {"dropout": 0.5}}]
    assert errors(changed("arms", arms)) == []


def test_every_short_form_is_described() -> None:
    """A table that is added with a short form has it in the schema, too."""
    found: dict[str, Any] = {}

    def collect(part: Any) -> None:
        if isinstance(part, dict):
            for name, value in part.get("properties", {}).items():
                if name in SHORT_FOR:
                    found.setdefault(name, value)
            for value in part.values():
                collect(value)
        elif isinstance(part, list):
            for value in part:
                collect(value)

    collect(study_schema())
    assert found.keys() == SHORT_FOR.keys()
    for name, value in found.items():
        assert any("$ref" not in choice for choice in value["anyOf"]), name
