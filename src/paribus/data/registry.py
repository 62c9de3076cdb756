"""Every source that a study can name: built-in and bundled data sets, what Python hands in, files and folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from paribus.data import bundled, faces, fashion_mnist, files, idx_file, npy_file, npz_file, python_arrays, table_file
from paribus.data.array_folder import ArrayFolder
from paribus.data.files import FoundFile
from paribus.data.image_folder import ImageFolder, entries
from paribus.data.source import Source
from paribus.errors import UserError, nearest

BUILT_IN: Mapping[str, Source] = {
    "fashion-mnist": fashion_mnist.SOURCE,
    "faces": faces.SOURCE,
}
FORMATS: Mapping[str, Callable[[FoundFile], Source]] = {
    ".npy": npy_file.NpyFile,
    ".npz": npz_file.NpzFile,
    ".csv": table_file.TableFile,
    ".tsv": table_file.TableFile,
    ".parquet": table_file.TableFile,
}
_IDX = "-idx3-ubyte or -idx3-ubyte.gz"
_handed_in: dict[str, Source] = {}


def register(source: python_arrays.ArraySource | python_arrays.FrameSource) -> str:
    """Make what a program hands in known to studies of this process; the name that `data.source` has for it.

    Another source of the same name takes the place of the one before.
    """
    _handed_in[source.name] = source
    return source.name


def find(name: str, folder: Path) -> Source:
    """The source that `data.source` names. A relative path begins at `folder`, and `~` is the user's home folder.

    Raises UserError where there is no such source, file or folder.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if name.startswith(bundled.PREFIX):
        return bundled.find(name)
    if name.startswith(python_arrays.PREFIX):
        return _from_python(name)
    path = files.folder_named(name, folder)
    if path is not None:
        return _of_folder(path)
    suffix = Path(name).suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix](files.found(name, folder))
    if idx_file.is_name(name):
        return idx_file.IdxFile(files.found(name, folder))
    known = f"{', '.join(FORMATS)}, {_IDX}"
    if suffix or "/" in name or "\\" in name or name.startswith("~"):
        remedy = f"save the data in such a file, or use a built-in source: {', '.join(BUILT_IN)}"
        raise UserError(f"must be a folder, or a data file whose name ends in {known}", given=name,
                        place="data.source", remedy=remedy)  # fmt: skip
    raise UserError(f"must be a built-in source, a folder, or the path of a file that ends in {known}", given=name,
                    place="data.source", remedy=nearest(name, [*BUILT_IN, *_bundled_names()]))  # fmt: skip


def is_path(name: str) -> bool:
    """Whether `data.source` names a file or a folder, and not data that paribus knows by a name."""
    return name not in BUILT_IN and not name.startswith((bundled.PREFIX, python_arrays.PREFIX))


def _bundled_names() -> list[str]:
    return [bundled.PREFIX + name for name in bundled.NAMES]


def _from_python(name: str) -> Source:
    if name not in _handed_in:
        raise UserError("must be data that this program has handed in", given=name, place="data.source",
                        remedy="hand the arrays in under this name, or name a file")  # fmt: skip
    return _handed_in[name]


def _of_folder(path: Path) -> Source:
    """What a folder holds is told by its files; one without files of a known kind is a folder of images."""
    _, names = entries(path)
    arrays = [name for name in names if name.lower().endswith(".npy")]
    if arrays:
        return ArrayFolder(path, arrays)
    tables = [name for name in names if name.lower().endswith(table_file.SUFFIXES)]
    if tables:
        return table_file.TableFolder(path, tables)
    idx = [name for name in names if idx_file.is_name(name)]
    if idx:
        return idx_file.IdxFolder(path, idx)
    return ImageFolder(path)
