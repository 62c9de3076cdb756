"""One of every kind that studies may declare: activations, losses, optimizers, schedules."""

from __future__ import annotations

from typing import Any, get_args

from paribus.spec.activations import Activation
from paribus.spec.losses import Loss
from paribus.spec.optimizers import Optimizer
from paribus.spec.schedules import Schedule

_NEEDED: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.05, "momentum": 0.9},
    "adam": {"lr": 1e-3},
    "adamw": {"lr": 1e-3},
    "rmsprop": {"lr": 1e-3, "momentum": 0.9},
    "forward-correction": {"matrix": ((0.8, 0.2, 0.0), (0.0, 1.0, 0.0), (0.1, 0.1, 0.8))},
    "function": {"function": "nets.py:loss"},
    "step": {"step_size": 2},
    "multi-step": {"milestones": (1, 3)},
    "exponential": {"gamma": 0.9},
    "cosine-restarts": {"first_cycle": 2},
}
"""What a kind must be given, or here is given so that all of its arithmetic is used."""


def _one_of_each(declared: Any) -> dict[str, Any]:
    """By kind, from the union of all tables that a study file may have in one place."""
    found: dict[str, Any] = {}
    for table in get_args(get_args(declared)[0]):
        (kind,) = get_args(table.model_fields["kind"].annotation)
        found[kind] = table(kind=kind, **_NEEDED.get(kind, {}))
    return found


ACTIVATIONS = _one_of_each(Activation)
LOSSES = _one_of_each(Loss)
OPTIMIZERS = _one_of_each(Optimizer)
SCHEDULES = _one_of_each(Schedule)
