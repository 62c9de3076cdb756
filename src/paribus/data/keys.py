"""Which arrays of an archive are inputs and which are targets, of which split: said by the study, or by their names.

Names that are understood: `X` and `y`, `X_train`, `y_train`, `X_val`, `X_test`, `train_images`, `test_labels` and the
like, or `arr_0`, `arr_1`, ... of numpy.savez: two (X, y), four (training and test) or six (validation between).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from paribus.data.assembly import SplitKey
from paribus.data.npy import BrokenFileError
from paribus.data.wanted import Wanted, unknown

_SPLIT_WORDS: Mapping[str, SplitKey] = {
    "train": "training", "training": "training", "tr": "training",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test", "te": "test",
}  # fmt: skip
_INPUTS = ("x", "data", "images", "image", "features", "inputs", "input", "imgs")
_TARGETS = ("y", "labels", "label", "targets", "target", "classes")
_FEATURE_NAMES, _CLASS_NAMES = "feature_names", ("class_names", "target_names")
_GLUED = re.compile(r"([xy])(train|training|tr|val|valid|dev|test|te)")
_POSITIONS: Mapping[int, tuple[SplitKey, ...]] = {
    2: ("all",), 4: ("training", "test"), 6: ("training", "validation", "test"),
}  # fmt: skip


@dataclass(frozen=True)
class Roles:
    """Keys of inputs and of targets for each split; several targets are numbers of one regression.

    `positional` where the names of the arrays say nothing, and their positions decide.
    """

    inputs: Mapping[SplitKey, str]
    targets: Mapping[SplitKey, tuple[str, ...]] = field(default_factory=dict[SplitKey, tuple[str, ...]])
    column: str | None = None
    feature_names: str | None = None
    class_names: str | None = None
    positional: bool = False

    def meanings(self) -> dict[str, str]:
        """What each array is, for people."""
        found: dict[str, str] = {}
        for split, key in self.inputs.items():
            found[key] = "inputs" if split == "all" else f"{split} inputs"
        for split, keys in self.targets.items():
            found |= dict.fromkeys(keys, "targets" if split == "all" else f"{split} targets")
        if self.column is not None:
            found[self.column] = "split column"
        return found | {key: "names" for key in (self.feature_names, self.class_names) if key is not None}


TEXT_MEANINGS = ("targets", "training targets", "validation targets", "test targets", "split column", "names")
"""The meanings of arrays that may hold text."""


def roles_of(names: Sequence[str], wanted: Wanted) -> Roles:
    """The roles of the arrays of these names. Raises BrokenFileError where they are missing or in doubt."""
    if not names:
        raise BrokenFileError("must hold arrays of inputs and targets", "no array", "save them with numpy.savez")
    positional = sorted(names) == sorted(f"arr_{index}" for index in range(len(names)))
    explicit = wanted.inputs.key is not None or bool(wanted.target)
    if positional and not explicit:
        return _by_position(names, wanted)
    inputs = _keys_of(names, wanted.inputs.key, "data.inputs", _INPUTS, wanted)
    targets = _targets(names, inputs, wanted)
    for split, keys in targets.items():
        if inputs[split] in keys:
            raise BrokenFileError("must not have the target among the inputs", f"{inputs[split]!r} as both",
                                  "set data.inputs or data.target to another array")  # fmt: skip
    column = wanted.column
    if column is not None and column not in names:
        raise unknown("array", column, "data.split.column", names)
    class_names = next((name for name in _CLASS_NAMES if name in names), None)
    used = set(inputs.values()) | {key for keys in targets.values() for key in keys}
    return Roles(inputs, targets, column, _FEATURE_NAMES if _FEATURE_NAMES in names else None, class_names,
                 positional and len(used) == len(names))  # fmt: skip


def own_splits(names: Sequence[str]) -> tuple[str, ...]:
    """What `data.split.by` may be for an archive of these names, as far as they tell."""
    if sorted(names) == sorted(f"arr_{index}" for index in range(len(names))):
        return ("given",) if len(names) > 2 else ("all",)
    splits = {_parsed(name)[1] for name in names}
    if "training" not in splits:
        return ("all",)
    return ("given", "all") if "all" in {split for name in names for stem, split in [_parsed(name)]
                                         if stem in (*_INPUTS, *_TARGETS)} else ("given",)  # fmt: skip


def _by_position(names: Sequence[str], wanted: Wanted) -> Roles:
    if len(names) == 1 and wanted.task == "reconstruction":
        return Roles({"all": "arr_0"}, positional=True)
    splits = _POSITIONS.get(len(names))
    if splits is None:
        raise _wrong_number(names)
    inputs: dict[SplitKey, str] = {split: f"arr_{2 * index}" for index, split in enumerate(splits)}
    targets: dict[SplitKey, tuple[str, ...]] = {split: (f"arr_{2 * index + 1}",) for index, split in enumerate(splits)}
    return Roles(inputs, targets, positional=True)


def _wrong_number(names: Sequence[str]) -> BrokenFileError:
    rule = "must hold arr_0 and arr_1 (inputs and targets), arr_2 and arr_3 of test, or six with validation between"
    shown = ", ".join(sorted(names)[:8])
    if len(names) == 1:
        remedy = 'add the targets, or say data.inputs = "arr_0" and data.task = "reconstruction"'
    elif len(names) in (3, 5):
        remedy = f"add the targets of the test examples as arr_{len(names)}"
    else:
        remedy = "save two, four or six arrays, or name them in data.inputs and data.target"
    return BrokenFileError(rule, f"{len(names)} arrays: {shown}" if len(names) > 1 else shown, remedy)


def _parsed(name: str) -> tuple[str, SplitKey]:
    """A name without its split, in lower case, and the split: `X_train` is x of training."""
    words = [word for word in re.split(r"[_\-. ]+", name.lower()) if word]
    glued = _GLUED.fullmatch(words[0]) if len(words) == 1 else None
    if glued:
        return glued[1], _SPLIT_WORDS[glued[2]]
    for position in (-1, 0):
        if len(words) > 1 and words[position] in _SPLIT_WORDS:
            split = _SPLIT_WORDS[words.pop(position)]
            return "_".join(words), split
    return "_".join(words), "all"


def _keys_of(
    names: Sequence[str], key: str | None, setting: str, stems: Iterable[str], wanted: Wanted
) -> dict[SplitKey, str]:
    """The key of each split for an array that the study names, or for one of the usual names."""
    if key is not None:
        if key in names:
            return {"all": key}
        found = [name for name in names if _parsed(name) == (key.lower(), _parsed(name)[1])]
        if not found:
            raise unknown("array", key, setting, names)
    else:
        taken = {*wanted.target, wanted.column}
        others = [name for name in names if name not in taken and (wanted.target or _parsed(name)[0] not in _TARGETS)]
        found = [name for name in names if name not in taken and _parsed(name)[0] in stems]
        if not found and setting == "data.inputs" and len(others) == 1:
            found = others
    return _one_for_each_split(found, names, setting)


def _one_for_each_split(found: Sequence[str], names: Sequence[str], setting: str) -> dict[SplitKey, str]:
    keys: dict[SplitKey, str] = {}
    remedy = f"say which one in {setting}, such as {setting} = {min(names, key=len)!r}"
    if not found and setting == "data.inputs":
        raise BrokenFileError("must show which array holds the inputs", _listed(names), remedy)
    for name in found:
        split = _parsed(name)[1]
        if split in keys:
            raise BrokenFileError(f"must show which array {setting} is", f"{keys[split]} and {name}", remedy)
        keys[split] = name
    if len(keys) > 1 and "all" in keys:
        raise BrokenFileError(f"must show which array {setting} is", _listed(found), remedy)
    if keys and "all" not in keys and "training" not in keys:
        raise BrokenFileError("must hold arrays for training", _listed(found),
                              "add them, or name one array in data.inputs")  # fmt: skip
    order: tuple[SplitKey, ...] = ("all", "training", "validation", "test")
    return {split: keys[split] for split in order if split in keys}


def _targets(names: Sequence[str], inputs: Mapping[SplitKey, str], wanted: Wanted) -> dict[SplitKey, tuple[str, ...]]:
    keys = wanted.target or (None,)
    found = [_keys_of(names, key, "data.target", _TARGETS, wanted) for key in keys]
    if not found[0] and not wanted.target:
        if wanted.task == "reconstruction":
            return {}
        raise BrokenFileError(f"must show which array holds the targets, as the task is {wanted.task}",
                              _listed(names), "name it in data.target")  # fmt: skip
    for one in found:
        if set(one) != set(inputs):
            raise BrokenFileError("must have inputs and targets for the same splits",
                                  f"{_listed(inputs.values())} and {_listed(one.values())}",
                                  "add what is missing, or name the arrays in data.inputs and data.target")  # fmt: skip
    return {split: tuple(one[split] for one in found) for split in inputs}


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(repr(name)[1:-1] for name in shown[:8]) + (", ..." if len(shown) > 8 else "")
