"""Messages between two processes of this machine, over a socket: a JSON header, then the bytes of arrays.

A message on the wire:

    16 bytes        length of the header, and of all arrays together; each 8 bytes, the lowest first
    header          JSON: the message's values, and type and shape of its arrays
    arrays          their bytes, each array at a multiple of `ALIGNMENT`

Shared arrays are not on the wire: open files with their content go with the first bytes (see `shared_memory`).
Nothing of a message is ever executed.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from paribus.execution.encoding import Array, Encoded
from paribus.execution.shared_memory import mapped

ALIGNMENT: Final = 64
MAX_FILES: Final = 200
"""Open files that go with one send; systems allow 253. More go ahead, with empty headers."""
_PREFIX: Final = 16


@final
class Channel:
    """One end of a connection. Several threads may send; one receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = Lock()

    def send(self, message: Encoded, opened: Callable[[str, Array], int] | None = None) -> None:
        """Send a message; `opened` gives an open file for a shared array. Raises OSError where nobody receives."""
        arrays = [np.asarray(array, order="C") for array in message.arrays]
        header = {
            "values": message.values,
            "arrays": [_described(array) for array in arrays],
            "shared": [[name, *_described(array)] for name, array in message.shared.items()],
        }
        text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
        with self._lock:
            files = self._send_files_ahead(message, opened)
            self._send_prefix(len(text), sum(_padded(array.nbytes) for array in arrays), files)
            self._socket.sendall(text)
            for array in arrays:
                if array.size:
                    self._socket.sendall(array.reshape(-1).data.cast("B"))
                    self._socket.sendall(bytes(_padded(array.nbytes) - array.nbytes))

    def receive(self) -> Encoded:
        """Wait for a message. Raises EOFError at the connection's end, ValueError where the bytes are not a message.

        Arrays are views of one buffer, and may be written to; shared arrays may not.
        """
        files: list[int] = []
        while True:
            header_length, arrays_length = self._receive_prefix(files)
            if header_length:
                break
        header = json.loads(bytes(self._receive(header_length)))
        shared = {
            name: mapped(file, dtype, tuple(shape))
            for file, (name, dtype, shape) in zip(files, header["shared"], strict=True)
        }
        return Encoded(header["values"], tuple(_cut(self._receive(arrays_length), header["arrays"])), shared)

    def end(self) -> None:
        """End the connection: the other end receives no more, and threads that send or wait at this end fail."""
        with suppress(OSError):  # it has ended already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Release the socket, which no thread may use any more."""
        self._socket.close()

    def _send_files_ahead(self, message: Encoded, opened: Callable[[str, Array], int] | None) -> list[int]:
        """Send all open files but the last few, which are returned: they go with the message itself."""
        files: list[int] = []
        try:
            for name, array in message.shared.items():
                if opened is None:
                    raise TypeError("shared arrays go from the parent to its workers only")
                if len(files) == MAX_FILES:
                    self._send_prefix(0, 0, files)
                files.append(opened(name, array))
        except BaseException:
            self._close(files)
            raise
        return files

    def _send_prefix(self, header: int, arrays: int, files: list[int]) -> None:
        prefix = header.to_bytes(8, "little") + arrays.to_bytes(8, "little")
        try:
            sent = socket.send_fds(self._socket, [prefix], files) if files else self._socket.send(prefix)
        finally:
            self._close(files)
        self._socket.sendall(prefix[sent:])

    @staticmethod
    def _close(files: list[int]) -> None:
        while files:
            os.close(files.pop())

    def _receive_prefix(self, files: list[int]) -> tuple[int, int]:
        prefix = b""
        while len(prefix) < _PREFIX:
            part, found, _, _ = socket.recv_fds(self._socket, _PREFIX - len(prefix), MAX_FILES)
            files += found
            if not part:
                raise EOFError("the connection has ended")
            prefix += part
        return int.from_bytes(prefix[:8], "little"), int.from_bytes(prefix[8:], "little")

    def _receive(self, length: int) -> npt.NDArray[np.uint8]:
        """The next bytes, in memory that begins at a multiple of `ALIGNMENT`."""
        memory = np.empty(length + ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % ALIGNMENT
        wanted = memory[start : start + length]
        left = wanted.data
        while left:
            count = self._socket.recv_into(left)
            if not count:
                raise EOFError("the connection has ended")
            left = left[count:]
        return wanted


def _described(array: Array) -> list[Any]:
    return [array.dtype.str, list(array.shape)]


def _padded(length: int) -> int:
    return -(-length // ALIGNMENT) * ALIGNMENT


def _cut(memory: npt.NDArray[np.uint8], described: list[list[Any]]) -> list[Array]:
    """The arrays that lie one after the other in `memory`."""
    found: list[Array] = []
    start = 0
    for dtype, shape in described:
        length = int(np.dtype(dtype).itemsize * np.prod(shape, dtype=np.int64))
        found.append(memory[start : start + length].view(dtype).reshape(shape))
        start += _padded(length)
    return found
