"""Checks on every request to the viewer, before anything is looked up.

A page of another site can make a browser on this machine send requests to the viewer. So the `Host` header must name
the viewer itself, which a site whose name resolves to this machine cannot do (DNS rebinding), and a request that the
browser says is from another origin is refused (Fetch Metadata, W3C; `Origin`, RFC 6454).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus

from paribus.errors import UserError

LOOPBACK = "127.0.0.1"
METHODS = ("GET", "HEAD")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "paribus",
    "Connection": "close",
}
"""Headers of every response, refusals included. A connection carries one request."""
NO_CONTENT_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of every response that is not a page."""


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused."""

    status: HTTPStatus
    reason: str


def check_address(host: str) -> None:
    """Raise UserError for an address that other machines can reach."""
    try:
        loopback = ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise UserError(
            "must be a loopback address, as the viewer has no passwords",
            given=host,
            place="the viewer's address",
            remedy=f"leave it at {LOOPBACK}; use `ssh -L` to reach it from another machine",
        )


def refusal(method: str, headers: Message, host: str, port: int) -> Refusal | None:
    """Why a request to the viewer at `host` and `port` is refused, or None if it is allowed."""
    names = {f"{name}:{port}" for name in (host, "localhost")}
    if port == 80:
        names |= {host, "localhost"}
    hosts = [value.strip().lower() for value in headers.get_all("Host", [])]
    if len(hosts) != 1 or hosts[0] not in names:
        return Refusal(HTTPStatus.FORBIDDEN, "the Host header names another server")
    origins = [value.strip().lower() for value in headers.get_all("Origin", [])]
    if any(origin not in {f"http://{name}" for name in names} for origin in origins):
        return Refusal(HTTPStatus.FORBIDDEN, "the request is from another origin")
    sites = [value.strip().lower() for value in headers.get_all("Sec-Fetch-Site", [])]
    if any(site not in ("same-origin", "none") for site in sites):
        return Refusal(HTTPStatus.FORBIDDEN, "the request is from another site")
    if method not in METHODS:
        return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "the viewer is read-only")
    return None
