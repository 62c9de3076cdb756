from __future__ import annotations

import pytest

from paribus.spec import builtin
from paribus.spec.dataset import Dataset
from paribus.spec.metrics import METRICS, by_priority
from paribus.spec.study import parse

IMAGES = Dataset("images", 784, (28, 28), tuple("0123456789"), 10_000, 1_000, 10_000, 11_000)


@pytest.mark.parametrize("name", builtin.NAMES)
def test_every_curve_of_a_recipe_is_a_registered_metric_of_its_task(name: str) -> None:
    for arm in parse(builtin.text(name), place=name).arms:
        for curve in arm.recipe.curves(IMAGES):
            assert METRICS[curve].per_epoch
            assert arm.recipe.task in METRICS[curve].tasks


def test_what_is_compared_has_a_better_and_a_worse() -> None:
    assert [metric.name for metric in by_priority()] == [
        "test_accuracy", "test_rmse", "test_mse", "val_accuracy", "val_rmse", "val_mse", "mse"
    ]  # fmt: skip
    assert all(metric.direction for metric in by_priority())


def test_accuracies_and_shares_are_read_in_per_cent_and_losses_are_not() -> None:
    shares = {name for name, metric in METRICS.items() if metric.is_share}
    assert {"train_accuracy", "val_accuracy", "test_accuracy", "memorised", "mislabelled"} <= shares
    assert not {name for name in shares if "loss" in name or "mse" in name or "units" in name}


def test_each_of_several_numbers_to_be_predicted_has_metrics_of_its_own() -> None:
    rent = METRICS["test_rmse:rent"]
    assert (rent.label, rent.target, rent.direction, rent.split) == ("test RMSE of rent", "rent", -1, "test")
    assert rent.name not in METRICS
    assert rent not in by_priority()
    for other in ("test_accuracy:rent", "train_rmse:rent", "test_rmse:", "rent", ""):
        assert METRICS.known(other) is None
