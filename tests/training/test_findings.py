from __future__ import annotations

import math

from paribus.store.records import Measurement
from paribus.training.findings import findings_of


def kinds(outcome="done", curves=None, **numbers):
    measurements = [Measurement("last", name, value) for name, value in {"epoch": 9, **numbers}.items()]
    return [f.kind for f in findings_of(outcome, curves or {"train_loss": [1.0]}, measurements)]


def test_nothing_to_say_of_a_healthy_run():
    assert kinds(output_variation=0.8, dead_units=0, unmoved_units=0, hidden_units=16) == []


def test_collapse_and_dead_units_are_named():
    found = kinds(output_variation=0.001, dead_units=15, unmoved_units=3, hidden_units=16)
    assert found == ["collapse", "dead-units", "unmoved-units"]


def test_divergence_tells_the_epoch_and_the_last_finite_loss():
    [found] = findings_of("diverged", {"train_loss": [2.0, 9.0, math.inf]}, [])
    assert (found.kind, found.epoch, found.detail) == ("diverged", 3, {"last_finite_train_loss": 9.0})


def test_memorisation():
    assert kinds(memorised=0.7, mislabelled=0.27) == ["memorisation"]
    assert kinds(memorised=0.1, mislabelled=0.27) == []


def test_overfit_onset_where_the_validation_loss_turns():
    curve = [abs(epoch - 30) / 30 + 0.5 for epoch in range(100)]
    [found] = findings_of("done", {"train_loss": [1.0], "val_loss": curve}, [])
    assert found.kind == "overfit-onset"
    assert abs(found.epoch - 31) <= 1
    assert not findings_of("done", {"train_loss": [1.0], "val_loss": curve[:30]}, [])
