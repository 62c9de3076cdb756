"""A default is what a field means that a recorded identity leaves out: another default needs another NUMERICS."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from pydantic import BaseModel
from torch import nn, optim

from paribus.spec import activations, data, initialisations, losses, network, optimizers, recipe, schedules, split

lr_scheduler = optim.lr_scheduler


@pytest.mark.parametrize(
    ("model", "torchs", "renamed"),
    [
        (optimizers.Sgd, optim.SGD, {}),
        (optimizers.Adam, optim.Adam, {}),
        (optimizers.AdamW, optim.AdamW, {}),
        (optimizers.RmsProp, optim.RMSprop, {}),
        (schedules.Step, lr_scheduler.StepLR, {}),
        (schedules.MultiStep, lr_scheduler.MultiStepLR, {}),
        (schedules.Cosine, lr_scheduler.CosineAnnealingLR, {"min_lr": "eta_min"}),
        (schedules.CosineRestarts, lr_scheduler.CosineAnnealingWarmRestarts, {"min_lr": "eta_min", "factor": "T_mult"}),
        (schedules.OneCycle, lr_scheduler.OneCycleLR, {}),
        (schedules.ReduceOnPlateau, lr_scheduler.ReduceLROnPlateau, {}),
        (losses.CrossEntropy, nn.CrossEntropyLoss, {"class_weights": "weight"}),
        (losses.Huber, nn.HuberLoss, {}),
        (activations.LeakyRelu, nn.LeakyReLU, {"slope": "negative_slope"}),
        (activations.Elu, nn.ELU, {}),
    ],
)
def test_defaults_are_those_of_pytorch(model: type[BaseModel], torchs: Any, renamed: dict[str, str]) -> None:
    parameters = inspect.signature(torchs.__init__).parameters
    own = {"kind", "metric", "warmup_epochs", "warmup_start"}
    compared = 0
    for name, field in model.model_fields.items():
        if name not in own and not field.is_required():
            assert field.default == parameters[renamed.get(name, name)].default, name
            compared += 1
    assert compared


def test_torch_starts_layers_as_linear_says() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(100, 5000)
    bound = 1 / 100**0.5
    for values in (layer.weight, layer.bias):
        assert float(values.detach().abs().max()) == pytest.approx(bound, rel=0.01)
        assert float(values.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.02)


def test_the_other_defaults_are_as_recorded() -> None:
    assert recorded(schedules.Cosine) >= {("warmup_epochs", 0), ("warmup_start", 0.1)}
    assert recorded(schedules.Settle) == {("window", 10), ("threshold", 0.01), ("gamma", 0.1)}
    assert recorded(schedules.ReduceOnPlateau) >= {("metric", "val_loss")}
    assert recorded(network.Mlp) == {("activation", (activations.Relu(),)), ("init", initialisations.Linear()),
                                     ("dropout", 0.0), ("batch_norm", False)}  # fmt: skip
    assert recorded(network.Autoencoder) == recorded(network.Mlp) | {("tied", False)}
    assert recorded(initialisations.Orthogonal) == {("bias", None)}
    assert recorded(data.Data) == {
        ("task", None), ("target", ()), ("inputs", data.Inputs()), ("missing", "refuse"), ("scale", "unit"),
        ("scale_target", "standardise"), ("label_noise", None), ("planted", None), ("limit", data.Limit()),
    }  # fmt: skip
    assert {value for _, value in recorded(data.Inputs)} == {None, ()}
    assert recorded(split.Split) == {
        ("validation", 0.0), ("test", 0.0), ("column", None), ("folds", None), ("stratify", True),
        ("index", None), ("within", None),
    }  # fmt: skip
    assert recorded(recipe.Training) == {("early_stop", None), ("clip", None), ("co_teaching", None)}
    assert recorded(recipe.Selection) == {("rules", ("last",))}
    assert recorded(recipe.Recipe) >= {("loss", losses.CrossEntropy()), ("schedule", schedules.Constant())}


def recorded(model: type[BaseModel]) -> set[tuple[str, Any]]:
    return {(name, field.default) for name, field in model.model_fields.items() if not field.is_required()}
