"""The course's own files, read as they are: `.npy` faces, and `.npz` splits with one *column* per image.

- `file/faces`, as hw2_Q1.npy: one array (image, row, column);
- `file/train-val-test`, as hw2_Q2_and_Q3_data.npz: arr_0..arr_5, being training images (pixel, image) and training
  labels, then those of validation, then those of test;
- `file/train-test`, as hw2_Q4_data.npz: arr_0..arr_3, being those of training, then those of test.

Images are uint8 (divided by 255) or floating-point numbers within [0, 1]; labels are whole numbers counted from 0.
Every mistake is one UserError that names the file and the array.
"""

from __future__ import annotations

import functools
import hashlib
import io
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from paribus.data.npy import MAX_FILE_BYTES, BrokenFileError, Numbers, read_npy, read_npz
from paribus.data.pool import Images, Labels, Pool
from paribus.errors import Shown, UserError
from paribus.units import size

MAX_SIDE = 256
MAX_CLASSES = 1000
FileProtocol = Literal["file/faces", "file/train-val-test", "file/train-test"]
_SPLITS: Mapping[str, tuple[str, ...]] = {
    "file/train-val-test": ("training", "validation", "test"),
    "file/train-test": ("training", "test"),
}
_REMEDIES = {
    "file/faces": "give a .npy array of N square images, uint8 or float in [0, 1], as numpy.save writes it",
    "file/train-val-test": "give a .npz with arr_0..arr_5, one column per image, as numpy.savez writes it",
    "file/train-test": "give a .npz with arr_0..arr_3, one column per image, as numpy.savez writes it",
}


@dataclass(frozen=True, eq=False)
class CourseFile:
    """A file's splits by name (`training`, `validation`, `test`), and the number of classes (0 without labels)."""

    pools: Mapping[str, Pool]
    classes: int


def load(protocol: FileProtocol, file: str) -> CourseFile:
    """The content of `file`, checked throughout. Read once in a process while the file stays as it is."""
    path, version = _found(file)
    return _load(protocol, path, version)


def fingerprint(file: str) -> str:
    """SHA-256 of the file's bytes."""
    path, version = _found(file)
    return _fingerprint(path, version)


@dataclass(frozen=True)
class _Version:
    """What changes when a file is replaced or written to."""

    inode: int
    n_bytes: int
    modified_ns: int


def _found(file: str) -> tuple[Path, _Version]:
    """The file's path and version, without opening it."""
    remedy = "correct data.file in the study, or put the file there"
    try:
        path = Path(file).expanduser()
        status = path.stat()
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError("must be a file that can be read", given=Shown(reason), place=_named(file),
                        remedy=remedy) from error  # fmt: skip
    if not stat.S_ISREG(status.st_mode):
        raise UserError("must be a file", given=Shown("a folder or device"), place=_named(file), remedy=remedy)
    if not 0 < status.st_size <= MAX_FILE_BYTES:
        raise UserError(
            f"must have at least one byte and at most {size(MAX_FILE_BYTES)}",
            given=Shown(size(status.st_size)),
            place=_named(file),
            remedy=remedy,
        )
    return path, _version(status)


def _version(status: os.stat_result) -> _Version:
    return _Version(status.st_ino, status.st_size, status.st_mtime_ns)


def _named(path: str | Path) -> str:
    """A path as a message shows it, whatever characters it holds."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(path))


def _opened(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise UserError("must be a file that can be read", given=Shown(error.strerror or "an error"),
                        place=_named(path), remedy="give yourself the right to read it") from error  # fmt: skip


@functools.lru_cache(maxsize=8)
def _fingerprint(path: Path, version: _Version) -> str:
    with _opened(path) as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        _check_unchanged(path, stream, version)
    return digest


def _check_unchanged(path: Path, stream: io.BufferedReader, version: _Version) -> None:
    if _version(os.fstat(stream.fileno())) != version:
        raise UserError("must stay as it is while it is read", given=Shown("a file that changed"),
                        place=_named(path), remedy="try again when nothing writes to it")  # fmt: skip


@functools.lru_cache(maxsize=4)
def _load(protocol: FileProtocol, path: Path, version: _Version) -> CourseFile:
    sha256 = _fingerprint(path, version)
    try:
        with _opened(path) as stream:
            if protocol == "file/faces":
                arrays = {"": read_npy(stream, version.n_bytes)}
            else:
                arrays = read_npz(stream, version.n_bytes, _array_names(_SPLITS[protocol]))
            _check_unchanged(path, stream, version)
        return _faces(arrays[""], sha256) if protocol == "file/faces" else _splits(protocol, arrays, sha256)
    except BrokenFileError as error:
        raise error.at(_named(path), _REMEDIES[protocol]) from error
    except OSError as error:
        raise BrokenFileError("must be a file that can be read", error.strerror or "an error").at(
            _named(path), _REMEDIES[protocol]
        ) from error


def _array_names(splits: tuple[str, ...]) -> dict[str, str]:
    kinds = [f"{split} {what}" for split in splits for what in ("images", "labels")]
    return {f"arr_{index}": kind for index, kind in enumerate(kinds)}


def _faces(array: Numbers, sha256: str) -> CourseFile:
    if array.ndim != 3 or array.shape[1] != array.shape[2]:
        raise BrokenFileError("must have the shape (image, side, side) of square images", f"shape {array.shape}")
    inputs = _scaled(array.reshape(len(array), -1), array.shape[1], "the images")
    pool = Pool("file/faces", inputs, None, (array.shape[1], array.shape[2]), sha256)
    return CourseFile({"training": pool}, 0)


def _splits(protocol: FileProtocol, arrays: Mapping[str, Numbers], sha256: str) -> CourseFile:
    names = _array_names(_SPLITS[protocol])
    pools: dict[str, Pool] = {}
    for index, split in enumerate(_SPLITS[protocol]):
        first, second = f"arr_{2 * index}", f"arr_{2 * index + 1}"
        images, side = _columns(arrays[first], f"{first} ({names[first]})")
        labels = _labels(arrays[second], len(images), f"{second} ({names[second]})")
        pools[split] = Pool(f"{protocol}/{split}", images, labels, (side, side), sha256)
    _check_alike([arrays[f"arr_{2 * index}"] for index in range(len(pools))])
    return CourseFile(pools, _classes(pools, names))


def _columns(array: Numbers, label: str) -> tuple[Images, int]:
    """(pixel, image) as float32 (image, pixel), and the side of the square that the pixels fill."""
    if array.ndim != 2:
        raise BrokenFileError(f"{label} must have the shape (pixel, image)", f"shape {array.shape}")
    side = math.isqrt(array.shape[0])
    if side * side != array.shape[0]:
        raise BrokenFileError(f"{label} must have a square number of pixels in each column", f"{array.shape[0]} rows")
    return _scaled(array.T, side, label), side


def _scaled(array: Numbers, side: int, label: str) -> Images:
    """(image, pixel) of uint8 or floating-point numbers as contiguous float32 within [0, 1]."""
    if side > MAX_SIDE:
        raise BrokenFileError(f"{label} must be at most {MAX_SIDE} pixels wide", f"{side} pixels")
    if array.dtype == np.uint8:
        return np.divide(array, np.float32(255), dtype=np.float32, order="C")
    if array.dtype.kind != "f":
        raise BrokenFileError(f"{label} must be uint8 or floating-point", f"dtype {array.dtype}")
    if not np.isfinite(array).all():
        raise BrokenFileError(f"{label} must hold finite numbers only", "NaN or infinity")
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise BrokenFileError(f"{label} must lie within [0, 1] where they are floating-point", f"{low:g} to {high:g}")
    return np.ascontiguousarray(array, dtype=np.float32)


def _labels(array: Numbers, images: int, label: str) -> Labels:
    """Labels as int64 (image,); a single row or column of them, or whole numbers written as floats, will do."""
    if array.size != max(array.shape):
        raise BrokenFileError(f"{label} must be one row of labels", f"shape {array.shape}")
    if array.size != images:
        raise BrokenFileError(
            f"{label} must have one label for each of the {images} images (columns)", f"{array.size} labels"
        )
    flat = array.reshape(-1)
    if flat.dtype.kind == "f" and not (np.isfinite(flat).all() and (flat == np.floor(flat)).all()):
        raise BrokenFileError(f"{label} must be whole numbers", "fractions, NaN or infinity")
    low, high = int(flat.min()), int(flat.max())
    if low < 0 or high >= MAX_CLASSES:
        raise BrokenFileError(f"{label} must be between 0 and {MAX_CLASSES - 1}", f"{low} to {high}")
    return flat.astype(np.int64)


def _check_alike(images: list[Numbers]) -> None:
    """All splits must hold the same kind of picture."""
    for array in images[1:]:
        if array.shape[0] != images[0].shape[0]:
            raise BrokenFileError("images of all splits must have the same number of pixels",
                         f"{images[0].shape[0]} and {array.shape[0]}")  # fmt: skip
        if array.dtype != images[0].dtype:
            raise BrokenFileError(
                "images of all splits must have the same dtype", f"{images[0].dtype} and {array.dtype}"
            )


def _classes(pools: Mapping[str, Pool], names: Mapping[str, str]) -> int:
    """How many classes the training labels count; no other split may know a further one."""
    trained = _present(pools["training"])
    classes = int(trained[-1]) + 1
    if len(trained) != classes:
        missing = next(c for c in range(classes) if c not in trained)
        raise BrokenFileError(f"arr_1 ({names['arr_1']}) must name every class from 0 to the highest, {classes - 1}",
                     f"none of class {missing}")  # fmt: skip
    for split, pool in pools.items():
        highest = int(_present(pool)[-1])
        if highest >= classes:
            raise BrokenFileError(f"{split} labels must be among the {classes} classes of the training labels",
                         f"class {highest}")  # fmt: skip
    return classes


def _present(pool: Pool) -> Labels:
    labels = pool.labels
    return np.unique(labels) if labels is not None else np.zeros(1, np.int64)
