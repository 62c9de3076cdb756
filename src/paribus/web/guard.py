"""Who may ask the viewer, and how: every request passes here before anything is looked up.

A page of another site can make a browser on this machine send requests to the viewer. So the `Host` header must name
the viewer itself (a site whose name was made to resolve to this machine gives itself away there), and a browser that
says that another origin is asking is refused (Fetch Metadata, W3C; `Origin`, RFC 6454).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus

from paribus.errors import UserError

LOOPBACK = "127.0.0.1"
METHODS = ("GET", "HEAD")
HEAD_BYTES = 16_384
"""The request line and all headers together."""
HEAD_S = 10.0
"""Until all of them are there, however many pieces they come in."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""What every answer says, refusals too."""
CLOSED_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of whatever is no page."""


@dataclass(frozen=True)
class Refusal:
    """Why a request gets no answer."""

    status: HTTPStatus
    reason: str


def check_address(host: str) -> None:
    """Raise UserError for an address at which others could reach the viewer."""
    try:
        loopback = ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise UserError(
            "must be a loopback address, as the viewer asks nobody for a password",
            given=host,
            place="the viewer's address",
            remedy=f"leave it at {LOOPBACK}, and reach it from elsewhere through `ssh -L`",
        )


def refusal(method: str, headers: Message, host: str, port: int) -> Refusal | None:
    """What is wrong with a request to the viewer at `host` and `port`, or None."""
    names = {f"{name}:{port}" for name in (host, "localhost")}
    if port == 80:
        names |= {host, "localhost"}
    hosts = [value.strip().lower() for value in headers.get_all("Host", [])]
    if len(hosts) != 1 or hosts[0] not in names:
        return Refusal(HTTPStatus.FORBIDDEN, "the Host header names another server")
    origins = [value.strip().lower() for value in headers.get_all("Origin", [])]
    if any(origin not in {f"http://{name}" for name in names} for origin in origins):
        return Refusal(HTTPStatus.FORBIDDEN, "another origin asks")
    sites = [value.strip().lower() for value in headers.get_all("Sec-Fetch-Site", [])]
    if any(site not in ("same-origin", "none") for site in sites):
        return Refusal(HTTPStatus.FORBIDDEN, "another site asks")
    if method not in METHODS:
        return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "the viewer only shows")
    return None
