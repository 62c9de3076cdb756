"""A worker that waits for a reply goes on when it comes, and ends when the parent has gone."""

from __future__ import annotations

from threading import Thread

import pytest

from paribus.execution.link import Link, ParentGoneError
from paribus.execution.messages import Acknowledgement, Stop


def waiting(link, number):
    """A thread that waits for a reply, and a list that gets what came of it."""
    found = []

    def wait():
        try:
            found.append(link.wait(number))
        except ParentGoneError as error:
            found.append(error)

    thread = Thread(target=wait, daemon=True)
    thread.start()
    while not link.waiting:
        pass
    return thread, found


def test_a_reply_ends_the_waiting():
    link = Link(lambda _: None)
    number = link.new_id()
    thread, found = waiting(link, number)
    link.receive(Stop())  # which asks for an end in order, and so for replies to come
    link.receive(Acknowledgement(number))
    thread.join(10)
    assert found == [None]
    assert not link.waiting


def test_a_parent_that_has_gone_lets_nobody_wait():
    link = Link(lambda _: None)
    number = link.new_id()
    thread, found = waiting(link, number)
    link.close()
    thread.join(10)
    assert [type(one) for one in found] == [ParentGoneError]
    assert link.stopping
    link.receive(Acknowledgement(number))  # too late
    with pytest.raises(ParentGoneError):
        link.wait(link.new_id())
