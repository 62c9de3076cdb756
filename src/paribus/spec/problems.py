"""From a validator's list of complaints to the one line that a person can act on."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, Union, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from paribus.errors import CHANGE_IT_THERE, Shown, UserError, nearest
from paribus.spec.overrides import SHORT_FOR, as_table
from paribus.spec.places import Place

_RULES = {
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be lower-case words and digits joined by hyphens",
}
_SHORT_FORMS = {"count": "a whole number", "share": "a number"}
"""What can be given in place of a table, by the key that it is short for; for any other key it is a name."""


@dataclass(frozen=True)
class _Spot:
    """Where a complaint points: the steps to it, the model that it is in, and the models that may be there, by kind."""

    steps: list[int | str]
    owner: type[BaseModel] | None
    kinds: dict[str, type[BaseModel]]


def explained(error: ValidationError, model: type[BaseModel], place: Place, content: Mapping[str, Any]) -> UserError:
    """One of pydantic's complaints about `model` as a UserError: an unknown key if there is any, else the first.

    A misspelt key is at once unknown and missing, and only the former names the mistake. `content` is what was
    validated: a key is shown as far as that has it, so that `loss = "mze"` is a mistake at `loss`, not at `loss.kind`.
    """
    complaints = error.errors(include_url=False)
    first = next((c for c in complaints if c["type"] == "extra_forbidden"), complaints[0])
    spot = _spot(first["loc"], model)
    problem = _problem(first, spot)
    remedy = problem.remedy
    tagged = first["type"].startswith("union_tag")
    steps = [*spot.steps, "kind"] if tagged else spot.steps
    key = _key(steps if first["type"] == "missing" and isinstance(steps[-1], str) else _as_written(steps, content))
    if first["type"] in ("extra_forbidden", "missing"):
        remedy = place.whole_table(key) or remedy
    return place.refused(problem.rule, given=problem.given, key=key, remedy=remedy, together=problem.together)


class _Problem(NamedTuple):
    rule: str
    given: object
    remedy: str = CHANGE_IT_THERE
    together: bool = False


def _problem(complaint: ErrorDetails, spot: _Spot) -> _Problem:
    kind, given = complaint["type"], complaint["input"]
    if kind in _BY_TYPE:
        return _BY_TYPE[kind](complaint, spot)
    rule = _RULES.get(kind)
    return _Problem(rule.format(**_limits(complaint.get("ctx", {}))) if rule else complaint["msg"], given)


def _limits(context: Mapping[str, Any]) -> dict[str, str]:
    """Limits as people write them: 1 and not 1.0, 1000000 and not 1e+06."""
    return {
        name: str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        for name, value in context.items()
    }


def _unknown_key(complaint: ErrorDetails, spot: _Spot) -> _Problem:
    key = str(complaint["loc"][-1])
    return _Problem("must be a known key", key, nearest(key, spot.owner.model_fields if spot.owner else ()))


def _unknown_kind(complaint: ErrorDetails, spot: _Spot) -> _Problem:
    rule, table = f"must be one of {', '.join(spot.kinds)}", as_table(complaint["input"]) or {}
    if "kind" not in table:
        return _Problem(rule, Shown("nothing"), "add kind")
    return _Problem(rule, table["kind"], _closest(table["kind"], spot.kinds))


def _unknown_name(complaint: ErrorDetails, _: _Spot) -> _Problem:
    context = complaint.get("ctx", {})
    return _Problem(complaint["msg"], context["name"], nearest(context["name"], context["known"]))


def _unknown_choice(complaint: ErrorDetails, _: _Spot) -> _Problem:
    expected, given = str(complaint.get("ctx", {})["expected"]), complaint["input"]
    return _Problem(f"must be {expected}", given, _closest(given, re.findall("'([^']*)'", expected)))


def _closest(given: object, known: Iterable[str]) -> str:
    """The remedy for one of several names, which the rule lists: the nearest, if there is one."""
    close = nearest(given, known) if isinstance(given, str) else ""
    return close if close.startswith("did you mean") else CHANGE_IT_THERE


def _broken_rule(complaint: ErrorDetails, _: _Spot) -> _Problem:
    """A rule of our own. Of a table that breaks one, the rule itself names the keys and values."""
    rule, given = str(complaint.get("ctx", {})["error"]), complaint["input"]
    if as_table(given) is not None:
        return _Problem(rule, Shown(""), together=True)
    return _Problem(rule, given)


def _not_a_table(complaint: ErrorDetails, spot: _Spot) -> _Problem:
    """A value in place of a table, and not one that is short for it."""
    names = [step for step in spot.steps if isinstance(step, str)]
    key = SHORT_FOR.get(names[-1]) if names else None
    form = f"{_SHORT_FORMS.get(key, 'a name')} or a table" if key else "a table"
    return _Problem(f"must be {form}", complaint["input"])


def _missing(complaint: ErrorDetails, _: _Spot) -> _Problem:
    key = complaint["loc"][-1]
    if isinstance(key, int):  # a list of fixed length that is too short
        return _Problem(f"must have at least {_entries(key + 1)}", complaint["input"])
    return _Problem("must be given", Shown("nothing"), f"add {key}")


def _wrong_length(complaint: ErrorDetails, _: _Spot) -> _Problem:
    context = complaint.get("ctx", {})
    short = complaint["type"] == "too_short"
    limit = f"at least {_entries(context['min_length'])}" if short else f"at most {_entries(context['max_length'])}"
    return _Problem(f"must have {limit}", complaint["input"])


def _not_a_number(complaint: ErrorDetails, _: _Spot) -> _Problem:
    given = complaint["input"]
    beyond_every_float = isinstance(given, int) and not isinstance(given, bool)
    return _Problem("must be a finite number" if beyond_every_float else "must be a number", given)


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


_BY_TYPE: dict[str, Callable[[ErrorDetails, _Spot], _Problem]] = {
    "extra_forbidden": _unknown_key,
    "union_tag_invalid": _unknown_kind,
    "union_tag_not_found": _unknown_kind,
    "unknown_name": _unknown_name,
    "literal_error": _unknown_choice,
    "value_error": _broken_rule,
    "model_type": _not_a_table,
    "model_attributes_type": _not_a_table,
    "missing": _missing,
    "too_short": _wrong_length,
    "too_long": _wrong_length,
    "float_type": _not_a_number,
}


def _spot(loc: tuple[int | str, ...], model: type[BaseModel]) -> _Spot:
    """A complaint's place in a model. Kinds, which pydantic counts as steps, are not part of a key:

    ("network", "mlp", "activation", 0, "elu", "alpha") is network.activation[0].alpha, a field of `Elu`.
    """
    steps: list[int | str] = []
    owner: type[BaseModel] | None = model
    kinds: dict[str, type[BaseModel]] = {}
    by_key = False
    for position, part in enumerate(loc):
        if isinstance(part, str) and part in kinds:
            owner, kinds = kinds[part], {}
            continue
        if part == "[key]":  # a complaint about a key itself
            continue
        steps.append(part)
        if isinstance(part, int) or by_key:  # a key of the study's own leads to a table of its kind
            by_key = False
            continue
        info = owner.model_fields.get(part) if owner else None
        models = list(_models_in(info.annotation)) if info else []
        kinds = {_kind(m): m for m in models} if len(models) > 1 else {}
        if position < len(loc) - 1:
            owner = models[0] if models else None
            by_key = info is not None and typing.get_origin(_unannotated(info.annotation)) is dict
    return _Spot(steps, owner, kinds)


def _unannotated(annotation: Any) -> Any:
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is Annotated else annotation


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (Union, types.UnionType, Annotated, tuple, dict):
        for inner in typing.get_args(annotation):
            yield from _models_in(inner)


def _kind(model: type[BaseModel]) -> str:
    """The kind that names a model of a union."""
    info = model.model_fields.get("kind")
    return str(typing.get_args(info.annotation)[0]) if info else model.__name__


def _as_written(steps: Sequence[int | str], content: Mapping[str, Any]) -> Sequence[int | str]:
    """The `steps` as far as they lead in `content`, where one value can be short for a table or for a list."""
    value: object = content
    written: list[int | str] = []
    for step in steps:
        table = as_table(value)
        entries = _as_list(value)
        if isinstance(step, int) and step < len(entries):
            value = entries[step]
        elif isinstance(step, int) and table is not None:  # one table in place of a list
            continue
        elif isinstance(step, str) and table is not None:
            value = table.get(step)
        else:
            break
        written.append(step)
    return written


def _as_list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _key(steps: Sequence[int | str]) -> str:
    """Steps as a dotted key: `network.activation[0].alpha`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
