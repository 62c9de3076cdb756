from __future__ import annotations

import json
import logging
import math

import pytest

from paribus.cli.output import (
    format_number,
    plural,
    print_columns,
    print_csv,
    print_json,
    print_line,
    print_log,
    print_message,
)


def test_json_knows_no_infinity(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [math.nan, math.inf, 1.5, (2, None, True)], "b": {"ü": -math.inf}})
    assert json.loads(capsys.readouterr().out) == {"a": [None, None, 1.5, [2, None, True]], "b": {"ü": None}}


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


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_columns([("arm", "n"), ("a", "10"), ("long", "3")], right=(1,))
    assert capsys.readouterr().out == "arm    n\na     10\nlong   3\n"


def test_numbers_that_are_not_known_are_dashes() -> None:
    assert [format_number(None), format_number(math.nan), format_number(0.123456789), format_number(0.5, 2)] == [
        "-",
        "-",
        "0.123457",
        "0.5",
    ]
    assert [plural(1, "run"), plural(2, "run"), plural(0, "run")] == ["1 run", "2 runs", "0 runs"]


def test_what_the_package_logs_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    print_log()
    print_log()
    logging.getLogger("paribus.data").info("fetching %s\x1b", "faces")
    logging.getLogger("paribus.data").debug("nothing to see")
    assert capsys.readouterr().err == "paribus: fetching faces\\x1b\n"
