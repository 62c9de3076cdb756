"""Where an export is written: beside its place, and renamed when it is whole. Nothing is replaced."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from paribus.errors import Shown, UserError


def refuse_existing(path: Path) -> None:
    """Raises UserError where there is something at `path` already, besides an empty folder."""
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists() or path.is_symlink():
        remedy = "name another, or delete it first"
        raise UserError("must not be there yet", given=Shown(""), place=f"{path}", remedy=remedy)


@contextmanager
def new_folder(path: Path) -> Generator[Path]:
    """A folder to be filled, which becomes `path` at the end of the block, or nothing where the block fails."""
    refuse_existing(path)
    with _beside(path) as made:
        yield made
        if path.is_dir():
            path.rmdir()  # empty
        made.rename(path)


@contextmanager
def new_file(path: Path) -> Generator[Path]:
    """The path of a file to be written, which becomes `path` at the end of the block."""
    refuse_existing(path)
    if path.is_dir():
        raise UserError("must be a file", given=Shown("a folder"), place=str(path), remedy="add the file's name")
    with _beside(path) as folder:
        yield folder / path.name
        (folder / path.name).replace(path)


@contextmanager
def _beside(path: Path) -> Generator[Path]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        given = Shown(error.strerror or "an error")
        raise UserError("must be a place that can be written to", given=given, place=str(path),
                        remedy="name another") from None  # fmt: skip
    try:
        made.chmod(0o755)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
