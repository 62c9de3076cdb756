from __future__ import annotations

import json
import math
import signal
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from paribus.store import faults
from paribus.store.live import read_live
from paribus.store.verify import verify
from paribus.store.workspace import Workspace


@pytest.fixture
def ws(tmp_path: Path, sequence: ModuleType):
    with Workspace.open(tmp_path / "workspace", create=True, write=True) as workspace:
        sequence.register(workspace)
        yield workspace


def test_the_last_version_is_read(ws: Workspace) -> None:
    assert read_live(ws.path) is None
    ws.write_live({"cohort": 1})
    ws.write_live({"cohort": 2, "arms": ("größer",), "loss": math.nan, "best": [np.float32(0.5), math.inf]})
    assert read_live(ws.path) == {"cohort": 2, "arms": ["größer"], "loss": None, "best": [0.5, None]}


def test_the_file_is_strict_json_in_ascii(ws: Workspace) -> None:
    ws.write_live({"arm": "größer", "loss": -math.inf})
    content = (ws.path / "live.json").read_bytes()
    assert content.isascii()
    json.loads(content, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"loss": 1', b"\x00" * 100]
)
def test_a_broken_file_is_as_none(ws: Workspace, content: bytes) -> None:
    (ws.path / "live.json").write_bytes(content)
    assert read_live(ws.path) is None


def test_without_a_workspace_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert read_live(tmp_path / "absent") is None
    (tmp_path / "live.json").mkdir()
    assert read_live(tmp_path) is None


def test_the_writer_removes_the_file_and_a_reader_does_not(ws: Workspace) -> None:
    ws.write_live({"cohort": 1})
    Workspace.open(ws.path).close()
    with pytest.raises(RuntimeError, match="opened for reading"), Workspace.open(ws.path) as reader:
        reader.write_live({})
    assert read_live(ws.path) == {"cohort": 1}
    ws.close()
    assert read_live(ws.path) is None
    assert {path.name for path in ws.path.iterdir()} == {"workspace.sqlite", "tensors", "lock"}


def test_one_that_waits_for_its_first_record_leaves_the_file_of_the_writer(ws: Workspace, tmp_path: Path) -> None:
    late = Workspace.open(tmp_path / "new", create=True, write=True)
    with Workspace.open(tmp_path / "new", create=True, write=True) as first:
        first.write_live({"cohort": 1})
        late.close()
        assert read_live(tmp_path / "new") == {"cohort": 1}


def test_what_a_killed_writer_left_is_removed_by_the_next(complete: Path, other_process) -> None:
    holder = other_process("wait", complete)
    assert holder.stdout.readline() == "ready\n"
    holder.kill()
    assert holder.wait() == -signal.SIGKILL
    assert read_live(complete) == {"epochs": 3}
    (complete / "live.json.tmp").write_text("{")
    Workspace.open(complete, write=True).close()
    assert not [path for path in complete.iterdir() if path.name.startswith("live")]


def test_it_is_no_evidence(complete: Path, sequence: ModuleType) -> None:
    held, checked = sequence.contents(complete), verify(complete)
    for content in (b'{"cohort": 1}', b"broken"):
        (complete / "live.json").write_bytes(content)
        assert sequence.contents(complete) == held
        assert verify(complete) == checked


def test_where_the_disk_does_not_allow_it_nothing_happens(ws: Workspace) -> None:
    (ws.path / "live.json").mkdir()
    ws.write_live({"cohort": 1})
    assert read_live(ws.path) is None
    (ws.path / "live.json").rmdir()


def test_writing_it_is_no_write_point_and_syncs_nothing(ws: Workspace) -> None:
    faults.inject("enospc@1")
    try:
        ws.write_live({"cohort": 1})
    finally:
        faults.inject("")
    assert read_live(ws.path) == {"cohort": 1}
