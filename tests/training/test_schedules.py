from __future__ import annotations

import math

from paribus.spec.rules import settled_epoch
from paribus.training.schedules import rates_of
from tests.training.conftest import recipe


def test_multi_step_changes_after_the_milestone():
    rates = rates_of(recipe(schedule={"kind": "multi-step", "milestones": [2]}, training={"epochs": 4}))
    assert [rates.rate(epoch) for epoch in range(4)] == [0.05, 0.05, 0.05 * 0.1, 0.05 * 0.1]


def test_settle_lowers_the_rate_once_after_the_epoch_that_the_rule_names():
    losses = [1 / epoch for epoch in range(1, 40)]
    rates = rates_of(recipe(schedule={"kind": "settle", "window": 3, "threshold": 0.15}, training={"epochs": 39}))
    seen = []
    for epoch, loss in enumerate(losses):
        seen.append(rates.rate(epoch))
        rates.observe({"train_loss": loss})
    milestone = settled_epoch(losses, 3, 0.15)
    assert milestone is not None
    assert seen[:milestone] == [0.05] * milestone
    assert all(math.isclose(rate, 0.005) for rate in seen[milestone:])


def test_plateau_watches_accuracy_upwards():
    rates = rates_of(recipe(schedule={"kind": "reduce-on-plateau", "metric": "val_accuracy", "patience": 0}))
    for accuracy in (0.5, 0.6, 0.7):
        rates.observe({"val_accuracy": accuracy})
        assert rates.rate(0) == 0.05
    rates.observe({"val_accuracy": 0.7})
    assert math.isclose(rates.rate(0), 0.005)
