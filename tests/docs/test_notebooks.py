"""The notebooks of the documentation run, in a kernel of its own, and shows what it is about."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from docs_site.notebooks import executed, markdown
from tests.docs.session import ROOT

NOTEBOOKS = {path.stem: path for path in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))}
LONG = ("reference-study",)
"""Executed by `make docs` alone: it trains on whole images."""
SHOWN = {
    "is-my-label-wrong": ["estimated share of wrong labels", "with a probability of", "<svg"],
    "own-data": ["A hidden layer does better than a linear model.", "{&#x27;done&#x27;: 12}|{'done': 12}", "<svg"],
    "own-network": ["('conv', 'Conv2d', 40, ", "convolutions"],
    "whom-to-believe": ["INCONCLUSIVE", "SUPPORTED", "EQUIVALENT|REFUTED"],
}
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::ResourceWarning"
)


@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if name not in LONG])
def test_a_notebook_runs(name: str, tmp_path: Path) -> None:
    found = executed(NOTEBOOKS[name], tmp_path)
    page = markdown(found)
    for words in SHOWN[name]:
        assert any(word in page for word in words.split("|")), words
    if name == "is-my-label-wrong":
        _finds_planted_errors(page)


def _finds_planted_errors(page: str) -> None:
    """What the notebook prints of its own planted errors: most are found, and most of what is listed is wrong."""
    found = re.search(r"(\d+) of (\d+) suspects are wrong labels, and (\d+) of 90", page)
    assert found is not None
    right, listed, _ = map(int, found.groups())
    assert right > 0.8 * 90
    assert right > 0.8 * listed
    published = re.search(r"(\d+) suspects of 1797", page)
    assert published is not None
    assert int(published[1]) < 20


def test_a_data_frame_gets_a_verdict_on_two_architectures_in_few_lines() -> None:
    code = _cells(NOTEBOOKS["own-data"])[0]
    assert len([line for line in code.splitlines() if line.strip()]) < 15
    assert "verdicts()" in code


def test_notebooks_are_kept_without_outputs() -> None:
    import nbformat

    for path in NOTEBOOKS.values():
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs"), path.name
            assert cell.get("execution_count") is None


def _cells(path: Path) -> list[str]:
    import nbformat

    cells: list[Any] = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]
