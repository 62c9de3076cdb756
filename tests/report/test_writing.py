from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from paribus.errors import UserError
from paribus.report.writing import csv_text, put, tied


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    put(tmp_path / "deep" / "page.html", "old")
    put(tmp_path / "deep" / "page.html", "new")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["page.html"]
    assert (tmp_path / "deep" / "page.html").read_text() == "new"


def test_a_folder_that_is_a_file_is_a_user_mistake(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match="folder"):
        put(tmp_path / "taken" / "page.html", "text")


def test_numbers_keep_their_precision_and_none_is_empty() -> None:
    records = [{"arm": "a, b", "mean": 0.1 + 0.2, "sd": None, "known": True}, {"arm": "c", "mean": 1, "extra": "x"}]
    rows = list(csv.DictReader(io.StringIO(csv_text(records))))
    assert float(rows[0]["mean"]) == 0.1 + 0.2
    assert rows[0]["sd"] == ""
    assert rows[0]["known"] == "true"
    assert rows[0]["arm"] == "a, b"
    assert rows[1]["extra"] == "x"


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "@x", "+1", "-1"])
def test_a_name_is_never_a_spreadsheet_formula(name: str) -> None:
    assert csv_text([{"arm": name}]).splitlines()[1].startswith(("'", "\"'"))


@pytest.mark.parametrize(
    ("words", "is_set"),
    [
        ("CI -0.17 to +0.09", "CI \u22120.17 to +0.09"),
        ("(-.5, -12 J)", "(\u2212.5, \u221212 J)"),
        ("lr-0.1, 1e-05, 2026-01-31, n-1 and rank-16", "lr-0.1, 1e-05, 2026-01-31, n-1 and rank-16"),
        ("95 % of n = 3", "95\u00a0% of n\u00a0=\u00a03"),
    ],
)
def test_a_negative_number_has_a_minus_and_a_word_its_hyphen(words: str, is_set: str) -> None:
    assert tied(words) == is_set
