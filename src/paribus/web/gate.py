"""What every connection passes before anything is parsed or looked up: limits on its number, its time and its bytes.

A request's head must arrive whole, in time and within a size. It is checked by `guard` before the rest of the program
sees it. A connection carries one request: what follows the head is not read.
"""

from __future__ import annotations

import asyncio
import re
from email.message import Message
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from paribus.web.guard import HEADERS, METHODS, NO_CONTENT_POLICY, Refusal, refusal

MAX_CONNECTIONS = 32
"""Connections at a time; a further one is closed at once."""
MAX_HEAD_BYTES = 16_384
"""The request line and all headers together."""
MAX_HEADERS = 100
MAX_HEAD_S = 10.0
"""Seconds until all of them have arrived, in any number of pieces."""
LINGER_S = 1.0
"""Seconds for which a refused client may read the refusal before the connection ends."""

_REQUEST_LINE = re.compile(r"(?P<method>[A-Za-z]+) (?P<target>[^ ]+) HTTP/1\.[01]")
_TARGET = re.compile(r"/[A-Za-z0-9._/-]*")
"""All that a target of the viewer can be: nothing in it is ever decoded."""
_HEADER = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):(?P<value>[^\x00]*)")
_SAID = (HTTPStatus.FORBIDDEN, HTTPStatus.INTERNAL_SERVER_ERROR)
"""Refusals that say why."""


class Gate(H11Protocol):
    """One connection: Uvicorn's protocol behind the checks."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._head = bytearray()
        self._closed = False
        self._end: asyncio.TimerHandle | None = None
        if len(self.connections) > MAX_CONNECTIONS:
            self._closed = True
            transport.close()
        else:
            self._end = self.loop.call_later(MAX_HEAD_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Collect the head; pass it on once it is whole and allowed."""
        if self._closed:
            return
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if max(end, len(self._head) if end < 0 else 0) > MAX_HEAD_BYTES:
            self._refuse(Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, ""))
        elif end >= 0:
            head = bytes(self._head[: end + 4])
            host, port = self.server or ("", None)
            found = _refusal(head.decode("latin-1").removesuffix("\r\n\r\n"), host, port or 0)
            if found is not None:
                self._refuse(found)
                return
            self._closed = True
            if self._end is not None:
                self._end.cancel()
            super().data_received(head)

    @property
    def _is_head(self) -> bool:
        return self._head.startswith(b"HEAD ")

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the base class's signature
        """Refuse what the parser cannot read after all."""
        self._refuse(Refusal(HTTPStatus.BAD_REQUEST, ""))

    def _refuse(self, refused: Refusal) -> None:
        self._closed = True
        if self._end is not None:
            self._end.cancel()
        response = _response(refused)
        self.transport.write(response.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if self._is_head else response)
        if self.transport.can_write_eof():
            self.transport.write_eof()  # closing with bytes unread could discard the response on its way
        self._end = self.loop.call_later(LINGER_S, self.transport.close)


def refusal_line(status: HTTPStatus, reason: str = "") -> str:
    """One line of plain text, which repeats nothing of the request: `404 Not Found`."""
    return f"{status.value} {status.phrase}{f': {reason}' if reason and status in _SAID else ''}\n"


def _refusal(head: str, host: str, port: int) -> Refusal | None:
    """Why a request with this head is refused, or None."""
    first, *lines = head.split("\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        return Refusal(HTTPStatus.BAD_REQUEST, "")
    if len(lines) > MAX_HEADERS:
        return Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "")
    headers = Message()
    for text in lines:
        header = _HEADER.fullmatch(text)
        if header is None:
            return Refusal(HTTPStatus.BAD_REQUEST, "")
        headers[header["name"]] = header["value"].strip()
    found = refusal(line["method"], headers, host, port)
    if found is None and not _TARGET.fullmatch(line["target"]):
        return Refusal(HTTPStatus.NOT_FOUND, "")
    return found


def _response(refused: Refusal) -> bytes:
    body = refusal_line(refused.status, refused.reason).encode()
    headers: dict[str, Any] = {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": len(body),
        "Content-Security-Policy": NO_CONTENT_POLICY,
        **HEADERS,
    }
    if refused.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(METHODS)
    lines = [f"HTTP/1.1 {refused.status.value} {refused.status.phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
