"""A JSON Schema of study files, for editors: completion, descriptions, and a mark under what is wrong.

It is made from the tables themselves, and differs from pydantic's own schema in what a study file may leave open:

- one value is short for a table (`overrides.SHORT_FOR`): `loss = "mse"`;
- an arm says only what differs, and the file's own tables may leave to the arms what the arms say: so nothing is
  required inside the tables of a recipe, and a table without `kind` may have the keys of any kind;
- TOML has no null: what may be None is left out.

What needs several keys at once (whether an epoch comes before the end of training, say) is for `paribus plan` to check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import TypeAdapter

from paribus.spec.choice import Choice
from paribus.spec.claims import Claim, Published
from paribus.spec.fields import Label, Note, Prose, Seed, Slug
from paribus.spec.metrics import METRICS
from paribus.spec.overrides import SHORT_FOR
from paribus.spec.recipe import Recipe
from paribus.spec.rules import RuleName
from paribus.spec.search import Search
from paribus.spec.study import FORMAT, Replicates

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_RULES: Final = {
    "anyOf": [
        {"enum": ["last", "min-train-loss", "min-val-loss", "max-val-accuracy", "max-test-accuracy"]},
        {"type": "string", "pattern": r"^(epoch:\d+|(min|max)-[a-z0-9-]+(:.+)?)$"},
    ],
    "description": "A selection rule: min-val-loss, max-val-accuracy, last, epoch:N, or another metric of each epoch.",
}
_FUNCTION: Final = {"type": "string", "pattern": r"\.py:", "description": "FILE.py:NAME, a loss of one's own."}
_BY_TARGET: Final = f"^({'|'.join(name for name, metric in METRICS.items() if metric.by_target)}):.+$"
_OUTSIDE_RECIPES: Final = {
    "name": (Slug, "The study's name: lower-case words joined by hyphens."),
    "title": (Label, "A title for people; by default the name."),
    "question": (Prose, "The question that the study answers."),
    "replicates": (Replicates, "How often each arm is repeated: a number, or a table."),
    "seed": (Seed, "Every random number derives from it, the replicate and the purpose."),
    "control": (Label, "The arm that others are compared with; by default the first."),
    "deploy": (RuleName, "The selection rule that comparisons use; by default the control's first rule."),
    "claims": (tuple[Claim, ...], "Statements declared before training and judged after it."),
    "published": (tuple[Published, ...], "Figures that others report."),
    "choose": (Choice, "How an arm is chosen from the recorded results, and confirmed on fresh replicates."),
    "search": (Search, "What a search proposes, in place of arms and factors, and how its winner is chosen."),
}


def study_schema() -> Schema:
    """The JSON Schema (draft 2020-12) of a study file, as plain values."""
    definitions: Schema = {}
    tables = _open(_of(Recipe, definitions))
    properties: Schema = {"format": {"const": FORMAT, "description": "The format of the study file."}}
    for name, (kind, description) in _OUTSIDE_RECIPES.items():
        properties[name] = {**_of(kind, definitions), "description": description}
    published: Schema = definitions["Published"]
    published["properties"] |= {metric: {"type": "number"} for metric in METRICS}
    published["patternProperties"] = {_BY_TARGET: {"type": "number"}}
    published["additionalProperties"] = False
    own = {"name": _of(Label, definitions), "note": _of(Note, definitions), "seed": _of(Seed, definitions)}
    arm = {"type": "object", "properties": {**own, **tables["properties"]}, "required": ["name"]}
    arms = {"type": "array", "minItems": 1, "items": {**arm, "additionalProperties": False}}
    factor: Schema = {"type": "array", "minItems": 1}
    schema: Schema = {
        "$schema": DIALECT,
        "title": "A study file of paribus",
        "type": "object",
        "properties": {
            **properties,
            **tables["properties"],
            "arms": {**arms, "description": "Each arm says only what differs from the file's tables."},
            "factors": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": factor,
                "description": 'Dotted keys in quotes, each with its levels: "optimizer.lr" = [1e-3, 1e-2].',
            },
        },
        "required": ["name", "question"],
        "oneOf": [{"required": ["arms"]}, {"required": ["factors"]}, {"required": ["search"]}],
        "additionalProperties": False,
        "$defs": definitions,
    }
    return cast("Schema", _finished(schema, definitions))


def _of(kind: Any, definitions: Schema) -> Schema:
    """The schema of a type; the tables in it become `definitions`, those of recipes with nothing required."""
    found = TypeAdapter(kind).json_schema()
    for name, table in found.pop("$defs", {}).items():
        definitions.setdefault(name, table if kind in _CLOSED else _open(table))
    return found


_CLOSED: Final = (Replicates, Choice, Search, tuple[Claim, ...], tuple[Published, ...])
"""Types whose tables are whole wherever they are: no arm adds to them."""


def _open(table: Schema) -> Schema:
    return {key: value for key, value in table.items() if key != "required"}


def _finished(part: object, definitions: Schema) -> object:
    """`part` with short forms, without null, and with unions that a table without `kind` fits, throughout."""
    if isinstance(part, list):
        return [_finished(entry, definitions) for entry in cast("list[object]", part)]
    if not isinstance(part, dict):
        return part
    found = {key: _finished(value, definitions) for key, value in cast("Schema", part).items()}
    found = _without_null(found)
    if isinstance(found.get("default"), dict):
        found["default"] = {k: v for k, v in cast("Schema", found["default"]).items() if v is not None}
    if "discriminator" in found:
        found.pop("discriminator")
        found["anyOf"] = found.pop("oneOf")
    properties = found.get("properties")
    if isinstance(properties, dict):
        named = cast("Schema", properties)
        found["properties"] = {name: _with_short_form(name, value, definitions) for name, value in named.items()}
    return found


def _without_null(found: Schema) -> Schema:
    choices = found.get("anyOf")
    if not isinstance(choices, list) or {"type": "null"} not in choices:
        return {key: value for key, value in found.items() if not (key == "default" and value is None)}
    others = [choice for choice in cast("list[Schema]", choices) if choice != {"type": "null"}]
    rest = {key: value for key, value in found.items() if key not in ("anyOf", "default")}
    return {**rest, **others[0]} if len(others) == 1 else {**rest, "anyOf": others}


def _with_short_form(name: str, value: object, definitions: Schema) -> object:
    """What a key may have: its table, or the one value that is short for it; and rules by their names."""
    if name in ("rule", "deploy"):
        return _RULES
    if name in ("rules", "read_at"):
        return {**cast("Schema", value), "items": _RULES}
    if name == "metric" and "enum" not in cast("Schema", value):
        return {"anyOf": [{"enum": list(METRICS)}, {"type": "string", "pattern": _BY_TARGET}]}
    if not isinstance(value, dict) or name not in SHORT_FOR:
        return cast("object", value)
    schema = cast("Schema", value)
    entry = cast("Schema", schema["items"]) if schema.get("type") == "array" else schema
    short = _short(SHORT_FOR[name], entry, definitions)
    if short is None:
        return schema
    about = {key: schema[key] for key in ("description", "title") if key in schema}
    choices = [short, entry]
    if name == "loss":
        choices = [{"enum": [kind for kind in short["enum"] if kind != "function"]}, _FUNCTION, entry]
    if entry is not schema:
        choices.append({**schema, "items": {"anyOf": [short, entry]}})
    return {**about, "anyOf": choices}


def _short(key: str, table: Schema, definitions: Schema) -> Schema | None:
    """The schema of the value at `key` of a table, or of any of the tables that may be there."""
    found: list[Schema] = []
    for choice in cast("list[Schema]", table.get("anyOf", [table])):
        model = _resolved(choice, definitions)
        value = cast("Mapping[str, Schema]", model.get("properties", {})).get(key)
        if value is not None:
            found.append({k: v for k, v in value.items() if k not in ("title", "default")})
    if not found:
        return None
    kinds = [schema["const"] for schema in found if "const" in schema]
    return {"enum": kinds} if len(kinds) == len(found) else found[0]


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    reference = schema.get("$ref")
    return schema if reference is None else cast("Schema", definitions[str(reference).rpartition("/")[2]])
