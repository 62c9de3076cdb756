"""The few ways in which a workspace changes files, each durable when it returns, each with its fault points."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from paribus.store import faults

TEMPORARY = ".tmp"
"""Suffix of a file that is still being written. One left by a crash has no meaning."""


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, durably. An existing one is left alone."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with faults.around("mkdir"):
        folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(path: Path) -> None:
    """Force a file's content, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with faults.around("fsync"):
            os.fsync(descriptor)
    except OSError as error:  # some network file systems cannot sync folders: they store new names at once
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP) or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def write_beside(path: Path, content: bytes) -> None:
    """Write `content` to a temporary file, force it to the disk, and rename it to `path`.

    The new name is durable only after `sync(path.parent)`, which several files may share.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with faults.around("write"), temporary.open("wb") as file:
            file.write(content)
        sync(temporary)
        rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def rename(source: Path, target: Path) -> None:
    """Rename `source` to `target`, atomically, in place of what had that name."""
    with faults.around("rename"):
        source.replace(target)


def remove(path: Path) -> None:
    """Delete a file that nothing names any more. Not durable: if it comes back, it is an orphan and harmless."""
    with faults.around("unlink"):
        path.unlink(missing_ok=True)
