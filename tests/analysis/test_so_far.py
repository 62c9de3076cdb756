from __future__ import annotations

import numpy as np
import pytest

from paribus.analysis.findings import overfitting
from paribus.analysis.so_far import rise
from paribus.analysis.thresholds import OVERFIT_EPOCHS
from tests.analysis.made_outputs import classifiers


@pytest.mark.parametrize("up", [0.0, 0.001, 0.02, 0.1])
def test_a_rise_is_what_will_be_overfitting_at_the_end(up: float) -> None:
    epochs = np.arange(1, 61)
    losses = 0.5 + np.exp(-epochs / 5) + up * np.maximum(epochs - 30, 0) / 30
    maker = classifiers(("a", "b"), replicates=1)
    maker.run("one", 0, curves={"train_loss": 0.5 * losses, "val_loss": losses, "val_accuracy": 1 - losses / 2})
    at_end = overfitting(maker.results().runs[0])
    found = rise(epochs.tolist(), losses.tolist())
    assert (found is None) == (at_end is None)
    if found is not None and at_end is not None:
        assert (found.epoch, found.lowest, found.last) == (at_end.epoch, at_end.lowest, at_end.last)


def test_thinned_epochs_will_do() -> None:
    epochs = np.arange(1, 1001, 10)
    found = rise(epochs.tolist(), (0.5 + np.abs(epochs - 401) / 1000).tolist())
    assert found is not None
    assert found.epoch == 401


def test_it_is_not_judged_too_early() -> None:
    rising = [0.1 + 0.1 * epoch for epoch in range(OVERFIT_EPOCHS - 1)]
    assert rise(range(1, OVERFIT_EPOCHS), rising) is None
    assert rise([], []) is None
    assert rise([500], [1.0]) is None
