"""The writer's lock: one process at a time writes to a workspace; readers never ask for it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self, final

from paribus.errors import Shown, UserError
from paribus.store.refusals import told

LOCK = "lock"
"""The lock file holds the writer's process id. The lock on it ends with the process, however that ends."""


@final
class WriterLock:
    """An exclusive `flock` on a workspace's lock file, held from `take` to `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Become the one writer. Raises UserError, naming the process, where another one is."""
        path = folder / LOCK
        with told(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                cls._lock(descriptor, folder)
                process = f"{os.getpid()}\n".encode()
                os.pwrite(descriptor, process, 0)
                os.ftruncate(descriptor, len(process))
            except BaseException:
                os.close(descriptor)
                raise
        return cls(descriptor)

    @staticmethod
    def _lock(descriptor: int, folder: Path) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise UserError(
                "is written by one process at a time",
                given=Shown(f"another writer, process {holder or 'unknown'}"),
                place=str(folder),
                remedy="wait until it ends, or end it; reading (status, report, table) is free meanwhile",
            ) from None

    def release(self) -> None:
        """Let another process write. The file stays: a lock file that comes and goes locks nothing."""
        os.close(self._descriptor)
