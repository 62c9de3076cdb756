"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

BLIND = ("everything", "Exception", "BaseException")
ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
MODULES = sorted(path for folder in ("src", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_file_holds_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= (400 if path in SOURCES else 480)
    assert not {"utils", "helpers", "common", "misc"} & set(path.with_suffix("").parts)


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_no_error_is_caught_blindly_and_nothing_executes_on_load(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            passed_on = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
            handed_over = caught == "BaseException" and node.name is not None  # to the thread that waits for it
            assert passed_on or handed_over or caught not in BLIND, f"line {node.lineno}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            assert not {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"} & {
                module.partition(".")[0] for module in modules
            }
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "weights_only"):
            safe = node.arg == "weights_only"
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is safe


def test_every_package_says_what_it_holds() -> None:
    for path in SOURCES:
        if path.name != "__init__.py":
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), named(path)


def test_the_map_in_contributing_names_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("| ")]
    folder = ROOT / "src" / "paribus"
    missing: list[str] = []
    for line in table:
        before = ""
        for word in re.findall(r"`([\w./*-]+/?)`", line):
            if word.startswith(".") or ("." not in word and "/" not in word):
                continue
            places = [folder / word, ROOT / word, folder / before / word]
            if "*" in word:
                places = [folder / word.partition("*")[0]]
            if not any(place.exists() for place in places):
                missing.append(word)
            before = str(Path(word).parent) if "/" in word else before
    assert len(table) > 50
    assert not missing
