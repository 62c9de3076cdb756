from __future__ import annotations

import math

import pytest

from paribus.cli.lines import LINE_EVERY_S, LineDisplay
from paribus.cli.study_progress import StudyProgress
from paribus.execution.events import CohortDone, CohortStarted, EpochDone

STARTED = CohortStarted(0, 2, ("fixed", "fixed", "steps"), 3, 25450, 0, 100)
FIGURES = "train loss 0.5, val loss 0.6, val accuracy 83.0 %"
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
        f"paribus: cohort 1/2: epoch 40/100, {FIGURES}, 120 model-epochs/s, 9.0 s left",
        f"paribus: cohort 1/2: epoch 50/100, {FIGURES}, 120 model-epochs/s, 9.0 s left",
        "paribus: cohort 1/2: 3 runs done in 12 s, 1 diverged",
        "paribus: mini: 3/5 runs done, about 17 s left",
    ]


def test_epochs_are_printed_every_few_seconds_only(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    display = LineDisplay(study(clock), clock)
    display(STARTED)
    for number in range(1, 101):
        clock.now += LINE_EVERY_S / 10
        display(epoch(number))
    assert len(capsys.readouterr().err.splitlines()) == 1 + 10


def test_what_is_not_measured_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    display = LineDisplay(study(clock), clock)
    display(STARTED)
    capsys.readouterr()
    clock.now += LINE_EVERY_S
    display(epoch(3, val_loss=math.nan, val_accuracy=math.nan, remaining_s=math.inf))
    line = capsys.readouterr().err
    assert "val" not in line
    assert "unknown time left" in line


def test_a_resumed_cohort_says_from_which_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    LineDisplay(study(Clock()), Clock())(CohortStarted(1, 2, ("fixed",), 1, 25450, 40, 100))
    assert "cohort 2/2: 1 run (fixed)" in (line := capsys.readouterr().err)
    assert "resumes after epoch 40" in line
