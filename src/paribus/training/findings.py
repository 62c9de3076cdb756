"""Findings: what a person should know about a run, each drawn from numbers that are recorded beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from paribus.spec.metrics import COLLAPSE_VARIATION
from paribus.store.records import Finding, Measurement

OVERFIT_RISE = 0.02
"""A validation loss that ends this share above its lowest value has risen."""
MEMORISED_SHARE = 0.5
"""From this share of wrong labels reproduced on, a network is said to have memorised them."""
SMOOTHING_EPOCHS = 5


def findings_of(
    outcome: Literal["done", "diverged"],
    curves: Mapping[str, Sequence[float]],
    measurements: Sequence[Measurement],
) -> list[Finding]:
    """Everything noteworthy, in the order: divergence, collapse, dead and unmoved units, memorising, overfitting."""
    found: list[Finding] = []
    if outcome == "diverged":
        losses = curves["train_loss"]
        finite = [loss for loss in losses if math.isfinite(loss)]
        detail = {"last_finite_train_loss": finite[-1] if finite else None}
        found.append(Finding("diverged", "", len(losses), detail))
    by_rule: dict[str, dict[str, float]] = {}
    for measurement in measurements:
        by_rule.setdefault(measurement.rule, {})[measurement.name] = measurement.value
    for rule, values in by_rule.items():
        found += _of_snapshot(rule, values)
    found += _overfit_onset(curves.get("val_loss", ()))
    return found


def _of_snapshot(rule: str, values: Mapping[str, float]) -> list[Finding]:
    epoch = int(values["epoch"]) if "epoch" in values else None
    found: list[Finding] = []
    if values.get("output_variation", math.inf) < COLLAPSE_VARIATION:
        found.append(Finding("collapse", rule, epoch, {"output_variation": values["output_variation"]}))
    for kind, name in (("dead-units", "dead_units"), ("unmoved-units", "unmoved_units")):
        if values.get(name, 0) > 0:
            found.append(Finding(kind, rule, epoch, {"units": int(values[name]), "of": int(values["hidden_units"])}))
    if values.get("memorised", 0.0) >= MEMORISED_SHARE:
        detail = {"memorised": values["memorised"], "mislabelled": values["mislabelled"]}
        found.append(Finding("memorisation", rule, epoch, detail))
    return found


def _overfit_onset(val_loss: Sequence[float]) -> list[Finding]:
    """Where the validation loss, smoothed over a few epochs, was lowest, if it has clearly risen since."""
    values = np.asarray(val_loss, dtype=np.float64)
    if len(values) < 4 * SMOOTHING_EPOCHS or not np.isfinite(values).all():
        return []
    smooth = np.convolve(values, np.full(SMOOTHING_EPOCHS, 1 / SMOOTHING_EPOCHS), mode="valid")
    lowest = int(np.argmin(smooth))
    if smooth[-1] <= smooth[lowest] * (1 + OVERFIT_RISE):
        return []
    epoch = lowest + 1 + SMOOTHING_EPOCHS // 2
    detail = {"lowest": float(smooth[lowest]), "last": float(smooth[-1])}
    return [Finding("overfit-onset", "", epoch, detail)]
