from __future__ import annotations

import errno
import io
import json
import logging
import math
import sys

import pytest

from paribus.cli.output import (
    print_columns,
    print_csv,
    print_error,
    print_json,
    print_line,
    print_log,
    print_message,
    print_paragraph,
    print_points,
)
from paribus.errors import UserError


def test_json_knows_no_infinity(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [math.nan, math.inf, 1.5, (2, None, True)], "b": {"ü": -math.inf}})
    assert json.loads(capsys.readouterr().out) == {"a": [None, None, 1.5, [2, None, True]], "b": {"ü": None}}


def test_no_zero_is_negative(capsys: pytest.CaptureFixture[str]) -> None:
    print_csv([("mean", -0.0, 5e35)])
    print_json([-0.0, {"a": -0.0}])
    out = capsys.readouterr().out
    assert out.startswith("mean,0.0,5e+35\n")
    assert "-" not in out


def test_csv_quotes_what_needs_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_csv([("arm", "mean"), ('a, "b"', None)])
    assert capsys.readouterr().out == 'arm,mean\n"a, ""b""",\n'


HOSTILE = "\x1b]0;title\x07\x9b31m\u202e\r\x7f"
SHOWN = r"\x1b]0;title\x07\x9b31m\u202e\r\x7f"


def test_no_name_controls_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(f"a\u00a0ü {HOSTILE}")
    print_columns([("arm", "n"), (HOSTILE, "10")])
    print_csv([("arm", HOSTILE)])
    print_message(HOSTILE)
    captured = capsys.readouterr()
    assert captured.out == f"a\u00a0ü {SHOWN}\n{'arm'.ljust(len(SHOWN))}  n\n{SHOWN}  10\narm,{SHOWN}\n"
    assert captured.err == f"paribus: {SHOWN}\n"
    print_json({HOSTILE: [HOSTILE, "ü\n"]})
    out = capsys.readouterr().out
    assert json.loads(out) == {HOSTILE: [HOSTILE, "ü\n"]}
    assert out.isascii()
    assert all(line.isprintable() for line in out.splitlines())


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_name_is_a_formula_to_a_spreadsheet(start: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_csv([(f"{start}1+1", -1.5, None)])
    assert capsys.readouterr().out == f"'{start}1+1,-1.5,\n"


def test_what_the_package_logs_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    print_log()
    print_log()
    logging.getLogger("paribus.data").info("fetching %s\x1b", "faces")
    logging.getLogger("paribus.data").debug("nothing to see")
    assert capsys.readouterr().err == "paribus: fetching faces\\x1b\n"


ROWS = [("arm", "findings"), ("fixed", "overfitting, " * 10 + "collapse")]


def test_data_are_as_wide_as_columns_says(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_columns(ROWS, flexible=(1,))
    assert len(capsys.readouterr().out.splitlines()) == 2
    monkeypatch.setenv("COLUMNS", "60")
    print_columns(ROWS, flexible=(1,))
    print_paragraph("word " * 30)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 3 + 3
    assert max(map(len, lines)) <= 60
    for nonsense in ("", "0", "-5", "wide", "³", "1" * 50):
        monkeypatch.setenv("COLUMNS", nonsense)
        print_columns(ROWS, flexible=(1,))
        assert len(capsys.readouterr().out.splitlines()) == 2
    monkeypatch.delenv("COLUMNS")  # pytest writes of this test, as wide as it says, before the fixture ends


def test_messages_are_one_line_except_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_message("word " * 20 + "end")
    assert len(capsys.readouterr().err.splitlines()) == 1
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    print_message("word " * 20 + "/path/that/is/kept/in/one/piece/although/it/is/long.toml")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "paribus: word word word word word word"
    assert all(line.startswith("  word") for line in lines[1:-1])
    assert lines[-1] == "  /path/that/is/kept/in/one/piece/although/it/is/long.toml"


MISTAKE = UserError(
    "must be greater than 0 and at most 1000, because larger rates diverge",
    given=-1,
    place="wine.toml, arm hidden layer, key optimizer.lr",
    remedy="change it there",
)


def test_a_mistake_is_one_line_where_it_fits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_error(MISTAKE)
    line = f"paribus: {MISTAKE}"
    assert capsys.readouterr().err == f"{line}\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(len(line)))
    print_error(MISTAKE)
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_on_a_terminal_place_rule_and_remedy_have_lines_of_their_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    print_error(MISTAKE)
    lines = capsys.readouterr().err.splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0] == "paribus: wine.toml, arm hidden layer, key optimizer.lr:"
    assert lines[-1] == "  change it there"
    rule = " ".join(" ".join(lines[1:-1]).split())
    assert rule == "must be greater than 0 and at most 1000, because larger rates diverge, got -1;"
    assert (len(lines) == 3) == (width >= 80)


POINTS = [("SUPPORTED", "word " * 20 + "end"), ("energy", "12 J")]


def test_points_are_messages_or_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    print_points(POINTS)
    assert capsys.readouterr().err.splitlines() == [f"paribus: {label}: {text}" for label, text in POINTS]
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    print_points(POINTS)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("  SUPPORTED  word word")
    assert all(line.startswith(f"{' ' * 13}word") for line in lines[1:-1])
    assert lines[-1] == "  energy     12 J"
    assert max(map(len, lines)) <= 60
    monkeypatch.setenv("COLUMNS", "30")
    print_points(POINTS)
    assert capsys.readouterr().err.splitlines()[-1] == "paribus: energy: 12 J"


def test_a_traceback_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("paribus.execution")
    print_log()
    log.debug("Traceback\n  File \x1b[31m")
    assert capsys.readouterr().err == ""
    print_log(debug=True)
    log.debug("Traceback\n  File \x1b[31m")
    assert capsys.readouterr().err == "Traceback\n  File \\x1b[31m\n"


class Gone(io.StringIO):
    """A terminal that has been closed."""

    def write(self, _text: str) -> int:
        raise OSError(errno.EIO, "Input/output error")


def test_a_message_that_cannot_be_printed_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Gone())
    print_message("interrupted")
