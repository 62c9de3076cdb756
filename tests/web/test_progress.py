from __future__ import annotations

import math

import pytest

from paribus.web.progress import STALE_S, shown_metrics, study_progress
from paribus.web.studies import Member, StudyState
from tests.web.conftest import study

NOW = 1_000_000.0
ARMS = ("</script><script>alert(1)</script>", "=1+1 <b>")


def state(*states: str, epochs: int = 9) -> StudyState:
    """Two arms with two replicates each, in these states."""
    members = [(arm, replicate) for arm in ARMS for replicate in (0, 1)]
    return StudyState(
        "the-id",
        study("going", epochs=epochs),
        tuple(
            Member(f"run-{place}", arm, replicate, now, epochs if now == "done" else 0, epochs)
            for place, ((arm, replicate), now) in enumerate(zip(members, states, strict=True))
        ),
        "v",
    )


def live(epochs: dict[str, int], **more: object) -> dict[str, object]:
    metrics = {"train_loss": 0.5, "val_loss": 0.25, "val_accuracy": 0.75, "lr": 0.1}
    return {
        "study": "the-id",
        "at": NOW - 1,
        "progress": {"runs": 4, "runs_done": 0, "share": 0.1, "remaining_s": 200.0},
        "cohorts": {"total": 1, "begun": [{"arms": [ARMS[0]], "state": "training", "epoch": 3, "remaining_s": 12.0}]},
        "runs": {run: {"epoch": epoch, "metrics": metrics} for run, epoch in epochs.items()},
        **more,
    }


def test_a_study_in_training_says_how_far_it_is() -> None:
    found = study_progress(state("running", "running", "planned", "planned"), live({"run-0": 3, "run-1": 3}), NOW)
    assert found.line == "0 of 4 runs complete, about 3 min 20 s left"
    assert (found.training, found.complete) == (True, False)
    assert found.share == pytest.approx(6 / 36)
    first, second = found.arms
    assert (first.runs, first.epoch, first.left, first.training) == ("0/2", "3/9", "12 s", True)
    assert first.metrics == "validation loss 0.2500, validation accuracy 75.00 %"
    assert first.share == pytest.approx(3 / 9)
    assert (second.runs, second.epoch, second.left, second.metrics, second.training) == ("0/2", "", "", "", False)


def test_runs_that_have_ended_count_in_full() -> None:
    found = study_progress(state("done", "diverged", "running", "planned"), live({"run-0": 4, "run-2": 2}), NOW)
    assert found.line == "2 of 4 runs complete, 1 of them diverged, about 3 min 20 s left"
    assert found.share == pytest.approx((9 + 9 + 2) / 36)
    assert [(arm.runs, arm.epoch) for arm in found.arms] == [("2/2", ""), ("0/2", "2/9")]


@pytest.mark.parametrize("other", [None, {}, {"study": "another"}])
def test_a_study_that_no_process_trains_says_so(other: dict[str, object] | None) -> None:
    found = study_progress(state("done", "planned", "planned", "planned"), other, NOW)
    assert found.line == "1 of 4 runs complete; no process trains this study now, the same `paribus run` resumes it"
    assert (found.training, found.arms) == (False, ())


def test_a_silent_process_is_called_silent() -> None:
    found = study_progress(state(*["running"] * 4), live({}, at=NOW - 2 * STALE_S), NOW)
    assert found.line == "0 of 4 runs complete; no news of its process for 1 min 00 s"


def test_a_study_that_is_complete_has_no_more_to_say() -> None:
    found = study_progress(state(*["done"] * 4), live({"run-0": 9}), NOW)
    assert (found.line, found.share, found.training, found.complete) == ("4 of 4 runs complete", 1.0, False, True)


@pytest.mark.parametrize(
    "broken",
    [{"runs": []}, {"runs": {"run-0": 3}}, {"runs": {"run-0": {"epoch": "x", "metrics": 3}}}, {"cohorts": 1},
     {"cohorts": {"begun": [3, {"state": "training"}]}}, {"progress": None}, {"progress": {"remaining_s": "x"}},
     {"at": "now"}, {"progress": {"remaining_s": math.inf}}],
)  # fmt: skip
def test_the_live_file_may_hold_anything(broken: dict[str, object]) -> None:
    found = study_progress(state(*["running"] * 4), live({"run-1": 2}) | broken, NOW)
    assert found.line.startswith("0 of 4 runs complete")
    assert math.isfinite(found.share)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [(["train_loss", "val_loss", "val_accuracy", "lr"], ["val_loss", "val_accuracy"]),
     (["train_loss", "lr"], ["train_loss"]), (["train_loss", "test_accuracy", "lr"], ["train_loss", "test_accuracy"]),
     (["train_loss", "val_loss", "val_rmse", "test_rmse"], ["val_loss", "val_rmse"]), ([], []), (["strange"], [])],
)  # fmt: skip
def test_a_loss_and_a_result_are_shown(names: list[str], wanted: list[str]) -> None:
    assert [metric.name for metric in shown_metrics(names)] == wanted
