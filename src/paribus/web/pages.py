"""Pages of studies, made one after the other in a thread of their own, so that no request waits for one.

Making a page takes seconds. A browser that asks for one before gets the last one made, or a page that says that the
report is being made, and is told when there is a newer one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from typing import final

from paribus.errors import UserError
from paribus.report.page import Page

MAX_PAGES = 8
"""Pages kept in memory."""
REST = 5.0
"""While a study trains, its page is made again at the earliest after this many times the seconds that it took: the
processor is for training."""


@dataclass(frozen=True, eq=False)
class MadePage:
    """A page, the version of the study that it shows, and its HTML. `problem` says why there is none."""

    version: str
    page: Page | None
    content: bytes
    problem: str = ""


Make = Callable[[str], MadePage]
"""Makes the page of the study with this identity. May raise UserError."""


@final
class Pages:
    """The latest page of each study, made in the order of the requests. The thread begins with the first.

    `nice` is added to the niceness of the thread (on Linux; elsewhere, where there is niceness, of the process).
    """

    def __init__(self, make: Make, nice: int = 0) -> None:
        self._make = make
        self._nice = nice
        self._made: dict[str, MadePage] = {}
        self._wanted: dict[str, str] = {}
        self._due: dict[str, float] = {}
        self._rests_until: dict[str, float] = {}
        self._changed = Condition()
        self._thread: Thread | None = None
        self._closed = False

    def close(self) -> None:
        """Make no more pages. The thread ends with the page that it is making; nobody waits for it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def latest(self, study_id: str) -> MadePage | None:
        """The last page made of a study, whatever version it shows."""
        with self._changed:
            return self._made.get(study_id)

    def ask(self, study_id: str, version: str, *, training: bool) -> None:
        """Have a page of this version made, unless the last one shows it. In training, not too often."""
        with self._changed:
            made = self._made.get(study_id)
            if made is not None and made.version == version:
                return
            self._wanted[study_id] = version
            rests = made is not None and training
            self._due[study_id] = self._rests_until.get(study_id, 0.0) if rests else 0.0
            if self._thread is None:
                self._thread = Thread(target=self._work, name="paribus pages", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, study_id: str, timeout_s: float) -> MadePage | None:
        """The last page made of a study that was asked for, as soon as there is one; None after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: study_id in self._made, timeout_s)
            return self._made.get(study_id)

    def _work(self) -> None:
        if self._nice and hasattr(os, "nice"):
            os.nice(self._nice)
        while (study_id := self._next()) is not None:
            began = time.monotonic()
            try:
                made = self._make(study_id)
            except UserError as error:
                made = MadePage("", None, b"", str(error))
            now = time.monotonic()
            with self._changed:
                self._rests_until[study_id] = now + REST * (now - began)
                self._made.pop(study_id, None)
                self._made[study_id] = made  # the latest comes last
                if self._wanted.get(study_id) == made.version:  # it was asked for again while it was made
                    self._due.pop(study_id, None)
                while len(self._made) > MAX_PAGES:
                    del self._made[next(iter(self._made))]
                self._changed.notify_all()

    def _next(self) -> str | None:
        """The study whose page is to be made now; waits until there is one. None when there will be none."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                ready = [study_id for study_id, due in self._due.items() if due <= now]
                if ready:
                    del self._due[ready[0]]
                    return ready[0]
                self._changed.wait(min(self._due.values()) - now if self._due else None)
            return None
