from __future__ import annotations

from pathlib import Path

from paribus.analysis.glossary import explained, terms
from paribus.spec.metrics import METRICS

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"


def test_every_row_of_the_glossary_is_explained() -> None:
    rows = [
        line.split(" | ")[0].removeprefix("| ") for line in GLOSSARY.read_text().splitlines() if line.startswith("| ")
    ]
    words = [word.replace("`", "") for row in rows[1:] for word in row.split(", ") if row != "---"]
    assert len(words) > 60
    for word in words:
        found = explained(word)
        assert found is not None, word
        assert found.meaning in GLOSSARY.read_text().replace("`", "")


def test_a_word_is_found_whatever_its_case_number_and_hyphens() -> None:
    for word in (
        "Replicates",
        "dead units",
        "dead-units",
        "Test-set reads",
        "supported",
        "VAL_ACCURACY",
        "val accuracy",
    ):
        assert explained(word) is not None, word
    assert explained("replicate") is not None
    assert explained("replicate").kind == "glossary"  # type: ignore[union-attr]
    assert explained("quark") is None


def test_metrics_verdicts_and_findings_are_words_too() -> None:
    known = terms()
    assert set(METRICS) <= set(known)
    assert {entry.kind for entry in known.values()} == {"glossary", "verdict", "finding", "metric"}
