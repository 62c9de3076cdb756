"""The tables of the audits' page from made-up lines, and the errors that are made in data."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.audit import Case, cases, measured
from benchmarks.audit_data import with_errors
from benchmarks.audit_page import MARK, page, write
from benchmarks.audit_tools import Answer

ABOUT = {"processor": "a processor", "cores": 1, "versions": {"cleanlab": "2", "paribus": "1"}}


def perfect(inputs, labels):
    """A tool that knows that class 0 is always wrong, and lists the first two examples, too."""
    wrong = labels == 0
    listed = wrong.copy()
    listed[:2] = True
    return {"perfect": Answer(wrong.astype(float), listed, 1.0, float(wrong.mean()))}


def lines(monkeypatch, kind, rate):
    monkeypatch.setitem(
        __import__("benchmarks.audit", fromlist=["DATA"]).DATA, "made", lambda: (np.zeros((400, 3)), np.ones(400, int))
    )
    monkeypatch.setattr("benchmarks.audit.with_errors", lambda _, right, *__: np.where(np.arange(400) % 4, right, 0)
                        if kind != "none" else right)  # fmt: skip
    return lambda own: list(measured(Case("made", kind, rate), perfect, own))


def test_a_line_says_what_a_tool_found(monkeypatch):
    own: dict[str, dict[str, str]] = {}
    (as_it_is,) = lines(monkeypatch, "none", 0.0)(own)
    assert as_it_is.average_precision is None
    assert own == {"made": {"perfect": "0 1"}}
    (line,) = lines(monkeypatch, "symmetric", 0.25)(own)
    assert line.average_precision == 1
    assert line.precision_at_recall == {"0.5": 1, "0.8": 1, "0.9": 1}
    assert (line.listed, line.list_precision, line.list_recall) == (101, 100 / 101, 1)
    assert line.list_precision_without_own == 1


def line(tool, *, kind="pair", at=0.9, **other):
    return {
        "data": "images", "examples": 10_000, "kind": kind, "rate": 0.3, "wrong": 0.3, "tool": tool, "seconds": 20.0,
        "processor_s": 15.0, "training_s": 9.0, "average_precision": at, "listed": 10, "list_precision": 0.8,
        "precision_at_recall": {"0.5": at, "0.8": at, "0.9": at}, "list_precision_without_own": 0.85,
        "expected_precision": 0.9 if tool == "paribus" else None, "list_recall": 0.7, "estimated_rate": 0.32, **other,
    }  # fmt: skip


def test_the_page_says_where_the_ranking_is_worse(tmp_path):
    content = {"machine": ABOUT, "lines": [line("paribus"), line("other", at=0.95), line("third", at=0.5),
                                           line("paribus", kind="none", list_precision=None)]}  # fmt: skip
    text = page(content)
    assert "of 3 precisions at equal recall, 0 are higher by more than 0.005, 3 are lower (images, pair 30 %" in text
    assert "Beside *third*: of 3 precisions at equal recall, 3 are higher by more than 0.005, 0 are lower." in text
    assert "off from that found by 0.10 on average" in text
    assert "off from that found without own by 0.05 on average" in text
    (tmp_path / "page.md").write_text(f"# By a person\n\n{MARK}\n\nold\n", encoding="utf-8")
    write(tmp_path / "page.md", content)
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == f"# By a person\n\n{MARK}\n\n{text}"


@pytest.mark.parametrize("kind", ["symmetric", "pair", "instance"])
def test_errors_have_their_rate_and_kind(kind):
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, 5_000)
    found = with_errors(random.random((5_000, 4)), labels, kind, 0.3)
    assert (found != labels).mean() == pytest.approx(0.3, abs=0.03)
    steps = np.bincount((found - labels) % 5, minlength=5)[1:]
    assert (steps > 0).all() == (kind != "pair")


def test_data_as_they_are_come_first():
    kinds = [case.kind for case in cases()]
    assert kinds.index("none") == 0
    assert "none" not in kinds[kinds.count("none") :]
