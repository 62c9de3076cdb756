"""From a validator's list of complaints to the one line that a person can act on."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from paribus.errors import Shown, UserError
from paribus.spec.overrides import as_table, nearest

_RULES = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "missing": "must be given",
    "literal_error": "must be {expected}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be lower-case words and digits joined by hyphens",
}


@dataclass(frozen=True)
class _Spot:
    """Where a complaint points: the dotted key, the model that holds it, and the models that may stand there."""

    key: str
    owner: type[BaseModel] | None
    kinds: dict[str, type[BaseModel]]


def explained(error: ValidationError, model: type[BaseModel], place: str) -> UserError:
    """One of pydantic's complaints about `model` as a UserError: an unknown key if there is any, else the first.

    A misspelt key is at once unknown and missing, and only the former names the mistake.
    """
    complaints = error.errors(include_url=False)
    first = next((c for c in complaints if c["type"] == "extra_forbidden"), complaints[0])
    spot = _spot(first["loc"], model)
    where = f"{place}, key {spot.key}" if spot.key else place
    if first["type"] == "extra_forbidden":
        known = list(spot.owner.model_fields) if spot.owner else []
        return UserError(
            "must be a known key",
            given=str(first["loc"][-1]),
            place=where,
            remedy=nearest(str(first["loc"][-1]), known),
        )
    if first["type"].startswith("union_tag"):
        return _wrong_kind(first, spot, where)
    if first["type"] == "value_error":
        return _broken_rule(first, where)
    rule = _RULES.get(first["type"])
    rule = rule.format(**first.get("ctx", {})) if rule else first["msg"]
    if first["type"] == "missing":
        return UserError(rule, given=Shown("nothing"), place=where, remedy=f"add {spot.key.rpartition('.')[2]}")
    return UserError(rule, given=first["input"], place=where, remedy="change it there")


def _wrong_kind(complaint: ErrorDetails, spot: _Spot, where: str) -> UserError:
    table = as_table(complaint["input"]) or {}
    rule = f"must be one of {', '.join(spot.kinds)}"
    given: object = table.get("kind", Shown("nothing"))
    remedy = nearest(given, spot.kinds) if isinstance(given, str) and "kind" in table else "say which kind"
    return UserError(rule, given=given, place=f"{where}.kind", remedy=remedy)


def _broken_rule(complaint: ErrorDetails, where: str) -> UserError:
    rule, given = str(complaint.get("ctx", {})["error"]), complaint["input"]
    plain = isinstance(given, str | int | float)
    shown = given if plain else Shown("this combination")
    return UserError(rule, given=shown, place=where, remedy="change it there")


def _spot(loc: tuple[int | str, ...], model: type[BaseModel]) -> _Spot:
    """A complaint's place. Tags of unions, which pydantic counts as steps, are no part of a key."""
    key = ""
    owner: type[BaseModel] | None = model
    kinds: dict[str, type[BaseModel]] = {}
    for position, part in enumerate(loc):
        if isinstance(part, int):
            key += f"[{part}]"
            continue
        if part in kinds:
            owner, kinds = kinds[part], {}
            continue
        key += f".{part}" if key else part
        info = owner.model_fields.get(part) if owner else None
        models = list(_models_in(info.annotation)) if info else []
        kinds = {_tag(m): m for m in models} if len(models) > 1 else {}
        if position < len(loc) - 1:
            owner = models[0] if models else None
    return _Spot(key, owner, kinds)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (Union, types.UnionType, Annotated, tuple):
        for inner in typing.get_args(annotation):
            yield from _models_in(inner)


def _tag(model: type[BaseModel]) -> str:
    field = model.model_fields.get("kind")
    return str(typing.get_args(field.annotation)[0]) if field else model.__name__
