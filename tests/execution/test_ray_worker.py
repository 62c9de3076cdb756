"""The worker's end on a Ray cluster, without Ray: calls that overtake each other, and tasks that cannot be begun."""

from __future__ import annotations

from typing import Any

import pytest

from paribus.execution import ray_worker
from paribus.execution.encoding import Encoded, decode
from paribus.execution.messages import Finished
from paribus.execution.ray_worker import RayWorker


def test_what_cannot_be_begun_ends_with_its_failure() -> None:
    """Nobody looks at the answer of `begin`: an exception in it would be lost, and the parent would wait for ever."""
    worker = RayWorker({})
    worker.begin({"no": "message"}, (), ())
    ((values, arrays),) = worker.news(0.1).messages
    found: Any = decode(Encoded(values, arrays, {}))
    assert isinstance(found, Finished)
    assert found.failure is not None
    assert found.failure.kind == "error"


class _Link:
    waiting = False

    def __init__(self, _post: object) -> None:
        self.received: list[str] = []

    def receive(self, message: str) -> None:
        self.received.append(message)


class _Task:
    def __init__(self, name: str) -> None:
        self.id = name

    @property
    def runs(self) -> Any:
        spec = type("Spec", (), {"module": None, "family": "numpy"})
        return [type("Run", (), {"spec": spec})]


def test_a_message_that_overtakes_its_task_is_kept_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_worker, "Link", _Link)
    monkeypatch.setattr(ray_worker, "Worker", lambda *_: lambda: None)
    monkeypatch.setattr(ray_worker, "decode", lambda encoded: encoded.values)
    worker = RayWorker({})
    worker.begin(_Task("one"), (), ())
    first: Any = worker._link
    worker.receive("two", "stop two", (), ())
    worker.receive("one", "stop one", (), ())
    assert first.received == ["stop one"]
    worker.begin(_Task("two"), (), ())
    second: Any = worker._link
    assert (first.received, second.received) == (["stop one"], ["stop two"])
