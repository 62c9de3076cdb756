"""Arrays in memory that other processes may read: files without a name.

Such a file is in no folder, so nothing has to be deleted: it is gone when the last process that holds it has ended,
however it ended. Only a process that is given the open file can read it, and none can write to it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from collections import OrderedDict
from threading import Lock
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
MAX_OPEN: Final = 64
"""Arrays that are kept for later tasks, at most. Workers keep theirs as long as they need them."""
MAX_BYTES: Final = 2**30
"""What they have together, at most; a single array may be larger."""


@final
class SharedArrays:
    """The arrays that this process shares, by content hash. The latest ones are kept. Threads may use it together."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def opened(self, name: str, array: Array) -> int:
        """An open file with the content of `array`, whose content hash is `name`: for the caller to close.

        Raises OSError where there is no memory for it.
        """
        with self._lock:
            if name not in self._files:
                self._files[name] = _filled(array)
            self._files.move_to_end(name)
            while len(self._files) > 1 and (len(self._files) > MAX_OPEN or self._bytes() > MAX_BYTES):
                os.close(self._files.popitem(last=False)[1])
            return os.dup(self._files[name])

    def _bytes(self) -> int:
        return sum(os.fstat(file).st_size for file in self._files.values())

    def close(self) -> None:
        """Keep none of them."""
        with self._lock:
            while self._files:
                os.close(self._files.popitem()[1])


def mapped(file: int, dtype: str, shape: tuple[int, ...]) -> Array:
    """The array in an open file, which is closed. Its memory is shared, and it refuses to be written to."""
    size = int(np.dtype(dtype).itemsize * np.prod(shape, dtype=np.int64))
    try:
        memory = mmap.mmap(file, size, prot=mmap.PROT_READ) if size else b""
    finally:
        os.close(file)
    return np.frombuffer(memory, dtype=dtype).reshape(shape)


def _filled(array: Array) -> int:
    file = _anonymous_file()
    try:
        content = np.ascontiguousarray(array).data.cast("B") if array.size else memoryview(b"")
        while content:
            content = content[os.write(file, content) :]
        if hasattr(fcntl, "F_ADD_SEALS") and hasattr(os, "memfd_create"):
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(file)
        raise
    return file


def _anonymous_file() -> int:
    """In memory where the system has such files (Linux; not limited by the size of /dev/shm), else on disk."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("paribus", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
