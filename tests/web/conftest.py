"""A workspace of two studies whose texts hold mark-up, and a viewer that shows it."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from paribus.spec.dataset import Dataset
from paribus.spec.identity import RunSpec, study_id
from paribus.spec.study import Study, parse
from paribus.store.records import Measurement, NewRun, Outcome, Selected
from paribus.store.workspace import Workspace
from paribus.web.library import Library
from paribus.web.server import Viewer

SCRIPT = "</script><script>alert(1)</script>"
DATASET = Dataset(
    source="fashion-mnist",
    features=784,
    shape=(28, 28),
    classes=tuple("0123456789"),
    train=8_000,
    validation=2_000,
    test=60_000,
    held_out_of=10_000,
)
TEXT = """
format = 1
name = "{name}"
title = '{title}'
question = '{title}'
replicates = 2
[data]
source = "fashion-mnist"
split = "scarce"
[network]
hidden = [8]
[optimizer]
kind = "sgd"
lr = 0.1
[training]
epochs = {epochs}
batch_size = 128
[selection]
rules = ["last", "max-val-accuracy"]
[[arms]]
name = '{title}'
note = '{title}'
[[arms]]
name = '=1+1 <b>'
optimizer = {{ lr = 0.01 }}
[[claims]]
statement = '{title}'
metric = "val_accuracy"
better = {{ arm = '{title}' }}
than = {{ arm = '=1+1 <b>' }}
by = 0.001
"""


def study(name: str, epochs: int = 3) -> Study:
    return parse(TEXT.format(name=name, title=SCRIPT, epochs=epochs), place="a test study")


def members(of: Study) -> dict[tuple[str, int], NewRun]:
    """The runs of a study as a runner plans them."""
    found: dict[tuple[str, int], NewRun] = {}
    for arm, replicate in of.members():
        spec = RunSpec(arm.recipe, DATASET, of.streams(arm, replicate), "0" * 64)
        found[arm.name, replicate] = NewRun(
            run_id=spec.id,
            identity=spec.text,
            recipe=arm.recipe.model_dump(mode="json"),
            dataset=DATASET.to_json(),
        )
    return found


def id_of(of: Study) -> str:
    return study_id(of, [run.run_id for run in members(of).values()])


def registered(workspace: Workspace, of: Study) -> list[str]:
    """Register a study as a runner would; its runs."""
    runs = members(of)
    workspace.register_study(id_of(of), of.name, of.document, runs)
    return [run.run_id for run in runs.values()]


def outcome(run: str, place: int) -> Outcome:
    accuracy = np.array([0.7, 0.8, 0.75]) + place / 100
    return Outcome(
        run_id=run,
        state="done",
        epochs_done=3,
        curves={
            "train_loss": np.array([1.0, 0.5, 0.25]),
            "val_loss": np.array([0.9, 0.6, 0.7]),
            "val_accuracy": accuracy,
            "lr": np.full(3, 1e-3),
        },
        selections=[Selected("last", 3, None, None), Selected("max-val-accuracy", 2, float(accuracy[1]), None)],
        snapshots=[],
        measurements=[Measurement("", "parameters", 6370), Measurement("", "weights", 6352)],
        artifacts=[],
        test_reads=[],
        started_at="2025-03-01T09:00:00+00:00",
        environment={SCRIPT: SCRIPT},
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace: the study `done` has ended, `open` has only been registered."""
    path = tmp_path_factory.mktemp("viewed") / "workspace"
    with Workspace.open(path, create=True, write=True) as workspace:
        workspace.finish([outcome(run, place) for place, run in enumerate(registered(workspace, study("done")))])
        registered(workspace, study("open", epochs=9))
    return path


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


@dataclass(frozen=True)
class Client:
    """Sends requests to a viewer that listens on `port`."""

    port: int

    def get(self, target: str, method: str = "GET", **headers: str) -> Answer:
        """One request; `headers` are the viewer's own Host, and more with underscores for hyphens."""
        given = {"Host": f"127.0.0.1:{self.port}", **{name.replace("_", "-"): v for name, v in headers.items()}}
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
        return self.raw("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def report(self, name: str) -> Answer:
        """The page of a study, once it is made."""
        while (answer := self.get(f"/study/{name}")).status == 202:
            time.sleep(0.05)
        return answer

    def events(self, target: str) -> Iterator[tuple[str, Any]]:
        """The events of a stream as (kind, data), until it ends."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
            kind = ""
            while line := response.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    yield kind, json.loads(value)

    def raw(self, request: bytes) -> Answer:
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection, method="HEAD" if request.startswith(b"HEAD") else "GET")
            response.begin()
            return Answer(response.status, response.headers, response.read())


Serve = Callable[..., Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts viewers, and stops them after the test."""
    running: list[tuple[Viewer, Thread]] = []

    def start(path: Path, *studies: str) -> Client:
        viewer = Viewer(Library(path, studies))
        thread = Thread(target=viewer.serve_forever)
        thread.start()
        running.append((viewer, thread))
        return Client(viewer.port)

    yield start
    for viewer, thread in running:
        viewer.shutdown()
        thread.join()
        viewer.close()


@pytest.fixture
def client(serve: Serve, folder: Path) -> Client:
    return serve(folder)


@pytest.fixture(scope="session")
def identity() -> str:
    """The identity of the study that has ended."""
    return id_of(study("done"))
