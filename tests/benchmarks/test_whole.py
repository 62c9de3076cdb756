from __future__ import annotations

import re

from benchmarks import machine, whole
from paribus.spec import builtin


def test_the_page_compares_times_with_the_targets() -> None:
    times = [
        whole.StudyTime("faces", 3600, 1e12, 400.0, 40.0, training_s=38.0, forecast_s=36.0, first_forecast_s=41.8),
        whole.StudyTime(
            "selection", 9000, 29e12, 900.0, 300.0, training_s=290.0, forecast_s=145.0, first_forecast_s=None
        ),
    ]
    commands = whole.CommandTimes(first_answer_s=200.0, report_s=6.0, help_s=0.5)
    text = whole.page(times, {"ShallowMLP": 100.0}, peak_rate=1e11, commands=commands, stolen=0.1)
    assert "| faces | 3,600 |" in text
    assert "10.0x" in text
    assert "| 4 min 50 s | 4 min 50 s | 100% |" in text
    assert "-50% ✗ 25%" in text
    assert "| 42 s | +10.0% ✗ 5% |" in text
    assert "✗ 25% |  |  |" in text
    assert "3.8x ✗ 8x" in text
    assert "0.50 s ✗ 0.3 s" in text
    assert "Until the page of the first study, faces, can be read: 3 min 20 s ✗ 3 min 00 s." in text


def test_the_studies_are_those_of_make_study_in_its_order() -> None:
    makefile = (machine.ROOT / "Makefile").read_text(encoding="utf-8")
    (line,) = re.findall(r"^STUDIES := (.*)$", makefile, flags=re.MULTILINE)
    assert line.split() == list(whole.STUDIES)
    assert set(whole.STUDIES) <= set(builtin.NAMES)
