from __future__ import annotations

from threading import Event
from threading import enumerate as threads

import pytest

from paribus.errors import UserError
from paribus.web import pages
from paribus.web.pages import MadePage, Pages


class Press:
    """Makes pages that are numbered by study, each when it is let."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.begun, self.goes = Event(), Event()
        self.goes.set()

    def __call__(self, study_id: str) -> MadePage:
        self.begun.set()
        self.goes.wait(60)
        self.made.append(study_id)
        return MadePage(f"v{self.made.count(study_id)}", None, study_id.encode())


def test_a_page_is_made_when_it_is_asked_for_and_not_again() -> None:
    press = Press()
    made = Pages(press)
    assert made.latest("a") is None
    made.ask("a", "v1", training=False)
    found = made.wait("a", 60)
    assert found is not None
    assert (found.version, found.content) == ("v1", b"a")
    made.ask("a", "v1", training=False)
    made.ask("b", "v1", training=False)
    assert made.wait("b", 60) is not None
    assert press.made == ["a", "b"]


def test_asking_for_what_is_being_made_makes_it_once() -> None:
    press = Press()
    made = Pages(press)
    press.goes.clear()
    for _ in range(5):
        made.ask("a", "v1", training=False)
        press.begun.wait(60)
    assert made.wait("a", 0.0) is None
    press.goes.set()
    made.wait("a", 60)
    made.ask("b", "v1", training=False)
    assert made.wait("b", 60) is not None
    assert press.made == ["a", "b"]


def test_what_changes_while_a_page_is_made_makes_it_once_more() -> None:
    press = Press()
    made = Pages(press)
    press.goes.clear()
    made.ask("a", "v1", training=False)
    press.begun.wait(60)
    made.ask("a", "v2", training=False)
    made.ask("b", "v1", training=False)
    press.goes.set()
    assert made.wait("b", 60) is not None
    assert press.made == ["a", "a", "b"]


def test_in_training_the_processor_has_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "REST", 1e9)
    press = Press()
    made = Pages(press)
    made.ask("a", "v1", training=True)
    made.wait("a", 60)
    made.ask("a", "v2", training=True)
    made.ask("b", "v1", training=True)
    made.wait("b", 60)
    assert press.made == ["a", "b"]
    made.ask("a", "v2", training=False)  # training has ended
    made.ask("c", "v1", training=True)
    made.wait("c", 60)
    assert press.made == ["a", "b", "a", "c"]


def test_a_page_that_cannot_be_made_says_why() -> None:
    def broken(study_id: str) -> MadePage:
        raise UserError("must be whole", given=study_id, place="the workspace", remedy="repair it")

    made = Pages(broken)
    made.ask("a", "v1", training=False)
    found = made.wait("a", 60)
    assert found is not None
    assert found.page is None
    assert "must be whole" in found.problem


def test_no_page_is_made_after_the_end() -> None:
    press, before = Press(), threads()
    made = Pages(press)
    made.ask("a", "v1", training=False)
    made.wait("a", 60)
    begun = [thread for thread in threads() if thread not in before]
    assert len(begun) == 1
    made.close()
    made.ask("b", "v1", training=False)
    begun[0].join(60)
    assert not begun[0].is_alive()
    assert press.made == ["a"]
