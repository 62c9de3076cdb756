from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

Paribus = Callable[..., Any]


@contextmanager
def viewing(folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A viewer in a process of its own, and the address that it printed."""
    command = [sys.executable, "-m", "paribus", "view", *more]
    environment = {**os.environ, "PARIBUS_WORKSPACE": str(folder)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def get(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", parts.path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted(recorded: Path, number: signal.Signals) -> None:
    with viewing(recorded) as (process, line):
        assert urlsplit(line).hostname == "127.0.0.1"
        status, page = get(line.strip())
        assert status == 200
        assert "mini" in page
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert err.splitlines() == [
        "paribus: open this address in a browser on this machine; Ctrl-C ends the viewer",
        "paribus: the viewer has ended",
    ]


def test_of_one_study_the_address_is_its_page(recorded: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = other.getsockname()[1]
    with viewing(recorded, "mini", "--port", str(free)) as (_, line):
        assert line.startswith(f"http://127.0.0.1:{free}/study/")
        status, page = get(line.strip())
    assert status == 200
    assert "max-val-accuracy" in page


@pytest.mark.parametrize("port", ["-1", "65536", "http", "", "8080.0", "٣", "0x50"])
def test_a_port_is_a_port(paribus: Paribus, recorded: Path, port: str) -> None:
    result = paribus("view", f"--port={port}", "--workspace", recorded)
    assert (result.code, result.out) == (2, "")
    assert len(result.lines) == 1


def test_a_port_that_is_taken_is_a_mistake(paribus: Paribus, recorded: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = paribus("view", "--port", other.getsockname()[1], "--workspace", recorded)
    assert (result.code, result.out) == (2, "")
    assert result.lines == [line for line in result.lines if "--port: must be a port that is free" in line]


def test_what_is_not_there_cannot_be_viewed(paribus: Paribus, recorded: Path, tmp_path: Path) -> None:
    assert paribus("view", "--workspace", tmp_path / "none").code == 2
    result = paribus("view", "mimi", "--workspace", recorded)
    assert result.code == 2
    assert "did you mean mini?" in result.err
