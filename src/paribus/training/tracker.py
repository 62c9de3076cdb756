"""What is kept of one run while it trains: curves, the exact epoch of every selection rule, snapshots, its outcome."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from paribus.spec.identity import RunSpec
from paribus.spec.network import FIRST_LAYER
from paribus.spec.rules import SelectionRule, parse_rule
from paribus.training.engine import State
from paribus.training.schedules import schedule_of


@dataclass
class SelectedEpoch:
    """The epoch that a selection rule chooses so far, and its weights; no value for rules without a metric."""

    epoch: int
    value: float | None
    weights: State


@dataclass(frozen=True)
class PendingSnapshot:
    """An interval snapshot that is not yet written."""

    epoch: int
    part: Literal["network", "first-layer"]
    weights: State


class Tracker:
    """Follows one run from epoch to epoch and decides when it ends."""

    def __init__(self, spec: RunSpec) -> None:
        self._recipe = spec.recipe
        self.schedule = schedule_of(spec.recipe)
        self.curves: dict[str, list[float]] = {name: [] for name in spec.recipe.curves(spec.dataset)}
        self.selected: dict[str, SelectedEpoch] = {}
        self.outcome: Literal["done", "diverged"] | None = None
        self._pending: list[PendingSnapshot] = []
        self._rules = {text: parse_rule(text) for text in spec.recipe.selection.rules}
        self._stop_epoch = 0
        self._stop_value: float | None = None

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return len(self.curves["train_loss"])

    def start(self, weights: Callable[[], State]) -> None:
        """Keep the initial weights where a rule or interval snapshots ask for them."""
        for text, rule in self._rules.items():
            if rule.kind == "epoch" and rule.epoch == 0:
                self.selected[text] = SelectedEpoch(0, None, weights())
        self._keep_snapshots(0, weights)

    def observe(self, metrics: Mapping[str, float], weights: Callable[[], State]) -> None:
        """Record a finished epoch; `weights` gives a copy of the run's parameters, and is called only where needed.

        A run whose training loss is not finite has diverged: nothing is selected from that epoch.
        """
        for name, curve in self.curves.items():
            curve.append(metrics.get(name, math.nan))
        epoch = self.epoch
        if not math.isfinite(metrics["train_loss"]):
            self.outcome = "diverged"
            return
        self.schedule.observe(metrics)
        stopping = self._should_stop(metrics, epoch) or epoch == self._recipe.training.epochs
        copy: State | None = None
        for text, rule in self._rules.items():
            if self._chooses(text, rule, metrics, stopping=stopping):
                copy = copy or weights()
                self.selected[text] = SelectedEpoch(epoch, metrics[rule.metric] if rule.kind == "best" else None, copy)
        self._keep_snapshots(epoch, weights)
        if stopping:
            self.outcome = "done"

    def _chooses(self, text: str, rule: SelectionRule, metrics: Mapping[str, float], *, stopping: bool) -> bool:
        if rule.kind == "last":
            return stopping
        if rule.kind == "epoch":
            return self.epoch == rule.epoch
        best = self.selected[text].value if text in self.selected else None
        return rule.improves(metrics.get(rule.metric, math.nan), best)

    def _keep_snapshots(self, epoch: int, weights: Callable[[], State]) -> None:
        every, first_every = self._recipe.snapshots.every, self._recipe.snapshots.first_layer_every
        if every and epoch % every == 0:
            self._pending.append(PendingSnapshot(epoch, "network", weights()))
        if first_every and epoch % first_every == 0:
            self._pending.append(PendingSnapshot(epoch, "first-layer", {FIRST_LAYER: weights()[FIRST_LAYER]}))

    def _should_stop(self, metrics: Mapping[str, float], epoch: int) -> bool:
        stop = self._recipe.training.early_stop
        if stop is None:
            return False
        rule = parse_rule(stop.rule)
        if rule.improves(metrics[rule.metric], self._stop_value):
            self._stop_epoch, self._stop_value = epoch, metrics[rule.metric]
        return epoch - self._stop_epoch >= stop.patience

    def take_pending(self) -> list[PendingSnapshot]:
        """The snapshots kept since the last call."""
        pending, self._pending = self._pending, []
        return pending

    def scalars(self) -> dict[str, Any]:
        """Plain values from which `restore` resumes; the weights of `selected` are kept by the caller, by epoch."""
        return {
            "schedule": self.schedule.state(),
            "selected": {rule: [chosen.epoch, chosen.value] for rule, chosen in self.selected.items()},
            "early_stop": [self._stop_epoch, self._stop_value],
        }

    def restore(
        self, scalars: Mapping[str, Any], curves: Mapping[str, list[float]], weights: Mapping[int, State]
    ) -> None:
        """Resume from `scalars`, whole curves, and the weights of the epochs selected so far.

        What is only measured may have changed since: a new curve begins with NaN, and a former one ends with NaN.
        """
        self.schedule.restore(scalars["schedule"])
        unmeasured = [math.nan] * len(curves["train_loss"])
        new = {name: list(unmeasured) for name in self.curves if name not in curves}
        self.curves = {**{name: list(values) for name, values in curves.items()}, **new}
        self.selected = {rule: SelectedEpoch(e, value, weights[e]) for rule, (e, value) in scalars["selected"].items()}
        self._stop_epoch, self._stop_value = scalars["early_stop"]
