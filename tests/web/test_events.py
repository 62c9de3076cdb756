from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from paribus.errors import UserError
from paribus.store.workspace import Workspace
from paribus.web import events, pages
from paribus.web.studies import study_state
from tests.web.conftest import Serve, id_of, outcome, registered, study


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_S", 0.0)
    monkeypatch.setattr(events, "CURVES_S", 0.0)
    monkeypatch.setattr(pages, "REST", 0.0)


def told(looks: Sequence[Any]) -> list[tuple[str, Any]]:
    """What a page is told where these looks come one after the other."""
    left = list(looks)

    def look() -> Any:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def collected() -> list[str]:
        return [text async for text in events.stream(look, lambda: not left)]

    first, *rest = asyncio.run(collected())
    assert first == f"retry: {events.RETRY_MS}\n\n"
    lines = [text.removesuffix("\n\n").split("\n") for text in rest]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in lines]


def test_only_what_is_new_is_told() -> None:
    looks = [{"progress": 1, "page": "a"}, {"progress": 1, "page": "a"}, {"progress": 2, "page": "a"}]
    assert told(looks) == [("progress", 1), ("page", "a"), ("progress", 2)]


def test_curves_are_told_less_often_and_the_last_ones_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "CURVES_S", 3600.0)
    assert told([{"curves": place} for place in range(5)]) == [("curves", 0)]


def test_a_page_that_hears_nothing_new_is_told_that_the_viewer_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ALIVE_S", 0.0)
    assert told([{"progress": 1}] * 3) == [("progress", 1), ("alive", {}), ("alive", {}), ("alive", {})]


def test_a_workspace_that_cannot_be_read_is_a_problem_until_it_can() -> None:
    error = UserError("must be whole", given="holes", place="w", remedy="repair it")
    assert told([{"progress": 1}, error, error, {"progress": 1}]) == [
        ("progress", 1),
        ("problem", {"line": str(error)}),
        ("problem", {"line": ""}),
    ]


def test_a_line_break_in_a_text_stays_in_it() -> None:
    assert told([{"progress": "a\n\nevent: page"}]) == [("progress", "a\n\nevent: page")]


def test_a_page_hears_of_a_run_that_has_ended(serve: Serve, tmp_path: Path) -> None:
    going = study("going")
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        runs = registered(workspace, going)
        workspace.write_live(
            {
                "study": id_of(going),
                "at": time.time() + 1e6,
                "runs": {runs[0]: {"epoch": 2, "metrics": {"val_loss": 1}}},
            }
        )
        client = serve(tmp_path / "w")
        lines, charts, shown = [], [], ""
        for kind, data in client.events("/study/going/events"):
            if kind == "progress":
                lines.append(data["line"])
                if len(lines) == 1:
                    workspace.finish([outcome(runs[0], 0)])
            if kind == "curves":
                charts.append(data)
            if kind == "page":  # a page that is made slowly may show the end before it is told
                shown = data["version"]
            if len(lines) > 1 and shown == study_state(workspace, workspace.study("going")).version:
                break
        index = client.events("/events")
        assert dict([next(index), next(index)])["studies"][0]["id"] == id_of(going)
    assert [line[:20] for line in lines] == ["0 of 4 runs complete", "1 of 4 runs complete"]
    assert [row["epoch"] for row in charts[0][0]["rows"]] == [2]
