"""The writer's lock: one process at a time writes to a workspace. Readers do not take it."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self, final

from paribus.store.refusals import in_use, no_locks, translated_errors

LOCK = "lock"
"""The lock file holds the writer's process id. The lock on it ends with the process, however that ends."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""Errors of `flock` on a file system without locks (NFS without its lock service, Lustre mounted without them)."""


@final
class WriterLock:
    """An exclusive `flock` on a workspace's lock file, held from `take` to `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Become the one writer. Raises UserError where another process is, and names it."""
        path = folder / LOCK
        with translated_errors(path):
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
        except (BlockingIOError, PermissionError):  # some network file systems answer EACCES where others EAGAIN
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise in_use(folder, holder) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            with suppress(OSError):
                (folder / LOCK).unlink()
            raise no_locks(folder, os.strerror(error.errno)) from error

    def release(self) -> None:
        """Let another process write. The file is kept: if it were deleted, two writers could each lock a file."""
        os.close(self._descriptor)
