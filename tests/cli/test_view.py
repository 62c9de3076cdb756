from __future__ import annotations

import http.client
import os
import pty
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from paribus.cli.view import has_display

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


def listen(url: str) -> socket.socket:
    """A connection on which events arrive."""
    parts = urlsplit(url)
    connection = socket.create_connection((str(parts.hostname), parts.port or 0), timeout=60)
    connection.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    assert connection.recv(15) == b"HTTP/1.1 200 OK"
    return connection


def free_port() -> int:
    """A free port outside the range of the ephemeral ports, which tests that run beside this one take at any time."""
    for port in random.sample(range(20_000, 32_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("a hundred ports are taken")


@pytest.mark.parametrize("listening", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_serves_until_it_is_interrupted(recorded: Path, number: signal.Signals, listening: bool) -> None:
    with viewing(recorded) as (process, line):
        assert urlsplit(line).hostname == "127.0.0.1"
        status, page = get(line.strip())
        assert status == 200
        assert "mini" in page
        if listening:
            listener = listen(f"{line.strip()}events")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    if listening:
        listener.close()
    assert (process.returncode, out) == (0, "")
    assert err.splitlines() == [
        "paribus: open this address in a browser on this machine; Ctrl-C ends the viewer",
        "paribus: the viewer has ended",
    ]


def test_of_one_study_the_address_is_its_page(recorded: Path) -> None:
    port = free_port()
    with viewing(recorded, "mini", "--port", str(port)) as (_, line):
        assert line.startswith(f"http://127.0.0.1:{port}/study/")
        status, page = get(line.strip())
        assert (status, "being made" in page) == (202, True)
        while status == 202:
            time.sleep(0.1)
            status, page = get(line.strip())
    assert status == 200
    assert "max-val-accuracy" in page


@pytest.mark.parametrize(
    ("platform", "environment", "wanted"),
    [("linux", {}, False), ("linux", {"DISPLAY": ":0"}, True), ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
     ("linux", {"DISPLAY": ""}, False), ("darwin", {}, True), ("win32", {}, True),
     ("darwin", {"SSH_CONNECTION": "a 1 b 22"}, False),
     ("linux", {"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "a 1 b 22"}, False), ("linux", {"BROWSER": "x"}, True)],
)  # fmt: skip
def test_a_browser_is_opened_where_it_can_show_a_window(
    platform: str, environment: dict[str, str], wanted: bool
) -> None:
    assert has_display(platform, environment) is wanted


@pytest.mark.parametrize("more", [(), ("--no-browser",)])
def test_at_a_terminal_the_browser_of_the_user_is_opened_unless_it_says_no(
    recorded: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    """BROWSER names a program that notes the address; the program's stdout is a terminal."""
    browser, noted = tmp_path / "browser", tmp_path / "noted"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {noted}.part && mv {noted}.part {noted}\n', encoding="utf-8")
    browser.chmod(0o755)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PARIBUS_WORKSPACE": str(recorded), "BROWSER": f"{browser} %s"}
    command = [sys.executable, "-m", "paribus", "view", *more]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            url = os.read(ours, 1000).decode().strip()
            assert get(url)[0] == 200
            if more:
                assert "open this address in a browser" in line
            else:
                assert "opening this address in a browser" in line
                while not noted.exists():
                    time.sleep(0.05)
                assert noted.read_text(encoding="utf-8") == url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            os.close(ours)
            os.close(theirs)
    assert process.returncode == 0
    assert noted.exists() is not bool(more)


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
