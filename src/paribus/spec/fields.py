"""The field types of a study file: ranges and forms, each stated in one place."""

from __future__ import annotations

from collections.abc import Iterable
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
Fraction = Annotated[float, Strict(), Ge(0), Lt(1), AllowInfNan(False)]
"""A share of at least 0 and below 1."""

OpenFraction = Annotated[float, Strict(), Gt(0), Lt(1), AllowInfNan(False)]
"""A share above 0 and below 1."""

ClosedFraction = Annotated[float, Strict(), Ge(0), Le(1), AllowInfNan(False)]
