"""Python processes of ours that run a user's code: connected by a socket, with one thread each.

Whatever ends this process ends the connection, and with it the child. Signals of a terminal reach this process only.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import IO, Final

from paribus.child_python import python_path

_LIBRARIES = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")
ONE_THREAD: Final = {f"{name}_NUM_THREADS": "1" for name in _LIBRARIES} | {"VECLIB_MAXIMUM_THREADS": "1"}
"""What libraries read when they are loaded: one thread for each child."""


def started(entry: str, errors: IO[bytes] | int) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A process that runs `python -m ENTRY DESCRIPTOR`, and this end of its connection.

    The descriptor is the child's end. `errors` takes what it writes to standard error. Raises OSError where no process
    can be started.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-m", entry, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": python_path()},
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
    return process, ours


def signal_name(number: int) -> str:
    """The name of a signal, such as SIGKILL."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def last_words(errors: IO[bytes]) -> str:
    """The last line that a process has written to `errors`; empty where it has written nothing."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 1000))
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
