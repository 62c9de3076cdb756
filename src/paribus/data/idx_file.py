"""Arrays in the idx format of MNIST, plain or gzipped: images, with their labels in a file beside them.

A file begins with two zero bytes, a type, the number of axes, and the length of each axis as four bytes, the first one
first; then come the values, big-endian. `train-images-idx3-ubyte` goes with `train-labels-idx1-ubyte`.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from paribus.data import files
from paribus.data.assembly import FoundSplit, Origin, SplitKey, assembled
from paribus.data.files import FoundFile
from paribus.data.layouts import examples_of
from paribus.data.npy import MAX_FILE_BYTES, MAX_VALUES, BrokenFileError, Numbers
from paribus.data.source import Parts, Source
from paribus.data.targets import Target
from paribus.data.wanted import Wanted, refuse_keys
from paribus.errors import UserError
from paribus.spec.data import Data
from paribus.units import count

_NAME = re.compile(r"(.*[-_.])?(idx\d?([-.]ubyte)?|ubyte)(\.gz)?", re.IGNORECASE)
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_COPY = "copy it or download it again"
_PREFIXES: Mapping[str, SplitKey] = {
    "train": "training", "val": "validation", "valid": "validation", "t10k": "test", "test": "test",
}  # fmt: skip


def is_name(name: str) -> bool:
    """Whether a file of this name is one of the idx format."""
    return _NAME.fullmatch(Path(name).name) is not None


class IdxFile(Source):
    """Images with the labels beside them, undivided."""

    splits = ("all",)

    def __init__(self, file: FoundFile) -> None:
        self.name = file.path.name
        self._images = file
        self._labels = _labels_beside(file)

    def fingerprint(self) -> str:
        return _fingerprint(tuple(file for file in (self._images, self._labels) if file is not None))

    def read(self, data: Data) -> Parts:
        found: dict[SplitKey, tuple[FoundFile, FoundFile | None]] = {"all": (self._images, self._labels)}
        return _parts(tuple(found.items()), self.name, self.fingerprint(), Wanted.of(data))


class IdxFolder(Source):
    """The files of a folder, named as those of MNIST: `train-images-...`, `train-labels-...`, `t10k-images-...`."""

    splits = ("given",)

    def __init__(self, folder: Path, names: list[str]) -> None:
        """`names` are those of the folder's idx files. Raises UserError where they do not go together."""
        self.name = folder.name
        self._pairs: dict[SplitKey, tuple[FoundFile, FoundFile | None]] = {}
        for name in sorted(names):
            split = _PREFIXES.get(re.split(r"[-_.]", name.lower())[0])
            if split is None or "images" not in name.lower():
                continue
            if split in self._pairs:
                raise UserError(f"must have one file of {split} images", given=name, place=str(folder),
                                remedy="take the others out, or name one file as data.source")  # fmt: skip
            images = files.found(name, folder)
            self._pairs[split] = (images, _labels_beside(images))
        if "training" not in self._pairs:
            raise UserError("must have a file of training images, train-images-idx3-ubyte", given=names[0],
                            place=str(folder), remedy="name one file as data.source")  # fmt: skip

    def fingerprint(self) -> str:
        return _fingerprint(tuple(file for pair in self._pairs.values() for file in pair if file is not None))

    def read(self, data: Data) -> Parts:
        order: tuple[SplitKey, ...] = ("training", "validation", "test")
        pairs = tuple((split, self._pairs[split]) for split in order if split in self._pairs)
        return _parts(pairs, self.name, self.fingerprint(), Wanted.of(data))


def _labels_beside(images: FoundFile) -> FoundFile | None:
    """The file of labels beside a file of images: `images` in the name becomes `labels`, `idx3` becomes `idx1`."""
    name = images.path.name
    if "images" not in name:
        return None
    plain = re.sub(r"idx\d", "idx1", name.replace("images", "labels")).removesuffix(".gz")
    for candidate in (plain, f"{plain}.gz"):
        if (images.path.parent / candidate).is_file():
            return files.found(candidate, images.path.parent)
    return None


def _fingerprint(found: tuple[FoundFile, ...]) -> str:
    if len(found) == 1:
        return files.fingerprint(found[0])
    return hashlib.sha256("".join(files.fingerprint(file) for file in found).encode()).hexdigest()


@functools.lru_cache(maxsize=4)
def _parts(
    pairs: tuple[tuple[SplitKey, tuple[FoundFile, FoundFile | None]], ...], name: str, fingerprint: str, wanted: Wanted
) -> Parts:
    found: dict[SplitKey, FoundSplit] = {}
    in_order = wanted  # the format's own order: examples come first
    if wanted.inputs.layout is None:
        in_order = replace(wanted, inputs=wanted.inputs.model_copy(update={"layout": "rows"}))
    for split, (images, labels) in pairs:
        target = None if labels is None else Target(_read(labels), f"labels ({labels.path.name})")
        array = _read(images)
        try:
            _refuse_more(wanted, labels)
            shape = None if target is None else target.values.shape
            found[split] = FoundSplit(examples_of(array, shape, in_order, "the images"), target)
        except BrokenFileError as error:
            raise error.at(images.shown) from error
    first = pairs[0][1][0]
    try:
        if any(part.target is None for part in found.values()) and any(part.target for part in found.values()):
            raise BrokenFileError("must have labels for all splits or for none", "labels for some",
                                  "put the missing files of labels beside the images")  # fmt: skip
        return assembled(found, wanted.task, Origin(name, first.shown, fingerprint))
    except BrokenFileError as error:
        raise error.at(first.shown) from error


def _refuse_more(wanted: Wanted, labels: FoundFile | None) -> None:
    refuse_keys(wanted, "idx files", allowed=("layout", "shape"))
    for key, value in (("data.target", ", ".join(wanted.target)), ("data.split.column", wanted.column)):
        if value:
            raise BrokenFileError(f"{key} does not go with idx files, whose labels are beside the images", value,
                                  f"take {key} out")  # fmt: skip
    if labels is None and wanted.task != "reconstruction":
        raise BrokenFileError("must have labels beside the images", "no such file",
                              "name it as the images, with labels-idx1 in place of images-idx3")  # fmt: skip


def _read(file: FoundFile) -> Numbers:
    """The array of a file. Raises UserError."""
    try:
        with files.opened(file) as stream:
            if file.path.suffix.lower() != ".gz":
                return _array(stream)
            try:
                with gzip.open(stream) as unpacked:
                    return _array(unpacked)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                given = str(error) or "an early end"
                raise BrokenFileError("must be an undamaged gzip file", given, _COPY) from error
    except BrokenFileError as error:
        raise error.at(file.shown) from error


def _array(stream: IO[bytes] | gzip.GzipFile) -> Numbers:
    """The one array of a stream, no more of which is read than it declares."""
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or not 1 <= start[3] <= 4:
        packed = "; name it .gz if it is gzipped" if start[:2] == b"\x1f\x8b" else ""
        raise BrokenFileError("must be an array in the idx format", f"a start of {start!r}", f"{_COPY}{packed}")
    dtype, axes = np.dtype(_TYPES[start[2]]), start[3]
    lengths = stream.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise BrokenFileError("must have the length of each axis in its header", f"{len(lengths)} bytes", _COPY)
    shape = tuple(int(length) for length in np.frombuffer(lengths, ">u4"))
    values = math.prod(shape)
    if not values:
        raise BrokenFileError("must not be empty", f"shape {' x '.join(map(str, shape))}", "check how it was saved")
    if values > MAX_VALUES or values * dtype.itemsize > MAX_FILE_BYTES:
        raise BrokenFileError(f"must hold at most {MAX_VALUES} values", count(values), "use fewer examples")
    content = _exactly(stream, values * dtype.itemsize)
    return content.view(dtype).reshape(shape)


def _exactly(stream: IO[bytes] | gzip.GzipFile, n_bytes: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """So many bytes, after which the stream ends; memory is taken as they come."""
    content = io.BytesIO()
    while content.tell() < n_bytes:
        chunk = cast("IO[bytes]", stream).read(min(2**20, n_bytes - content.tell()))
        if not chunk:
            raise BrokenFileError(f"must have the {n_bytes} bytes of values that its header declares",
                                  f"{content.tell()}", _COPY)  # fmt: skip
        content.write(chunk)
    if stream.read(1):
        raise BrokenFileError(f"must end after the {n_bytes} bytes of values that its header declares", "more", _COPY)
    return np.frombuffer(content.getbuffer(), np.uint8)
