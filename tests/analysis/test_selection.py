import math

import pytest

from paribus.analysis.selection import columns, gaps, onsets, rule_table, settling
from paribus.spec.rules import settled_epoch

SETTLES = """
[[arms]]
name = "settling"
schedule = { kind = "settle", window = 3, threshold = 0.02 }
"""


def test_the_table_has_a_line_for_every_arm_and_rule(classifiers, steady) -> None:
    maker = classifiers(replicates=1)
    maker.run("fixed", 0, curves=steady(0), measured={("max-val-accuracy", "test_accuracy"): 0.8})
    lines = rule_table(maker.results())
    assert [(line.arm, line.rule) for line in lines] == [
        (arm, rule) for arm in ("fixed", "dropped") for rule in ("min-train-loss", "max-val-accuracy")
    ]
    assert columns(lines) == ("epoch", "train_loss", "val_loss", "val_accuracy", "test_accuracy")
    assert lines[1].cells["test_accuracy"].mean == 0.8


def test_the_milestone_is_found_from_the_curve_by_the_stated_rule(classifiers) -> None:
    maker = classifiers(replicates=1, epochs=60, more=SETTLES)
    losses = [1.0 * math.exp(-epoch / 8) + 0.3 for epoch in range(60)]
    maker.run("fixed", 0, curves={"train_loss": losses, "val_accuracy": losses, "lr": [0.1] * 60})
    maker.run("dropped", 0, curves={"train_loss": losses, "val_accuracy": losses, "lr": [0.1] * 2 + [0.01] * 58})
    fixed, dropped = settling(maker.results())
    assert (fixed.window, fixed.threshold) == (3, 0.02)
    assert fixed.epoch == settled_epoch(losses, 3, 0.02)
    assert fixed.epoch is not None
    assert (fixed.constant, fixed.lr_dropped_at) == (True, None)
    assert (dropped.constant, dropped.lr_dropped_at) == (False, 2)


def test_the_gap_is_positive_where_held_out_examples_do_worse(classifiers, steady) -> None:
    maker = classifiers(replicates=2)
    for replicate in range(2):
        measured = {("max-val-accuracy", "train_accuracy"): 0.9, ("max-val-accuracy", "test_accuracy"): 0.75}
        maker.run("fixed", replicate, curves=steady(replicate), measured=measured)
    found = {(gap.rule, gap.metric, gap.split): gap for gap in gaps(maker.results())}
    assert found["min-train-loss", "loss", "val"].gap.values == pytest.approx((0.7, 0.69))
    assert found["max-val-accuracy", "accuracy", "val"].gap.values == pytest.approx((0.1, 0.09))
    assert found["max-val-accuracy", "accuracy", "test"].gap.mean == pytest.approx(0.15)


def test_the_gap_takes_the_training_loss_at_the_epoch_s_end_where_there_is_one(classifiers, steady) -> None:
    maker = classifiers(replicates=1)
    maker.run("fixed", 0, curves={**steady(0), "train_loss_end": [0.9, 0.4, 0.2, 0.1]})
    gap = next(gap for gap in gaps(maker.results()) if gap.rule == "min-train-loss")
    assert gap.train.mean == 0.1
    assert gap.gap.mean == pytest.approx(0.8)


def test_overfitting_begins_at_the_smoothed_minimum_of_the_validation_loss(classifiers) -> None:
    maker = classifiers(replicates=2, epochs=40)
    falling = [1.0 - 0.02 * epoch for epoch in range(40)]
    risen = [*falling[:20], *(0.6 + 0.01 * epoch for epoch in range(20))]
    for replicate, losses in enumerate((risen, falling)):
        maker.run("fixed", replicate, curves={"train_loss": falling, "val_loss": losses, "val_accuracy": falling})
    (onset,) = onsets(maker.results())
    smooth = {epoch: sum(risen[epoch - 3 : epoch + 2]) / 5 for epoch in range(3, 39)}
    assert (onset.replicate, onset.epoch, onset.last_epoch) == (0, min(smooth, key=smooth.__getitem__), 40)
    assert (onset.lowest, onset.last) == pytest.approx((min(smooth.values()), smooth[38]))
