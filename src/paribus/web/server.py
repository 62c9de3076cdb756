"""The viewer: a server on this machine's loopback address that shows a workspace and changes nothing."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType, TracebackType
from typing import Self, final

import uvicorn

from paribus.errors import Shown, UserError
from paribus.web.app import application
from paribus.web.gate import MAX_CONNECTIONS, Gate
from paribus.web.guard import HEADERS, LOOPBACK, check_address
from paribus.web.library import Library

MAX_ENDING_S = 2
"""Seconds that requests under way have to end when the viewer ends."""


@final
class Viewer:
    """Serves `library` at `http://127.0.0.1:port/`; port 0 takes a free one. It listens from the start.

    Raises UserError for an address that is not a loopback one, and for a port that is not available.
    """

    def __init__(self, library: Library, port: int = 0, host: str = LOOPBACK) -> None:
        check_address(host)
        self._library = library
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
            self._socket.listen(MAX_CONNECTIONS)
        except OSError as error:
            self._socket.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
                raise
            raise UserError(
                "must be a port that is free and open to you",
                given=Shown(f"{port}: {error.strerror}"),
                place="--port",
                remedy="choose another, or leave it out",
            ) from None
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(library, lambda: self._server.should_exit),
                http=Gate,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                headers=list(HEADERS.items()),
                backlog=MAX_CONNECTIONS,
                timeout_graceful_shutdown=MAX_ENDING_S,
            )
        )

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/"

    def serve_forever(self) -> None:
        """Serve until `shutdown`, or until a signal: that is raised again once all connections have ended."""
        with self._until_hangup():
            self._server.run(sockets=[self._socket])

    @contextmanager
    def _until_hangup(self) -> Generator[None]:
        """SIGHUP (a closed terminal) ends the server as SIGINT and SIGTERM do, which Uvicorn handles itself."""
        number = getattr(signal, "SIGHUP", None)
        before = signal.getsignal(number) if number is not None else signal.SIG_IGN
        if number is None or before is signal.SIG_IGN or current_thread() is not main_thread():
            yield
            return
        received: list[int] = []

        def end(number: int, _frame: FrameType | None) -> None:
            received.append(number)
            self.shutdown()

        signal.signal(number, end)
        try:
            yield
        finally:
            signal.signal(number, before)
        if received:
            signal.raise_signal(number)

    def shutdown(self) -> None:
        """End `serve_forever`, which runs in another thread."""
        self._server.should_exit = True

    def close(self) -> None:
        """Listen no more, and make no more pages."""
        self._socket.close()
        self._library.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()
