"""Server-sent events: what is new since the last look, about once a second, for as long as a page listens.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool

from paribus.errors import UserError
from paribus.web.watch import News

LOOK_S = 1.0
CURVES_S = 2.0
"""Seconds between two sets of curves, which browsers draw anew."""
ALIVE_S = 5.0
"""A page that hears nothing for some of these intervals takes the viewer for gone."""
RETRY_MS = 2_000


async def stream(look: Callable[[], News], ending: Callable[[], bool]) -> AsyncIterator[str]:
    """Events named by the kind of news, each sent when it differs from the last of its kind.

    `look` gives the news; it reads files, so it has a thread. The stream ends when `ending` says so. A workspace that
    cannot be read is an event `problem`.
    """
    yield f"retry: {RETRY_MS}\n\n"
    sent: dict[str, str] = {}
    sent_at: dict[str, float] = {}
    while not ending():
        try:
            news = await run_in_threadpool(look)
        except UserError as error:
            news = {"problem": {"line": str(error)}}
        now = time.monotonic()
        texts = {kind: json.dumps(content, allow_nan=False) for kind, content in news.items()}
        for kind, text in texts.items():
            rests = kind == "curves" and now - sent_at.get(kind, -CURVES_S) < CURVES_S
            if sent.get(kind) != text and not rests:
                sent[kind], sent_at[kind] = text, now
                yield _event(kind, text)
        if "problem" not in news and sent.pop("problem", None) is not None:
            yield _event("problem", json.dumps({"line": ""}))
        if now - max(sent_at.values(), default=now) >= ALIVE_S:
            sent_at["alive"] = now
            yield _event("alive", "{}")
        await asyncio.sleep(LOOK_S)


def _event(kind: str, data: str) -> str:
    return f"event: {kind}\ndata: {data}\n\n"
