from __future__ import annotations

import math

import pytest

from paribus.cli.lines import LINE_EVERY_S, MANY_COHORTS, LineDisplay, total
from paribus.execution.events import CohortDone, CohortStarted, EpochDone
from paribus.execution.progress import StudyProgress

STARTED = CohortStarted(0, 2, ("fixed", "fixed", "steps"), 3, 25450, 0, 100)
FIGURES = "train loss 0.5, val loss 0.6, val acc 83.0 %"
DONE = CohortDone(0, 3, 1, 12.0)


def epoch(number: int, **changes: float) -> EpochDone:
    values = {"train_loss": 0.5, "val_loss": 0.6, "val_accuracy": 0.83, "model_epochs_per_s": 120.0, "remaining_s": 9.0}
    return EpochDone(0, number, ("a", "b", "c"), {}, **{**values, **changes})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def study(clock: Clock) -> StudyProgress:
    return StudyProgress("mini", runs=5, recorded=0, work=2 * 25450 * 100, clock=clock)


def test_a_cohort_prints_its_start_its_progress_and_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with LineDisplay(study(clock), clock) as display:
        display(STARTED)
        clock.now += LINE_EVERY_S
        display(epoch(40))
        clock.now += LINE_EVERY_S
        display(epoch(50))
        display(DONE)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "paribus: cohort 1/2: 3 runs (fixed, steps), 25.4 k parameters in all, 100 epochs",
        f"paribus: mini: 0/5 runs done, 20 %; cohort 1/2: epoch 40/100, {FIGURES}",
        f"paribus: mini: 0/5 runs done, 25 %, about 2 min 30 s left; cohort 1/2: epoch 50/100, {FIGURES}",
        "paribus: mini: 3/5 runs done, 50 %, about 17 s left; cohort 1/2: 3 runs done in 12 s, 1 diverged",
    ]


def test_lines_become_rarer(capsys: pytest.CaptureFixture[str]) -> None:
    """A line every ten seconds at first; a night of training has some hundred lines."""
    clock = Clock()
    display = LineDisplay(study(clock), clock)
    display(STARTED)
    printed: list[int] = []
    for _ in range(8 * 3600):
        clock.now += 1
        display(epoch(1))
        printed.append(len(capsys.readouterr().err.splitlines()))
    assert sum(printed[:101]) == 1 + 10
    assert 50 < sum(printed) < 150


def test_of_many_cohorts_not_every_one_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    total = 50 * MANY_COHORTS
    display = LineDisplay(StudyProgress("mini", runs=total, recorded=0, work=total * 100, clock=clock), clock)
    for index in range(total):
        clock.now += 1
        display(CohortStarted(index, total, ("a",), 1, 10, 0, 10))
        display(CohortDone(index, 1, 0, 1.0))
    lines = capsys.readouterr().err.splitlines()
    assert 20 < len(lines) < 120
    assert all(line.startswith("paribus: ") for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_the_line_of_a_study_keeps_its_numbers(width: int) -> None:
    name = "a-study-with-a-name-that-is-very-long-" * 3
    progress = StudyProgress(name, runs=12, recorded=3, work=75, recorded_work=25)
    progress.remaining_s = 200.0
    line = total(progress, width)
    assert len(line) == width
    if width >= 60:
        assert line.endswith("...: 3/12 runs done, 25 %, about 3 min 20 s left")


def test_what_is_not_measured_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    display = LineDisplay(study(clock), clock)
    display(STARTED)
    capsys.readouterr()
    clock.now += LINE_EVERY_S
    display(epoch(3, val_loss=math.nan, val_accuracy=math.nan, remaining_s=math.inf))
    line = capsys.readouterr().err
    assert "val" not in line
    assert "left" not in line


def test_a_resumed_cohort_says_from_which_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    LineDisplay(study(Clock()), Clock())(CohortStarted(1, 2, ("fixed",), 1, 25450, 40, 100))
    assert "cohort 2/2: 1 run (fixed)" in (line := capsys.readouterr().err)
    assert "resumes after epoch 40" in line
