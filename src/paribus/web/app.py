"""What the viewer answers: its routes, and the headers of its responses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from paribus.errors import UserError, printable
from paribus.web.events import stream
from paribus.web.gate import refusal_line
from paribus.web.guard import NO_CONTENT_POLICY
from paribus.web.library import Document, Library, index_news
from paribus.web.watch import News

_LOG = logging.getLogger("paribus.web")
_EVENTS = "text/event-stream; charset=utf-8"


def application(library: Library, ending: Callable[[], bool]) -> Starlette:
    """The viewer as an ASGI application. Streams of events end when `ending` says so.

    It relies on `gate` for all checks on requests, and on the server for the headers of `guard`.
    """

    async def index(_request: Request) -> Response:
        return _response(await run_in_threadpool(library.index))

    async def page(request: Request) -> Response:
        return _response(await run_in_threadpool(library.page, request.path_params["study"]))

    async def table(request: Request) -> Response:
        found = await run_in_threadpool(library.table, request.path_params["study"], request.path_params.get("table"))
        return _response(found)

    async def rows(request: Request) -> Response:
        return _response(await run_in_threadpool(library.rows, request.path_params["study"]))

    async def index_events(request: Request) -> Response:
        return _events(request, lambda: index_news(library.listed()), ending)

    async def events(request: Request) -> Response:
        watch = await run_in_threadpool(library.watch, request.path_params["study"])
        if watch is None:
            return _response(None)
        return _events(request, lambda: library.look(watch)[1], ending)

    routes = [
        Route("/", index),
        Route("/events", index_events),
        Route("/study/{study}", page),
        Route("/study/{study}/events", events),
        Route("/study/{study}/tables/{table}", table),
        Route("/table/{study}.csv", table),
        Route("/table/{study}.json", rows),
    ]
    handlers = {UserError: _damaged, HTTPException: _refused, Exception: _defect}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


def _response(found: Document | None) -> Response:
    if found is None:
        return _line(HTTPStatus.NOT_FOUND)
    headers = {"Content-Security-Policy": found.policy, "Content-Type": found.kind}
    return Response(found.content, found.status, headers)


def _events(request: Request, look: Callable[[], News], ending: Callable[[], bool]) -> Response:
    headers = {"Content-Security-Policy": NO_CONTENT_POLICY, "Content-Type": _EVENTS}
    if request.method == "HEAD":
        return Response(b"", headers=headers)
    return StreamingResponse(stream(look, ending), headers=headers)


def _line(status: HTTPStatus, reason: str = "") -> Response:
    headers = {"Content-Security-Policy": NO_CONTENT_POLICY, "Content-Type": "text/plain; charset=utf-8"}
    return Response(refusal_line(status, reason).encode(), status, headers)


async def _refused(_request: Request, error: Exception) -> Response:
    return _line(HTTPStatus(error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND))


async def _damaged(_request: Request, error: Exception) -> Response:
    return _line(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def _defect(_request: Request, error: Exception) -> Response:
    """One line in the log; the viewer goes on."""
    _LOG.error("%s", printable(f"viewer: {type(error).__name__}: {error}; this is a defect of paribus"))
    return _line(HTTPStatus.INTERNAL_SERVER_ERROR)
