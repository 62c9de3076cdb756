"""Splits that a user gives for an undivided source: a column of split names, or files of row numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from paribus.data import files
from paribus.data.pool import Rows
from paribus.data.splitting import Assignment, Values, is_missing, refused_value
from paribus.errors import Shown, UserError, shown
from paribus.spec.inspection import SplitName
from paribus.spec.split import IndexFiles, Split

MAX_INDEX_BYTES = 100_000_000
NAMES: Mapping[str, SplitName] = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
"""What a column of split names may say, in letters of any case."""


def by_column(split: Split, values: Values) -> Assignment:
    """The splits that the values (example,) of `split.column` name.

    Raises UserError for a value that names no split, and where no example is for training.
    """
    missing = is_missing(values)
    names = np.array(
        ["" if absent else str(value).strip().lower() for value, absent in zip(values, missing, strict=True)]
    )
    unknown = ~np.isin(names, list(NAMES))
    if unknown.any():
        raise refused_value(split, "must have train, validation or test in every row", unknown, values)
    of: dict[SplitName, Rows] = {
        part: np.flatnonzero(np.isin(names, [name for name, meant in NAMES.items() if meant == part]))
        for part in ("train", "validation", "test")
    }
    if not len(of["train"]):
        raise UserError("must have train in at least one row", given=Shown(f"none in column {split.column}"),
                        place="data.split.column", remedy="name another column")  # fmt: skip
    return Assignment(of["train"], of["validation"], of["test"])


def by_index(index: IndexFiles, examples: int, folder: Path) -> Assignment:
    """The splits that index files list, of this many examples; a relative path begins at `folder`.

    Raises UserError where a file cannot be read, where it has a row twice or one that the data do not have, where a row
    is in two files, and where no row is for training.
    """
    rows = {part: _rows(name, part, examples, folder) for part, name in _named(index).items()}
    parts = list(rows)
    for i, first in enumerate(parts):
        for second in parts[i + 1 :]:
            shared = np.intersect1d(rows[first], rows[second])
            if len(shared):
                raise UserError(f"must list no row that is for {first}", given=Shown(f"row {shared[0]}"),
                                place=f"data.split.index.{second}", remedy="take it out of one file")  # fmt: skip
    nothing = np.empty(0, np.int64)
    if "train" not in rows:
        left = np.ones(examples, bool)
        left[np.concatenate(list(rows.values()))] = False
        rows["train"] = np.flatnonzero(left)
        if not len(rows["train"]):
            raise UserError("must leave at least one row for training", given=Shown(f"all {examples} rows"),
                            place="data.split.index", remedy="list fewer rows")  # fmt: skip
    return Assignment(rows["train"], rows.get("validation", nothing), rows.get("test", nothing))


def index_fingerprint(index: IndexFiles, folder: Path) -> str:
    """The SHA-256 of which rows are for what, as the files' bytes have them."""
    found = hashlib.sha256()
    for part, name in _named(index).items():
        found.update(f"{part} {files.fingerprint(files.found(name, folder, f'data.split.index.{part}'))} ".encode())
    return found.hexdigest()


def _named(index: IndexFiles) -> dict[SplitName, str]:
    given: dict[SplitName, str | None] = {
        "train": index.train, "validation": index.validation, "test": index.test,
    }  # fmt: skip
    return {part: name for part, name in given.items() if name is not None}


def _rows(name: str, part: SplitName, examples: int, folder: Path) -> npt.NDArray[np.int64]:
    """The rows of one index file, sorted. Its first line may be a header, which is one that is not a number."""
    key = f"data.split.index.{part}"
    file = files.found(name, folder, key)
    remedy = "list one row number a line, counted from 0"
    if file.n_bytes > MAX_INDEX_BYTES:
        raise UserError("must be a list of row numbers", given=Shown(f"{file.n_bytes} bytes"), place=file.shown,
                        remedy=remedy)  # fmt: skip
    with files.opened(file) as stream:
        lines = stream.read().decode("utf-8-sig", errors="replace").splitlines()
    texts = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if texts and not _is_number(texts[0][1]):
        texts = texts[1:]
    if not texts:
        raise UserError("must list at least one row", given=Shown("none"), place=file.shown, remedy=remedy)
    found: dict[int, int] = {}
    for number, text in texts:
        row = int(text) if _is_number(text) else -1
        if not 0 <= row < examples:
            rule = f"must have a row number from 0 to {examples - 1} in each line"
            raise UserError(rule, given=Shown(f"{shown(text)} in line {number}"), place=file.shown, remedy=remedy)
        if row in found:
            raise UserError("must list each row once", given=Shown(f"{row} in lines {found[row]} and {number}"),
                            place=file.shown, remedy="take one out")  # fmt: skip
        found[row] = number
    return np.sort(np.fromiter(found, np.int64, len(found)))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 12
