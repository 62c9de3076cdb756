from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest

from paribus.cli.formatting import (
    format_expected,
    format_mean,
    format_number,
    format_share,
    local_time,
    plural,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (math.nan, "-"),
        (math.inf, "-"),
        (0.123456789, "0.123457"),
        (25450.0, "25450"),
        (1234567.0, "1234567"),
        (-0.0, "0"),
        (-1e-300, "-1e-300"),
        (5e35, "5e+35"),
        (10**36, "1e+36"),
        (-2.5, "-2.5"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert format_number(value) == text


def test_digits_can_be_chosen() -> None:
    assert [format_number(0.56789, 2), format_number(1234.5, 2)] == ["0.57", "1.2e+03"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.834, "83.4 %"), (1.0, "100.0 %"), (-0.0, "0.0 %"), (-1e-9, "0.0 %"), (None, "-"), (5e35, "5e+37 %")],
)
def test_shares(value: float | None, text: str) -> None:
    assert format_share(value) == text


@pytest.mark.parametrize(
    ("mean", "sd", "share", "text"),
    [
        (0.00742, 0.0000391, False, "0.007420 ± 0.000039"),
        (0.4715, 0.0032, False, "0.4715 ± 0.0032"),
        (1320.33, 123.4, False, "1320 ± 123"),
        (0.8312, 0.0021, True, "83.12 ± 0.21 %"),
        (0.8312, None, True, "83.12 %"),
        (0.8312, 0.0, True, "83.12 %"),
        (290.0, 0.0, False, "290"),
        (0.25, 1e-17, False, "0.25 ± 1e-17"),
        (5e35, 1e35, False, "5e+35 ± 1e+35"),
        (-1e-9, 0.02, False, "0.000 ± 0.020"),
        (None, None, False, "-"),
        (math.nan, 1.0, False, "-"),
        (2.0, math.nan, False, "2"),
    ],
)
def test_means(mean: float | None, sd: float | None, share: bool, text: str) -> None:
    assert format_mean(mean, sd, share=share) == text


def test_no_expected_time_is_nought() -> None:
    assert [format_expected(s) for s in (0.0, 0.04, 0.999, 1.0, 75.0)] == [
        *["less than 1 s"] * 3,
        "1.0 s",
        "1 min 15 s",
    ]
    assert format_expected(None) == format_expected(math.inf) == "unknown"


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "2026-03-01 13:05 UTC"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-01 14:05 CET"),
        ("EST5EDT,M3.2.0,M11.1.0", "2026-03-01 08:05 EST"),
        ("<+0530>-5:30", "2026-03-01 18:35 +0530"),
    ],
)
def test_times_are_local_and_name_their_zone(in_zone: pytest.MonkeyPatch, zone: str, text: str) -> None:
    in_zone.setenv("TZ", zone)
    time.tzset()
    assert local_time("2026-03-01T13:05:09+00:00") == text


def test_nouns_are_counted() -> None:
    assert [plural(1, "run"), plural(2, "run"), plural(0, "run")] == ["1 run", "2 runs", "0 runs"]
    assert [plural(1, "study", "studies"), plural(2, "study", "studies")] == ["1 study", "2 studies"]
