"""Arrays with names, such as those of an `.npz` file, as the parts of a source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.data.assembly import FoundSplit, Origin, Schema, SplitKey, assembled
from paribus.data.keys import Roles
from paribus.data.layouts import Examples, examples_along, in_doubt, possible_axes
from paribus.data.npy import BrokenFileError, Numbers
from paribus.data.source import Parts, SplitValues
from paribus.data.targets import Target, coded
from paribus.data.wanted import Wanted, refuse_keys

ALLOWED = ("key", "layout", "shape")
"""What `data.inputs` may say of arrays."""


def parts_of(arrays: Mapping[str, Numbers], roles: Roles, wanted: Wanted, origin: Origin) -> Parts:
    """The parts of the arrays that have `roles`. Raises BrokenFileError, its rule naming the array."""
    refuse_keys(wanted, "arrays", allowed=ALLOWED)
    meanings = roles.meanings()
    targets: dict[SplitKey, Target] = {s: _target(arrays, keys, meanings) for s, keys in roles.targets.items()}
    found: dict[SplitKey, FoundSplit] = {}
    for split, axis in _axes(arrays, roles, targets, wanted).items():
        key, is_unnamed = roles.inputs[split], roles.positional and split != "all"
        what = f"{key} ({meanings[key]})"
        examples = examples_along(axis, arrays[key], wanted, what, columns_are_images=is_unnamed)
        found[split] = FoundSplit(examples, targets.get(split))
    (first, *_) = found.values()
    schema = Schema(
        feature_names=_names(arrays, roles.feature_names, first.examples),
        class_names=_names(arrays, roles.class_names, None),
        split_values=_split_values(arrays, roles.column, len(first.examples)) if "all" in found else None,
    )
    return assembled(found, wanted.task, origin, schema)


def _axes(
    arrays: Mapping[str, Numbers], roles: Roles, targets: Mapping[SplitKey, Target], wanted: Wanted
) -> dict[SplitKey, int]:
    """The axis of the examples in the inputs of each split.

    Where one array leaves it in doubt, those of the other splits tell; where all do, archives without names, which have
    no names and several splits, have an example in each column.
    """
    meanings = roles.meanings()
    possible: dict[SplitKey, tuple[int] | tuple[int, int]] = {}
    certain: dict[int, str] = {}
    for split, key in roles.inputs.items():
        array, what, target = arrays[key], f"{key} ({meanings[key]})", targets.get(split)
        _refuse_exchanged(array, target, wanted, what)
        possible[split] = possible_axes(array, None if target is None else target.values.shape, wanted, what)
        if len(possible[split]) == 1 and array.ndim == 2:
            certain.setdefault(possible[split][0], what)
    if len(certain) > 1:
        raise BrokenFileError(f"{certain[0]} must have its examples in columns, as {certain[-1]} has them", "rows",
                              "transpose one of them, so that both are alike: array.T")  # fmt: skip
    usual = next(iter(certain), -1 if roles.positional and "all" not in possible else None)
    axes: dict[SplitKey, int] = {}
    for split, options in possible.items():
        if len(options) > 1 and usual is None:
            key = roles.inputs[split]
            raise in_doubt(arrays[key], f"{key} ({meanings[key]})")
        axes[split] = options[0] if len(options) == 1 or usual is None else usual
    return axes


def _target(arrays: Mapping[str, Numbers], keys: tuple[str, ...], meanings: Mapping[str, str]) -> Target:
    if len(keys) == 1:
        array, what = arrays[keys[0]], f"{keys[0]} ({meanings[keys[0]]})"
        return coded(array, what) if array.dtype.kind == "U" else Target(array, what, columns=keys)
    columns: list[npt.NDArray[Any]] = []
    for key in keys:
        array = arrays[key]
        if array.dtype.kind == "U" or array.size != max(array.shape, default=0):
            raise BrokenFileError(f"{key} ({meanings[key]}) must have one number for each example",
                                  f"shape {array.shape}, dtype {array.dtype}", "name other targets")  # fmt: skip
        columns.append(array.reshape(-1))
    if len({len(column) for column in columns}) > 1:
        raise BrokenFileError(f"{', '.join(keys)} must have as many numbers each",
                              " and ".join(str(len(column)) for column in columns), "name other targets")  # fmt: skip
    return Target(np.stack(columns, axis=1), f"{', '.join(keys)} (targets)", columns=keys)


def _refuse_exchanged(array: Numbers, target: Target | None, wanted: Wanted, what: str) -> None:
    """Inputs with one number for each example, and targets with several that are not classes, have changed places."""
    if target is None or array.ndim != 1 or target.values.ndim < 2 or wanted.task != "classification":
        return
    if min(target.values.shape) > 1 and not np.isin(target.values, (0, 1)).all():
        raise BrokenFileError(f"{what} must have the features of each example", f"shape {array.shape}",
                              "exchange inputs and targets: inputs come first")  # fmt: skip


def _names(arrays: Mapping[str, Numbers], key: str | None, examples: Examples | None) -> tuple[str, ...]:
    """The names in an array of text, if it has one for each feature of `examples`; else none."""
    if key is None or arrays[key].dtype.kind != "U" or arrays[key].ndim != 1:
        return ()
    names = tuple(str(name) for name in arrays[key])
    fits = examples is None or examples.shape == (len(names),)
    return names if fits and len(set(names)) == len(names) and all(0 < len(n) <= 100 for n in names) else ()


def _split_values(arrays: Mapping[str, Numbers], key: str | None, examples: int) -> SplitValues | None:
    if key is None:
        return None
    array = arrays[key]
    if array.size != examples or array.size != max(array.shape, default=0):
        raise BrokenFileError(f"{key} (split column) must have one value for each of the {examples} examples",
                              f"shape {array.shape}", "name another array in data.split.column")  # fmt: skip
    flat = array.reshape(-1)
    if flat.dtype.kind in "biu":
        return flat.astype(np.int64)
    return flat if flat.dtype.kind == "U" else flat.astype(np.float64)
