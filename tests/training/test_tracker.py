from __future__ import annotations

import json
import math

import numpy as np
import pytest

from paribus.training.tracker import Tracker
from tests.training.conftest import recipe, run_spec

RULES = ["min-train-loss", "min-val-loss", "max-val-accuracy", "epoch:2", "last"]


def weights_at(epoch):
    return lambda: {"fc1.weight": np.full((2, 3), float(epoch)), "fc1.bias": np.zeros(2)}


def tracker_of(recipe_of):
    return Tracker(run_spec(recipe_of))


def follow(tracker, epochs):
    """Observe (train_loss, val_loss, val_accuracy) epoch by epoch, until the run ends."""
    for train_loss, val_loss, val_accuracy in epochs:
        metrics = {"train_loss": train_loss, "val_loss": val_loss, "val_accuracy": val_accuracy, "lr": 0.1}
        tracker.observe(metrics, weights_at(tracker.epoch + 1))
        if tracker.outcome:
            return


CURVE = [(0.9, 0.9, 0.5), (0.7, 0.6, 0.7), (0.8, 0.7, 0.7), (0.6, 0.8, 0.6)]


def test_keeps_the_exact_epoch_of_every_rule_and_the_earliest_of_equals():
    tracker = tracker_of(recipe(selection={"rules": RULES}))
    follow(tracker, CURVE)
    assert {rule: chosen.epoch for rule, chosen in tracker.selected.items()} == {
        "min-train-loss": 4,
        "min-val-loss": 2,
        "max-val-accuracy": 2,
        "epoch:2": 2,
        "last": 4,
    }
    for chosen in tracker.selected.values():
        assert chosen.weights["fc1.weight"][0, 0] == chosen.epoch
    assert tracker.outcome == "done"


def test_divergence_ends_a_run_and_keeps_what_was_best_before():
    tracker = tracker_of(recipe(selection={"rules": RULES}))
    follow(tracker, [*CURVE[:2], (math.nan, math.nan, 0.1), CURVE[3]])
    assert tracker.outcome == "diverged"
    assert tracker.epoch == 3
    assert tracker.selected["min-val-loss"].epoch == 2
    assert "last" not in tracker.selected


def test_early_stopping_waits_for_its_patience():
    stop = {"early_stop": {"rule": "min-val-loss", "patience": 2}, "epochs": 100}
    tracker = tracker_of(recipe(training=stop, selection={"rules": ["last"]}))
    follow(tracker, [*CURVE, (0.5, 0.9, 0.6)])
    assert tracker.outcome == "done"
    assert tracker.epoch == 4
    assert tracker.selected["last"].epoch == 4


def test_interval_snapshots_begin_with_the_initial_weights():
    tracker = tracker_of(recipe(snapshots={"every": 2, "first_layer_every": 3}))
    tracker.start(weights_at(0))
    follow(tracker, CURVE)
    kept = tracker.take_pending()
    assert [(one.epoch, one.part) for one in kept] == [
        (0, "network"),
        (0, "first-layer"),
        (2, "network"),
        (3, "first-layer"),
        (4, "network"),
    ]
    assert set(kept[1].weights) == {"fc1.weight"}
    assert not tracker.take_pending()


@pytest.mark.parametrize(
    "schedule",
    [
        {"kind": "constant"},
        {"kind": "reduce-on-plateau", "patience": 0},
        {"kind": "settle", "window": 1, "threshold": 0.5},
    ],
    ids=lambda s: s["kind"],
)
@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_resumes_from_its_scalars(schedule, cut):
    stop = {"early_stop": {"rule": "min-val-loss", "patience": 3}, "epochs": 6}
    of = recipe(selection={"rules": RULES}, schedule=schedule, training=stop)
    whole = tracker_of(of)
    follow(whole, CURVE)
    before = tracker_of(of)
    follow(before, CURVE[:cut])
    scalars = json.loads(json.dumps(before.scalars()))
    after = tracker_of(of)
    after.restore(scalars, before.curves, {chosen.epoch: chosen.weights for chosen in before.selected.values()})
    follow(after, CURVE[cut:])
    assert after.scalars() == whole.scalars()
    assert after.curves == whole.curves
    assert (
        after.schedule.rates(after.epoch, 2).learning_rates[0] == whole.schedule.rates(whole.epoch, 2).learning_rates[0]
    )


def test_test_accuracy_is_selected_from_where_it_was_measured():
    of = recipe(test={"monitor_every": 2, "read_at": ["max-test-accuracy"]}, selection={"rules": ["max-test-accuracy"]})
    tracker = tracker_of(of)
    for epoch in range(1, 5):
        measured = {"test_loss": 1.0, "test_accuracy": 0.1 * epoch} if epoch % 2 == 0 else {}
        metrics = {"train_loss": 1.0, "val_loss": 1.0, "val_accuracy": 0.5, "lr": 0.1, **measured}
        tracker.observe(metrics, weights_at(epoch))
    assert tracker.selected["max-test-accuracy"].epoch == 4
    assert [math.isnan(value) for value in tracker.curves["test_accuracy"]] == [True, False, True, False]


def test_epoch_0_is_the_start_and_can_be_chosen():
    tracker = tracker_of(recipe(selection={"rules": ["epoch:0", "last"]}))
    tracker.start(weights_at(0))
    follow(tracker, CURVE)
    assert (tracker.selected["epoch:0"].epoch, tracker.selected["epoch:0"].value) == (0, None)
    assert tracker.selected["epoch:0"].weights["fc1.weight"][0, 0] == 0
