from __future__ import annotations

from benchmarks import whole


def test_the_page_compares_times_with_the_targets() -> None:
    times = [
        whole.StudyTime("faces", 3600, 1e12, loop_s=400.0, command_s=40.0, training_s=38.0, forecast_s=36.0),
        whole.StudyTime("selection", 9000, 29e12, loop_s=900.0, command_s=300.0, training_s=290.0, forecast_s=145.0),
    ]
    text = whole.page(times, {"ShallowMLP": 100.0}, peak_rate=1e11, report_s=6.0, help_s=0.5, stolen=0.1)
    assert "| faces | 3,600 |" in text
    assert "10.0x" in text
    assert "| 4 min 50 s | 4 min 50 s | 100% |" in text
    assert "-50% ✗ 25%" in text
    assert "3.8x ✗ 8x" in text
    assert "0.50 s ✗ 0.3 s" in text
