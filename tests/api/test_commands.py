"""Every command has its counterpart in Python, and the how-to names it."""

from __future__ import annotations

import ast
import inspect
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import paribus
from paribus.api.results import Results
from paribus.api.workspaces import RecordedWorkspace
from paribus.cli.main import parser
from tests.api.test_building import built
from tests.api.test_judged import shown
from tests.docs.session import ROOT
from tests.execution.conftest import save_digits

ROOTS: dict[str, Any] = {"paribus": paribus, "results": Results, "workspace": RecordedWorkspace}


def rows() -> dict[str, str]:
    """The table of the how-to: what stands beside each command."""
    text = (ROOT / "docs" / "how-to" / "python.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", text, flags=re.MULTILINE))


def commands() -> set[str]:
    (found,) = (action.choices for action in parser()._actions if action.choices)
    return set(found)


def test_the_table_has_every_command() -> None:
    assert set(rows()) == commands()
    assert {name for name, cell in rows().items() if cell.startswith("none: ")} == {"view", "schema"}


@pytest.mark.parametrize("name", sorted(commands() - {"view", "schema"}))
def test_what_stands_there_can_be_called_so(name: str) -> None:
    codes = re.findall(r"`([^`]+)`", rows()[name])
    assert codes
    for code in codes:
        for function, call, bound in members(ast.parse(code, mode="eval")):
            if call is not None:
                given = [None] * (len(call.args) + (1 if bound else 0))
                inspect.signature(function).bind(*given, **{str(word.arg): None for word in call.keywords})


def members(tree: ast.AST) -> Iterator[tuple[Callable[..., Any], ast.Call | None, bool]]:
    """Each `paribus.x`, `results.x` and `workspace.x`, with how it is called, and whether it is a method."""
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = ROOTS[node.value.id]
            yield getattr(owner, node.attr), calls.get(id(node)), owner is not paribus


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("commands")
    save_digits(path)
    return path


def test_an_archive_is_reviewed_and_opened_elsewhere(folder: Path, tmp_path: Path) -> None:
    results = paribus.run(built(folder, replicates=1), workspace=folder / "w", progress=False)
    archive = paribus.workspace(folder / "w").export("widths", tmp_path / "widths.zip", format="archive")
    opened = paribus.unpack(archive, tmp_path / "elsewhere")
    assert opened.names == ("widths",)
    assert opened.results("widths").id == results.id

    broken = tmp_path / "broken.zip"
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as entries:
        largest = max(entries.infolist(), key=lambda entry: entry.compress_size)
    content[largest.header_offset + 30 + len(largest.filename) + largest.compress_size // 2] ^= 1
    broken.write_bytes(content)
    found = paribus.review([archive, broken], assignment=built(folder, replicates=1, seed=8))
    good, bad = found
    assert good.review is not None
    assert good.review.study_id == results.id
    assert any("seed" in line for line in found.details())
    assert bad.review is None
    assert bad.problem in found.details()
    assert {"widths.zip", "broken.zip", "NO"} <= set(shown(found))


def test_a_recorded_network_is_evaluated_and_its_test_set_stays_locked(folder: Path) -> None:
    study = built(folder, replicates=1)
    results = paribus.run(study, workspace=folder / "w", progress=False)
    opened = paribus.workspace(folder / "w")
    found = opened.evaluate(study, "wide", f"{folder / 'digits.npz'}:validation", rule="last")
    table = results.table().set_index(["arm", "rule", "metric"])
    assert found.measured["accuracy"] == table.loc[("wide", "last", "val_accuracy"), "mean"]
    with pytest.raises(paribus.UserError, match="test"):
        opened.evaluate(study, "wide", f"{folder / 'digits.npz'}:test")
    with pytest.raises(paribus.UserError, match=r"did you mean wide\?"):
        opened.evaluate(study, "wyde", "sklearn:digits")


def test_a_choice_is_confirmed_on_fresh_replicates(folder: Path, tmp_path: Path) -> None:
    choose = {"metric": "val_loss", "by": "best", "confirm": {"replicates": 2, "first": 1000}}
    study = built(folder, replicates=1, claims=[], choose=choose)
    confirming = paribus.run(study, workspace=tmp_path / "w", progress=False).confirmation()
    assert confirming.replicates.first == 1000
    assert len(confirming.arms) == 1
    with pytest.raises(paribus.UserError, match="must say how an arm is chosen"):
        paribus.run(built(folder, replicates=1), workspace=folder / "w", progress=False).confirmation()


def test_a_first_study_of_arrays_can_be_run(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame_like = {"X": random.normal(size=(60, 3)), "y": np.arange(60) % 2}
    study = paribus.draft(paribus.source("drafted", frame_like))
    assert [arm.name for arm in study.arms] == ["linear", "network"]
    quick = {"replicates": 1, "training.epochs": 2, "references": []}
    path = tmp_path / "drafted.toml"
    path.write_text(study.document, encoding="utf-8")
    done = paribus.run(paribus.load(path, quick), workspace=tmp_path / "w", progress=False)
    assert done.states == {"done": 2}


def test_words_are_explained() -> None:
    assert "margin" in paribus.explain("supported")
    with pytest.raises(paribus.UserError, match="must be a word of the glossary"):
        paribus.explain("xyzzy")
