from __future__ import annotations

import numpy as np

from paribus.web.curves import MAX_LINES, MAX_POINTS, LiveCurves
from paribus.web.drawing import specification
from tests.web.test_progress import ARMS, live, state

GOING = ["running"] * 4


def test_a_curve_begins_with_the_last_checkpoint_and_goes_on_with_the_live_file() -> None:
    curves, going = LiveCurves(), state(*GOING)
    content = live({"run-0": 12})
    assert curves.unknown(going, content) == ["run-0"]
    assert curves.unknown(going, content | {"study": "another"}) == []
    curves.begin("run-0", {"val_loss": np.linspace(1, 0.1, 10), "val_accuracy": np.full(10, np.nan)})
    assert curves.unknown(going, content) == []
    curves.take(content)
    curves.take(content)
    curves.take(live({"run-0": 15}))
    epochs, values = curves.series("run-0", "val_loss")
    assert epochs == [*range(1, 11), 12, 15]
    assert values == [*np.linspace(1, 0.1, 10), 0.25, 0.25]
    assert curves.series("run-0", "val_accuracy") == ([12, 15], [0.75, 0.75])
    assert curves.series("run-9", "val_loss") == ([], [])


def test_a_long_curve_is_thinned_and_keeps_its_latest_epoch() -> None:
    curves = LiveCurves()
    curves.begin("run-0", {"val_loss": np.arange(1.0, 100_001.0)})
    for epoch in range(100_001, 100_001 + 3 * MAX_POINTS):
        curves.take(live({"run-0": epoch}))
        epochs, _ = curves.series("run-0", "val_loss")
        assert len(epochs) <= MAX_POINTS
        assert epochs[-1] == epoch
        assert epochs == sorted(set(epochs))
    assert epochs[0] < 100_000


def test_a_run_that_begins_again_from_a_checkpoint_has_one_value_an_epoch() -> None:
    curves = LiveCurves()
    for epoch in (1, 5, 9, 6, 7):
        curves.take(live({"run-0": epoch}))
    assert curves.series("run-0", "val_loss")[0] == [1, 5, 6, 7]


def test_a_chart_has_a_line_for_each_run_in_the_colour_of_its_arm() -> None:
    curves, going = LiveCurves(), state(*GOING)
    for epoch in (1, 2):
        curves.take(live({"run-0": epoch, "run-1": epoch, "run-3": epoch}))
    loss, accuracy = curves.charts(going)
    assert (loss.metric.name, accuracy.metric.name) == ("val_loss", "val_accuracy")
    found = {(row["arm"], row["key"], row["replicate"], row["epoch"]): row["value"] for row in accuracy.rows}
    wanted = [(ARMS[0], "a0", 0), (ARMS[0], "a0", 1), (ARMS[1], "a1", 1)]
    assert found == {(*run, epoch): 0.75 for run in wanted for epoch in (1, 2)}
    assert not loss.log
    spec = specification(accuracy, 2)
    assert spec["encoding"]["color"]["scale"]["domain"] == ["a0", "a1"]


def test_a_loss_that_falls_far_has_a_logarithmic_axis() -> None:
    curves = LiveCurves()
    curves.begin("run-0", {"val_loss": np.array([5.0, 1.0, 0.1]), "val_accuracy": np.array([0.1, 0.5, 0.9])})
    loss, accuracy = curves.charts(state(*GOING))
    assert (loss.log, accuracy.log) == (True, False)
    assert specification(loss, 2)["encoding"]["y"]["scale"]["type"] == "log"


def test_of_many_runs_the_first_replicates_of_each_arm_are_drawn() -> None:
    many = state(*GOING)
    members = tuple(
        type(many.members[0])(f"run-{arm}-{replicate}", arm, replicate, "running", 0, 9)
        for arm in ARMS
        for replicate in range(100)
    )
    many = type(many)(many.id, many.study, members, "v")
    curves = LiveCurves()
    curves.take(live({member.run_id: 1 for member in members}))
    drawn = {(row["arm"], row["replicate"]) for row in curves.charts(many)[0].rows}
    assert drawn == {(arm, replicate) for arm in ARMS for replicate in range(MAX_LINES // 2)}
