"""Studies from Python objects: the same document, and so the same identities, as a study file that says the same."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, cast

import numpy as np
import tomli_w
from pydantic import BaseModel

from paribus.errors import Shown, UserError
from paribus.spec import builtin
from paribus.spec.canonical import canonical
from paribus.spec.study import Study, parse
from paribus.spec.study import load as load_file

PLACE = "paribus.study()"
Table = Mapping[str, Any]


def study(
    name: str,
    question: str,
    *,
    data: Table,
    network: Table | str,
    optimizer: Table,
    training: Table,
    arms: Mapping[str, Table] | Sequence[Table] | None = None,
    factors: Mapping[str, Sequence[Any]] | None = None,
    claims: Sequence[Table] = (),
    replicates: int | Table = 3,
    folder: str | os.PathLike[str] = "",
    **tables: Any,
) -> Study:
    """A study, made of what a study file says: every key, default and rule is the same.

    Parameters
    ----------
    name : lower-case words joined by hyphens.
    question : what the study is to answer.
    data, network, optimizer, training : tables of the study file, as dictionaries.
    arms : the arms by name, each with the tables that differ: `{"narrow": {}, "wide": {"network": {"hidden": [128]}}}`;
        or a list of tables that have a name each. Without arms and factors there is one arm, of the study's name.
    factors : in place of arms, dotted keys with their levels, all crossed: `{"optimizer.lr": [1e-3, 1e-2]}`.
    claims : statements declared before training. An arm's name is short for `{"arm": name}`.
    replicates : how many, or a table.
    folder : where relative paths of data files begin; by default the current folder.
    tables : every other key of a study file: `loss`, `schedule`, `selection`, `test`, `seed`, `title`, `deploy`, ...

    Numbers may be NumPy's, lists may be tuples or arrays, and None leaves a key out. Raises UserError, in one line, for
    whatever a study file may not say.

    Examples
    --------
    >>> import paribus
    >>> widths = paribus.study(
    ...     "widths",
    ...     "Does a wider layer do better?",
    ...     data={"source": "fashion-mnist", "split": "scarce"},
    ...     network={"hidden": [16]},
    ...     optimizer={"kind": "sgd", "lr": 0.1},
    ...     training={"epochs": 5, "batch_size": 64},
    ...     arms={"narrow": {}, "wide": {"network": {"hidden": [64]}}},
    ... )
    >>> [arm.name for arm in widths.arms]
    ['narrow', 'wide']
    """
    document: dict[str, Any] = {"name": name, "question": question, "replicates": replicates}
    document |= {"data": data, "network": network, "optimizer": optimizer, "training": training, **tables}
    if factors is not None:
        document["factors"] = factors
    if arms is not None or factors is None:
        document["arms"] = _listed_arms({name: {}} if arms is None else arms)
    if claims:
        document["claims"] = [_claim(claim) for claim in claims]
    plain = {key: _plain(value, key) for key, value in document.items() if value is not None}
    return parse(tomli_w.dumps(plain), place=PLACE, folder=Path(folder))


def load(name: str | os.PathLike[str], changes: Mapping[str, Any] | None = None) -> Study:
    """A built-in study by its name, or a study file by its path.

    `changes` has dotted keys, as `--set` does: `{"optimizer.lr": 0.01, "replicates": 5}`. Raises UserError where there
    is no such study, or where it is not valid.

    Examples
    --------
    >>> import paribus
    >>> paribus.load("capacity", {"replicates": 5}).replicates.count
    5
    """
    overrides = {key: _toml(_plain(value, key, "paribus.load()")) for key, value in (changes or {}).items()}
    text = os.fspath(name)
    if text in builtin.NAMES:
        return parse(builtin.text(text), place=f"built-in study {text}", overrides=overrides)
    return load_file(Path(text).expanduser(), overrides)


def draft(data: str, target: str | None = None) -> Study:
    """A first study of data of your own: a linear model against a network with hidden layers.

    Parameters
    ----------
    data : a file, a folder, a built-in source, or what `paribus.source` gives.
    target : the column or the array to predict.

    The task, the scaling, the split and the sizes are guessed from the data. `paribus new --data` writes the same study
    as a file, with a reason on each line. Raises UserError where the data cannot be read.

    Examples
    --------
    >>> import paribus
    >>> print(paribus.draft("sklearn:wine").arms[0].name)
    linear
    """
    from paribus.cli.draft_study import draft_study

    return draft_study(data, target, Path())[1]


def _listed_arms(arms: Mapping[str, Table] | Sequence[Table]) -> list[Table]:
    """Arms as a study file lists them, from a mapping of names to tables or from such a list."""
    if isinstance(arms, Mapping):
        named = cast("Mapping[str, Table]", arms)
        return [{"name": name, **tables} for name, tables in named.items()]
    return list(arms)


def _claim(claim: Table) -> Table:
    ends = {key: {"arm": claim[key]} for key in ("better", "than") if isinstance(claim.get(key), str)}
    return {**claim, **ends}


def _toml(value: object) -> str:
    """A plain value on one line of TOML."""
    if isinstance(value, dict):
        table = cast("dict[str, object]", value)
        return "{" + ", ".join(f"{_toml(key)} = {_toml(entry)}" for key, entry in table.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, cast("list[object]", value))) + "]"
    return tomli_w.dumps({"value": value}).partition("=")[2].strip()


def _plain(value: object, key: str, place: str = PLACE) -> Any:
    """`value` in the types that TOML has: NumPy's numbers become Python's, tuples and arrays become lists.

    Entries of tables that are None are left out. Raises UserError for anything else.
    """
    if isinstance(value, BaseModel):
        return canonical(value)
    if isinstance(value, Mapping):
        table = cast("Mapping[object, object]", value)
        return {str(name): _plain(entry, f"{key}.{name}", place) for name, entry in table.items() if entry is not None}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(cast("object", value.tolist()), key, place)
    if isinstance(value, list | tuple | range):
        return [_plain(entry, key, place) for entry in cast("Sequence[object]", value)]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, bool | int | float | str):
        return value
    raise UserError(
        "must be a number, text, true or false, a list or a dictionary",
        given=Shown(f"an object of type {type(value).__name__}"),
        place=f"{place}, key {key}",
        remedy="change it there",
    )
