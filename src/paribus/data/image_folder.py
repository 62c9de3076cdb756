"""A folder of images: one folder for each class, whose name is that of the class, or images without classes.

`train`, `val` and `test`, each with such folders, are splits. Images are ordered by class and then by name. All have
one size, or are resized where the study asks for it; they are grey or colour (red, green, blue), and the study says
which where both occur. Pillow reads them, image by image, after a look at the size that each declares.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from paribus.data import files
from paribus.data.assembly import FoundSplit, Origin, SplitKey, assembled
from paribus.data.examples import MAX_PIXELS
from paribus.data.files import FoundFile
from paribus.data.layouts import Examples
from paribus.data.npy import MAX_VALUES, BrokenFileError
from paribus.data.source import Parts, Source
from paribus.data.table_file import SPLIT_NAMES
from paribus.data.targets import Target
from paribus.data.wanted import Wanted, refuse_keys
from paribus.errors import Shown, UserError
from paribus.spec.data import Data

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
MAX_IMAGES = 1_000_000
_MAX_FILE_PIXELS = 2**26
"""Pixels of one file before it is resized."""
_IGNORED = ("thumbs.db", "desktop.ini")
_GREY_MODES, _COLOUR_MODES = ("1", "L", "LA"), ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr", "HSV", "LAB")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
Size = tuple[int, int]
"""(height, width)."""


@dataclass(frozen=True)
class _SplitOfFolder:
    """The images of one split in their order, the class of each, and the names of the classes: none without classes."""

    images: tuple[FoundFile, ...]
    codes: tuple[int, ...]
    classes: tuple[str, ...]


_Splits = tuple[tuple[SplitKey, _SplitOfFolder], ...]


class ImageFolder(Source):
    """A folder of images, split by folders of its own or undivided."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError where the folder has something else than images."""
        self.name = folder.name
        self._folder = folder
        self._found = _splits_of(folder)
        self.splits = ("all",) if self._found[0][0] == "all" else ("given",)

    def fingerprint(self) -> str:
        return _fingerprint(self._folder, self._found)

    def read(self, data: Data) -> Parts:
        return _parts(self._folder, self._found, Wanted.of(data))


def entries(folder: Path) -> tuple[list[str], list[str]]:
    """The names of the folders and of the files in a folder, sorted, hidden ones left out. Raises UserError."""
    folders, loose = _entries(folder)
    return [entry.name for entry in folders], [entry.name for entry in loose]


def _entries(folder: Path) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
    try:
        with os.scandir(folder) as found:
            seen = [(entry, entry.is_dir()) for entry in found if not _is_ignored(entry.name)]
    except OSError as error:
        raise UserError("must be a folder that can be read", given=Shown(error.strerror or "an error"),
                        place=files.printable(folder), remedy="allow yourself to read it") from error  # fmt: skip
    seen.sort(key=lambda pair: pair[0].name)
    return [entry for entry, is_folder in seen if is_folder], [entry for entry, is_folder in seen if not is_folder]


def _is_ignored(name: str) -> bool:
    return name.startswith((".", "__MACOSX")) or name.lower() in _IGNORED


def _splits_of(folder: Path) -> _Splits:
    folders, _ = entries(folder)
    splits: dict[str, SplitKey] = {name: SPLIT_NAMES[name.lower()] for name in folders if name.lower() in SPLIT_NAMES}
    if "training" not in splits.values() or len(splits) < len(folders):
        return (("all", _split_of(folder)),)
    found: dict[SplitKey, _SplitOfFolder] = {}
    for name, split in splits.items():
        if split in found:
            raise UserError("must have one folder for each split", given=name, place=files.printable(folder),
                            remedy="call them train, val and test")  # fmt: skip
        found[split] = _split_of(folder / name)
    order: tuple[SplitKey, ...] = ("training", "validation", "test")
    return tuple((split, found[split]) for split in order if split in found)


def _split_of(folder: Path) -> _SplitOfFolder:
    """The images of a folder with a folder for each class, or with nothing but images."""
    folders, loose = _entries(folder)
    images: list[FoundFile] = []
    codes: list[int] = []
    if folders and loose:
        raise UserError("must have images in the folders of their classes only", given=loose[0].name,
                        place=files.printable(folder), remedy="move it into a folder, or take it out")  # fmt: skip
    places = [Path(entry.path) for entry in folders] or [folder]
    for code, place in enumerate(places):
        deeper, inner = _entries(place) if folders else ([], loose)
        if deeper:
            raise UserError("must have images and no folders in the folder of a class", given=deeper[0].name,
                            place=files.printable(place), remedy="move its images up")  # fmt: skip
        if not inner:
            raise UserError("must have images in each folder", given=Shown("none"), remedy="add some, or take it out",
                            place=files.printable(place))  # fmt: skip
        for entry in inner:
            if not entry.name.lower().endswith(SUFFIXES):
                raise UserError(f"must be images, which end in {', '.join(SUFFIXES)}", given=entry.name,
                                place=files.printable(place), remedy="take it out of the folder")  # fmt: skip
            images.append(files.found_in(entry))
            codes.append(code)
    if len(images) > MAX_IMAGES:
        raise UserError(f"must have at most {MAX_IMAGES} images", given=len(images), place=files.printable(folder),
                        remedy="use fewer of them")  # fmt: skip
    return _SplitOfFolder(tuple(images), tuple(codes), tuple(entry.name for entry in folders))


@functools.lru_cache(maxsize=4)
def _fingerprint(folder: Path, found: _Splits) -> str:
    """SHA-256 of the relative name and the content of each file."""
    content = hashlib.sha256()
    for _, split in found:
        for file in split.images:
            relative = file.path.relative_to(folder).as_posix()
            content.update(f"{relative}\0{files.fingerprint(file)}\n".encode("utf-8", "surrogateescape"))
    return content.hexdigest()


@functools.lru_cache(maxsize=4)
def _parts(folder: Path, found: _Splits, wanted: Wanted) -> Parts:
    shown = files.printable(folder)
    try:
        refuse_keys(wanted, "a folder of images", allowed=("resize", "colour"))
        for key, value in (("data.target", ", ".join(wanted.target)), ("data.split.column", wanted.column)):
            if value:
                raise BrokenFileError(f"{key} does not go with a folder of images, whose folders are the classes",
                                      value, f"take {key} out")  # fmt: skip
        if wanted.task == "regression":
            raise BrokenFileError("must have numbers to be predicted, as the task is regression", "a folder of images",
                                  "save the images and their numbers in one .npz file")  # fmt: skip
        parts: dict[SplitKey, FoundSplit] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images, whose size is checked here, and of odd palettes
            form = _form([file for _, split in found for file in split.images], wanted)
            for split, images in found:
                examples = Examples(_pixels(images.images, form), 255.0, form.shape)
                parts[split] = FoundSplit(examples, _target(images))
        if len({part.target is None for part in parts.values()}) > 1:
            raise BrokenFileError("must have a folder for each class in all splits or in none", "both",
                                  "move the images into folders named as their classes")  # fmt: skip
        return assembled(parts, wanted.task, Origin(folder.name, shown, _fingerprint(folder, found)))
    except BrokenFileError as error:
        raise error.at(shown) from error


def _target(split: _SplitOfFolder) -> Target | None:
    if not split.classes:
        return None
    return Target(np.array(split.codes, np.int64), "the folders of classes", split.classes)


@dataclass(frozen=True)
class _Form:
    """What all images are brought to: a size, and grey or colour."""

    size: Size
    is_colour: bool

    @property
    def shape(self) -> tuple[int, ...]:
        return (3, *self.size) if self.is_colour else self.size


def _form(images: Sequence[FoundFile], wanted: Wanted) -> _Form:
    """The form of all images, from what their headers declare. Raises BrokenFileError where they differ."""
    sizes: dict[Size, FoundFile] = {}
    colours: dict[bool, FoundFile] = {}
    for file in images:
        with _opened(file) as image:
            sizes.setdefault((image.height, image.width), file)
            colours.setdefault(_is_colour(image, file), file)
        if wanted.inputs.resize is None and len(sizes) > 1:
            raise BrokenFileError("must hold images of one size", _both(sizes, lambda size: f"{size[0]} x {size[1]}"),
                                  "say data.inputs.resize = 32, or another size, to resize them all")  # fmt: skip
    if wanted.inputs.colour is None and len(colours) > 1:
        raise BrokenFileError("must hold images that are all grey or all in colour",
                              _both(colours, lambda is_colour: "colour" if is_colour else "grey"),
                              'say data.inputs.colour = "grey" or "rgb" to make them so')  # fmt: skip
    size = wanted.inputs.resize or next(iter(sizes))
    is_colour = next(iter(colours)) if wanted.inputs.colour is None else wanted.inputs.colour == "rgb"
    form = _Form(size, is_colour)
    values = math.prod(form.shape)
    if values > MAX_PIXELS or values * len(images) > MAX_VALUES:
        given = f"{len(images)} images of {' x '.join(str(length) for length in form.shape)}"
        raise BrokenFileError(f"must hold images of at most {MAX_PIXELS} values, and {MAX_VALUES} in all", given,
                              "say data.inputs.resize = 32, or another size, to resize them all")  # fmt: skip
    return form


def _both(found: Mapping[Any, FoundFile], shown: Callable[[Any], str]) -> str:
    (one, first), (other, second), *_ = found.items()
    return f"{shown(one)} in {first.path.name} and {shown(other)} in {second.path.name}"


def _is_colour(image: Image.Image, file: FoundFile) -> bool:
    if image.mode not in (*_GREY_MODES, *_COLOUR_MODES):
        raise BrokenFileError("must be an image of 8 bits a channel", f"mode {image.mode}", "save it anew as PNG").at(
            file.shown
        )
    return image.mode in _COLOUR_MODES


@contextlib.contextmanager
def _opened(file: FoundFile) -> Generator[Image.Image, None, None]:
    """An image of which only the header has been read. Raises UserError if it is damaged, too large or not an image."""
    from PIL import Image

    try:
        with Image.open(file.path, formats=_FORMATS) as image:
            if image.width * image.height > _MAX_FILE_PIXELS:
                raise _too_large(f"{image.width} x {image.height}").at(file.shown)
            yield image
    except Image.DecompressionBombError as error:
        raise _too_large("many more").at(file.shown) from error
    except _UNREADABLE as error:
        remedy = "replace it, or take it out of the folder"
        raise BrokenFileError("must be an image that can be read", "a file that is none, or a damaged one",
                              remedy).at(file.shown) from error  # fmt: skip


_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, OverflowError, struct.error, zlib.error)
"""What Pillow raises for files that are not images, or damaged ones."""


def _too_large(given: str) -> BrokenFileError:
    return BrokenFileError(f"must be an image of at most {_MAX_FILE_PIXELS} pixels", given, "make it smaller")


def _pixels(images: Sequence[FoundFile], form: _Form) -> npt.NDArray[np.uint8]:
    """Bytes (image, value): channel by channel, row by row."""
    from PIL import Image

    height, width = form.size
    values = np.empty((len(images), math.prod(form.shape)), np.uint8)
    for index, file in enumerate(images):
        with _opened(file) as image:
            plain = image.convert("RGB" if form.is_colour else "L")
        if plain.size != (width, height):
            plain = plain.resize((width, height), Image.Resampling.LANCZOS)
        pixels = np.asarray(plain)
        values[index] = (np.moveaxis(pixels, 2, 0) if form.is_colour else pixels).reshape(-1)
    return values
