"""The viewer: a small HTTP server on this machine's loopback address that shows a workspace and changes nothing."""

from __future__ import annotations

import errno
import io
import logging
import socket
import socketserver
import sys
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore
from typing import Any, cast, final

from paribus.errors import Shown, UserError, printable
from paribus.web.guard import HEADERS, LOOPBACK, MAX_HEAD_BYTES, MAX_HEAD_S, METHODS, check_address, refusal
from paribus.web.library import Document, Library

MAX_SEND_S = 60.0
MAX_CONNECTIONS = 32
"""Connections at a time; a further one is closed at once."""

_LOG = logging.getLogger("paribus.web")


@final
class Viewer(ThreadingHTTPServer):
    """Serves `library` at `http://127.0.0.1:port/`; port 0 takes a free one. Each request has its own thread.

    Raises UserError for an address that is not a loopback one, and for a port that is not available.
    """

    request_queue_size = MAX_CONNECTIONS

    def __init__(self, library: Library, port: int = 0, host: str = LOOPBACK) -> None:
        check_address(host)
        self.library = library
        self.host = host
        self._free = BoundedSemaphore(MAX_CONNECTIONS)
        try:
            super().__init__((host, port), _Request)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
                raise
            raise UserError(
                "must be a port that is free and open to you",
                given=Shown(f"{port}: {error.strerror}"),
                place="--port",
                remedy="choose another, or leave it out",
            ) from None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.server_port}/"

    def server_bind(self) -> None:
        """Bind without looking up this machine's name in the name service, as `HTTPServer` does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.host, self.socket.getsockname()[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's signature
        """Log one line for a defect; a browser that closes the connection early is none."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            _LOG.error("%s", printable(f"viewer: {type(error).__name__}: {error}; this is a defect of paribus"))


class _Head(io.RawIOBase):
    """The bytes of a request's head, limited in number and in the time in which they may arrive."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + MAX_HEAD_S
        self._left = MAX_HEAD_BYTES

    @property
    def full(self) -> bool:
        return self._left == 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read at most the bytes that are left of the limit; raise TimeoutError after the deadline."""
        wait = self._deadline - time.monotonic()
        if wait <= 0:
            raise TimeoutError("the request took too long")
        if self.full:
            return 0
        self._connection.settimeout(wait)
        received = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= received
        return received


class _Request(BaseHTTPRequestHandler):
    """One request and its response; then the connection ends."""

    default_request_version = "HTTP/1.0"  # so that a request without a version gets a response with headers

    @property
    def _viewer(self) -> Viewer:
        return cast("Viewer", self.server)

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._head = _Head(self.connection)
        self.rfile = io.BufferedReader(self._head)

    def parse_request(self) -> bool:
        """Whether the request is allowed; if not, it has been refused."""
        if not super().parse_request():
            return False
        self.connection.settimeout(MAX_SEND_S)
        if self._head.full:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return False
        if len(self.requestline.split(" ")) != 3:  # the base class accepts any white space
            self.send_error(HTTPStatus.BAD_REQUEST)
            return False
        refused = refusal(self.command, self.headers, self._viewer.host, self._viewer.server_port)
        if refused is not None:
            self.send_error(refused.status, refused.reason)
        return refused is None

    def do_GET(self) -> None:
        """Look the target up and send the response."""
        try:
            found = self._viewer.library.find(self.requestline.split(" ")[1])
        except UserError as error:
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
            return
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self._send(HTTPStatus.OK, found)

    do_HEAD = do_GET  # noqa: N815 - `_send` leaves the content out

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Send one line of plain text, which repeats nothing of the request."""
        status = HTTPStatus(code)
        reason = message if message and status in (HTTPStatus.FORBIDDEN, HTTPStatus.INTERNAL_SERVER_ERROR) else ""
        line = f"{status.value} {status.phrase}{': ' if reason else ''}{reason}\n"
        self._send(status, Document("text/plain; charset=utf-8", line.encode()))

    def _send(self, status: HTTPStatus, document: Document) -> None:
        self.send_response(status)
        self.send_header("Content-Type", document.kind)
        self.send_header("Content-Length", str(len(document.content)))
        self.send_header("Content-Security-Policy", document.policy)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", ", ".join(METHODS))
        if document.refresh_s is not None:
            self.send_header("Refresh", str(document.refresh_s))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(document.content)

    def version_string(self) -> str:
        return "paribus"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's signature
        """Log no requests."""
