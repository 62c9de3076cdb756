"""Every source that a study can name: built-in and bundled data sets by name, files by their suffix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from paribus.data import bundled, faces, fashion_mnist, files, npy_file, npz_file
from paribus.data.files import FoundFile
from paribus.data.source import Source
from paribus.errors import UserError, nearest

BUILT_IN: Mapping[str, Source] = {
    "fashion-mnist": fashion_mnist.SOURCE,
    "faces": faces.SOURCE,
}
FORMATS: Mapping[str, Callable[[FoundFile], Source]] = {
    ".npy": npy_file.NpyFile,
    ".npz": npz_file.NpzFile,
}


def find(name: str, folder: Path) -> Source:
    """The source that `data.source` names. A relative path begins at `folder`, and `~` is the user's home folder.

    Raises UserError where there is no such source, or no such file.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if name.startswith(bundled.PREFIX):
        return bundled.find(name)
    suffix = Path(name).suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix](files.found(name, folder))
    known = " or ".join(FORMATS)
    if suffix or "/" in name or "\\" in name or name.startswith("~"):
        remedy = f"save the data in such a file, or use a built-in source: {', '.join(BUILT_IN)}"
        raise UserError(f"a data file's name must end in {known}", given=name, place="data.source", remedy=remedy)
    raise UserError(f"must be a built-in source, or the path of a file that ends in {known}", given=name,
                    place="data.source", remedy=nearest(name, BUILT_IN))  # fmt: skip
