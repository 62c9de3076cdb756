from __future__ import annotations

import numpy as np
import pytest

from paribus.analysis.agreement import agreements
from paribus.analysis.pace import paces

RULE = "max-val-accuracy"


def _published(loss: float, epoch: int) -> str:
    figures = f"epoch = {epoch}\ntrain_loss = {loss}\ntest_accuracy = 0.99"
    return f'[[published]]\narm = "fixed"\nrule = "{RULE}"\nsource = "a report"\n{figures}\n'


def _trained(maker, steady, speeds):
    for replicate, speed in enumerate(speeds):
        curves = steady(replicate)
        epochs = len(curves["train_loss"])
        falling = {**curves, "train_loss": np.exp(-speed * np.arange(1, epochs + 1))}
        accuracy = {(RULE, "test_accuracy"): 0.8 + 0.001 * replicate}
        maker.run("fixed", replicate, curves=falling, measured=accuracy)
    return maker.results()


def test_the_first_epoch_at_or_below_the_published_loss(classifiers, steady):
    results = _trained(classifiers(more=_published(0.5, 1)), steady, [0.3, 0.32, 0.36])
    [pace] = paces(results)
    assert pace.ours.values == (3.0, 3.0, 2.0)
    assert pace.ratio == pytest.approx(8 / 3)
    assert pace.differs


def test_a_loss_that_one_run_never_reaches_is_not_compared(classifiers, steady):
    results = _trained(classifiers(more=_published(0.2, 3)), steady, [1.0, 1.0, 1e-6])
    [pace] = paces(results)
    assert pace.ratio is None
    assert not pace.differs


def test_agreement_tells_the_pace_where_figures_differ(classifiers, steady):
    results = _trained(classifiers(more=_published(0.5, 1)), steady, [0.3, 0.32, 0.36])
    accuracy = next(entry for entry in agreements(results) if entry.row.metric == "test_accuracy")
    assert accuracy.beyond
    told = next(reason.sentence for reason in accuracy.reasons if reason.kind == "pace")
    assert "n = 3), 2.67 times the published epoch 1; the cause is unknown" in told


def test_agreement_says_where_the_published_loss_was_not_reached(classifiers, steady):
    results = _trained(classifiers(more=_published(1e-9, 3)), steady, [0.3, 0.32, 0.36])
    accuracy = next(entry for entry in agreements(results) if entry.row.metric == "test_accuracy")
    assert any("do not reach the published training loss" in reason.sentence for reason in accuracy.reasons)


def test_arms_that_learn_faster_than_the_published_runs_are_told_beside_slower_ones(classifiers, steady):
    unreached = _published(1e-9, 3).replace(RULE, "min-train-loss")
    slower, faster = _published(0.5, 1), _published(0.5, 4).replace('"fixed"', '"dropped"')
    maker = classifiers(more=unreached + slower + faster)
    for replicate in range(3):
        curves = steady(replicate)
        falling = {**curves, "train_loss": np.exp(-0.4 * np.arange(1, len(curves["train_loss"]) + 1))}
        for arm in ("fixed", "dropped"):
            maker.run(
                arm, replicate, curves=falling, measured={("min-train-loss", "test_accuracy"): 0.8 + replicate / 99}
            )
    (told,) = {r.sentence for a in agreements(maker.results()) for r in a.reasons if "do not reach" in r.sentence}
    assert told.endswith("their epoch is so many times the published one: 2.00 (fixed) and 0.50 (dropped)")
