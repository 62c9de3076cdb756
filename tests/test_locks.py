"""What an installation brings: the lock files agree with each other and with pyproject.toml, and torch is an extra."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RUNTIME, DEV, BENCH = LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock")
ENTRY = re.compile(
    r"([a-z0-9-]+)==[0-9a-z.]+(?: ; [a-zA-Z0-9_.'<>=! ()]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]


def entries(lock: str) -> list[re.Match[str]]:
    return list(ENTRY.finditer((ROOT / lock).read_text(encoding="utf-8")))


def names(lock: str) -> set[str]:
    return {entry[1] for entry in entries(lock)}


def asked(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[\[<>=]", requirement)[0] for requirement in requirements} - {"paribus"}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_names_versions_markers_and_hashes_only(lock: str) -> None:
    assert ENTRY.sub("", (ROOT / lock).read_text(encoding="utf-8")) == ""


def test_a_lock_holds_what_the_package_asks_for() -> None:
    core, build = asked(PROJECT["project"]["dependencies"]), asked(PROJECT["dependency-groups"]["build"])
    assert core | build <= names(RUNTIME)
    assert {one for extra, asks in EXTRAS.items() if extra != "bench" for one in asked(asks)} <= names(DEV)
    assert asked(EXTRAS["bench"]) <= names(DEV) | names(BENCH)


def test_a_package_has_one_version_in_all_locks() -> None:
    assert {entry[0] for entry in entries(RUNTIME)} <= {entry[0] for entry in entries(DEV)}
    assert names(DEV).isdisjoint(names(BENCH))


def test_an_installation_brings_neither_torch_nor_cuda() -> None:
    assert not {name for name in names(RUNTIME) if re.match("torch|triton|cuda|nvidia", name)}
    assert {"torch", "nvidia-ml-py"} == asked(EXTRAS["torch"])
