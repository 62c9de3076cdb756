"""The field types of a study file: ranges and forms, each stated in one place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, LiteralString, cast

from annotated_types import Ge, Gt, Le, Lt
from pydantic import AfterValidator, AllowInfNan, BaseModel, BeforeValidator, ConfigDict, Strict, StringConstraints
from pydantic_core import PydanticCustomError


class Frozen(BaseModel):
    """The base of every table in a study file: immutable, and closed to keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def named(default: str | None = None) -> BeforeValidator:
    """Lets a name stand for a table with that `kind` and nothing else: `activation = "relu"`.

    A table without `kind` is of the `default` kind, where there is one.
    """

    def written_out(value: Any) -> Any:
        if isinstance(value, str):
            return {"kind": value}
        if default and isinstance(value, dict):
            return {"kind": default, **cast("dict[str, Any]", value)}
        return value

    return BeforeValidator(written_out)


def unknown_name(rule: LiteralString, name: str, known: Iterable[str]) -> PydanticCustomError:
    """The complaint of a validator about a name that is none of the known ones; a message offers the nearest."""
    return PydanticCustomError("unknown_name", rule, {"name": name, "known": list(known)})


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must have printable characters only")
    if text != text.strip():
        raise ValueError("must not begin or end with a space")
    return text


def _readable(text: str) -> str:
    if not all(character.isprintable() or character in "\n\t" for character in text):
        raise ValueError("must have printable characters and line breaks only")
    return text


Slug = Annotated[str, Strict(), StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
"""A name that is safe as a file name: lower-case words and digits joined by hyphens."""

Label = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=60), AfterValidator(_printable)]
"""A name for people: any printable text of at most 60 characters."""

Prose = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=2000), AfterValidator(_readable)]
Note = Annotated[str, Strict(), StringConstraints(max_length=2000), AfterValidator(_readable)]
"""Prose that may be left empty."""

SourceName = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=4000), AfterValidator(_printable)]

Flag = Annotated[bool, Strict()]
Seed = Annotated[int, Strict(), Ge(0), Le(2**53)]
Count = Annotated[int, Strict(), Ge(1), Le(1_000_000)]
CountOrZero = Annotated[int, Strict(), Ge(0), Le(1_000_000)]
Width = Annotated[int, Strict(), Ge(1), Le(65_536)]
ReplicateCount = Annotated[int, Strict(), Ge(1), Le(10_000)]
Finite = Annotated[float, Strict(), AllowInfNan(False)]
Bounded = Annotated[float, Strict(), Ge(-1e6), Le(1e6), AllowInfNan(False)]
Positive = Annotated[float, Strict(), Gt(0), Le(1e6), AllowInfNan(False)]
NotNegative = Annotated[float, Strict(), Ge(0), Le(1e6), AllowInfNan(False)]
Negative = Annotated[float, Strict(), Ge(-1e6), Lt(0), AllowInfNan(False)]
Fraction = Annotated[float, Strict(), Ge(0), Lt(1), AllowInfNan(False)]
"""A share of at least 0 and below 1."""

OpenFraction = Annotated[float, Strict(), Gt(0), Lt(1), AllowInfNan(False)]
"""A share above 0 and below 1."""

ClosedFraction = Annotated[float, Strict(), Ge(0), Le(1), AllowInfNan(False)]


def _file_and_name(text: str) -> str:
    file, colon, name = text.rpartition(":")
    if not (colon and file.endswith(".py") and name.isidentifier() and text.isprintable()):
        raise ValueError("must be FILE.py:NAME, a Python file beside the study file and what it is called in it")
    return text


def _plain_values(table: dict[str, Any]) -> dict[str, Any]:
    for name, value in table.items():
        if not name.isidentifier():
            raise ValueError(f"must have names of arguments as keys, and {name!r} is none")
        _refuse_other_values(name, value)
    return table


def _refuse_other_values(name: str, value: object) -> None:
    """Text, whole numbers of 64 bits, finite numbers, true and false, and lists and tables of them."""
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            _refuse_other_values(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        for inner in cast("Sequence[Any]", value):
            _refuse_other_values(name, inner)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"must have finite numbers, and {name} is {value}")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"must have numbers of at most 64 bits, and {name} has more")
    elif not isinstance(value, int | str):
        raise ValueError(f"must have numbers, text, true or false, lists and tables, and {name} is something else")


FileAndName = Annotated[str, Strict(), StringConstraints(max_length=4000), AfterValidator(_file_and_name)]
"""FILE.py:NAME, code of the user's own."""

Arguments = Annotated[dict[str, Any], AfterValidator(_plain_values)]
"""What code of the user's own is given by name: plain values of a study file."""
