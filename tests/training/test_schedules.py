"""Learning rates are those of `torch.optim.lr_scheduler`, to the last bit, over hundreds of epochs."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from torch.optim import lr_scheduler as schedulers

from paribus.spec.rules import settled_epoch
from paribus.training.schedules import schedule_of
from tests.training.conftest import recipe

EPOCHS, LR = 500, 0.05
BY_EPOCH = {
    "step": ({"kind": "step", "step_size": 7, "gamma": 0.9}, lambda o: schedulers.StepLR(o, 7, 0.9)),
    "multi-step": (
        {"kind": "multi-step", "milestones": [3, 80, 200], "gamma": 0.3},
        lambda o: schedulers.MultiStepLR(o, [3, 80, 200], 0.3),
    ),
    "exponential": ({"kind": "exponential", "gamma": 0.99}, lambda o: schedulers.ExponentialLR(o, 0.99)),
    "cosine": ({"kind": "cosine", "min_lr": 1e-4}, lambda o: schedulers.CosineAnnealingLR(o, EPOCHS, 1e-4)),
    "cosine after a warm-up": (
        {"kind": "cosine", "min_lr": 1e-4, "warmup_epochs": 13, "warmup_start": 0.1},
        lambda o: schedulers.SequentialLR(
            o,
            [
                schedulers.LinearLR(o, 0.1, total_iters=13),
                schedulers.CosineAnnealingLR(o, EPOCHS - 13, 1e-4),
            ],
            milestones=[13],
        ),
    ),
    "cosine with restarts": (
        {"kind": "cosine-restarts", "first_cycle": 11, "factor": 2, "min_lr": 1e-3},
        lambda o: schedulers.CosineAnnealingWarmRestarts(o, 11, 2, 1e-3),
    ),
    "cosine with equal restarts": (
        {"kind": "cosine-restarts", "first_cycle": 17},
        lambda o: schedulers.CosineAnnealingWarmRestarts(o, 17),
    ),
}


def optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR, momentum=0.9)


@pytest.mark.parametrize(("spec", "make"), BY_EPOCH.values(), ids=BY_EPOCH)
def test_rates_by_epoch(spec, make):
    theirs, ours = optimizer(), schedule_of(recipe(schedule=spec, training={"epochs": EPOCHS}))
    scheduler = make(theirs)
    for epoch in range(EPOCHS):
        assert ours.rates(epoch, 3).learning_rates.tolist() == [theirs.param_groups[0]["lr"]] * 3, epoch
        theirs.step()
        scheduler.step()


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"anneal_strategy": "linear"},
        {"three_phase": True, "pct_start": 0.4},
        {"pct_start": 0.25, "div_factor": 10.0, "final_div_factor": 100.0},
        {"base_momentum": 0.5, "max_momentum": 0.9},
    ],
    ids=str,
)
def test_one_cycle_by_batch(keys):
    epochs, batches = 40, 7
    theirs = optimizer()
    scheduler = schedulers.OneCycleLR(theirs, LR, total_steps=epochs * batches, **keys)
    ours = schedule_of(recipe(schedule={"kind": "one-cycle", **keys}, training={"epochs": epochs}))
    for epoch in range(epochs):
        found = ours.rates(epoch, batches)
        for batch in range(batches):
            assert found.learning_rates[batch] == theirs.param_groups[0]["lr"]
            assert found.momenta[batch] == theirs.param_groups[0]["momentum"]
            theirs.step()
            if epoch * batches + batch + 1 < epochs * batches:
                scheduler.step()


@pytest.mark.parametrize("metric", ["val_loss", "val_accuracy"])
@pytest.mark.parametrize("keys", [{}, {"patience": 2, "cooldown": 3}, {"threshold": 0.1, "min_lr": 1e-3}], ids=str)
def test_plateau(metric, keys):
    keys = {"patience": 1, "factor": 0.5, **keys}
    theirs = optimizer()
    mode = "max" if metric == "val_accuracy" else "min"
    scheduler = schedulers.ReduceLROnPlateau(theirs, mode=mode, **keys)
    ours = schedule_of(recipe(schedule={"kind": "reduce-on-plateau", "metric": metric, **keys}))
    noise = torch.rand(EPOCHS, generator=torch.Generator().manual_seed(5), dtype=torch.float64).tolist()
    for epoch, value in enumerate(noise):
        assert ours.rates(epoch, 1).learning_rates[0] == theirs.param_groups[0]["lr"]
        ours.observe({metric: 0.5 + value / (1 + epoch / 50)})
        scheduler.step(0.5 + value / (1 + epoch / 50))
        restored = schedule_of(recipe(schedule={"kind": "reduce-on-plateau", "metric": metric, **keys}))
        restored.restore(ours.state())
        ours = restored


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("threshold", [0.3, 0.05, 0.01])
@pytest.mark.parametrize("seed", range(4))
def test_settle_acts_with_the_first_plateau_of_the_moving_mean(window, threshold, seed):
    """As `window` PyTorch schedulers of patience 0 do, each of which sees the moving mean every `window` epochs.

    Until one of them acts, its best value is the one before: each was lower than the last by the threshold.
    """
    keys = {"factor": 0.1, "patience": 0, "threshold": threshold}
    plateaus = [schedulers.ReduceLROnPlateau(optimizer(), **keys) for _ in range(window)]
    settle = {"kind": "settle", "window": window, "threshold": threshold}
    ours = schedule_of(recipe(schedule=settle, training={"epochs": EPOCHS}))
    noise = torch.rand(EPOCHS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).tolist()
    losses = [2 * 0.97**epoch + 0.1 + 0.01 * value for epoch, value in enumerate(noise)]
    lowered = 0
    for epoch in range(1, EPOCHS + 1):
        ours.observe({"train_loss": losses[epoch - 1]})
        if epoch >= window and not lowered:
            plateau = plateaus[epoch % window]
            plateau.step(statistics.fmean(losses[epoch - window : epoch]))
            lowered = epoch if plateau.optimizer.param_groups[0]["lr"] < LR else 0
        if epoch < EPOCHS:
            assert ours.rates(epoch, 1).learning_rates[0] == (LR * 0.1 if lowered else LR)
    assert lowered
    assert lowered == settled_epoch(losses, window, threshold)


def test_settle_lowers_the_rate_once_after_the_epoch_that_the_rule_names():
    losses = [1 / epoch for epoch in range(1, 40)]
    spec = {"kind": "settle", "window": 3, "threshold": 0.15}
    ours = schedule_of(recipe(schedule=spec, training={"epochs": 39}))
    seen = []
    for epoch, loss in enumerate(losses):
        seen.append(ours.rates(epoch, 1).learning_rates[0])
        ours.observe({"train_loss": loss})
    milestone = settled_epoch(losses, 3, 0.15)
    assert milestone is not None
    assert seen[:milestone] == [LR] * milestone
    assert all(math.isclose(rate, LR / 10) for rate in seen[milestone:])
