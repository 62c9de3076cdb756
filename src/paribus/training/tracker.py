"""What is kept of one run while it trains: curves, the exact epoch of every selection rule, snapshots, its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from paribus.spec.recipe import Recipe
from paribus.spec.rules import parse_rule
from paribus.training.schedules import rates_of

Weights = Mapping[str, Tensor]


@dataclass
class Best:
    """The epoch that a selection rule would choose now."""

    epoch: int
    value: float | None
    weights: Weights


@dataclass(frozen=True)
class Kept:
    """An interval snapshot not yet written."""

    epoch: int
    part: Literal["network", "first-layer"]
    weights: Weights


class Tracker:
    """Follows one run from epoch to epoch and decides when it ends."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.rates = rates_of(recipe)
        self.curves: dict[str, list[float]] = {name: [] for name in recipe.curves}
        self.best: dict[str, Best] = {}
        self.kept: list[Kept] = []
        self.outcome: Literal["done", "diverged"] | None = None
        self._rules = {text: parse_rule(text) for text in recipe.selection.rules}
        self._stop_epoch = 0
        self._stop_value: float | None = None

    @property
    def epoch(self) -> int:
        return len(self.curves["train_loss"])

    def start(self, weights: Callable[[], Weights]) -> None:
        """Keep the random start where interval snapshots are asked for."""
        self._keep_interval(0, weights)

    def observe(self, metrics: Mapping[str, float], weights: Callable[[], Weights]) -> None:
        """Record a finished epoch; `weights` gives a copy of the run's parameters, and is called only where needed."""
        for name, curve in self.curves.items():
            curve.append(metrics.get(name, math.nan))
        epoch = self.epoch
        if not math.isfinite(metrics["train_loss"]):
            self.outcome = "diverged"
            return
        self.rates.observe(metrics)
        stopping = self._should_stop(metrics, epoch) or epoch == self.recipe.training.epochs
        copy: Weights | None = None
        for text, rule in self._rules.items():
            chosen = (
                stopping if rule.kind == "last"
                else epoch == rule.epoch if rule.kind == "epoch"
                else rule.improves(metrics.get(rule.metric, math.nan), self._best_value(text))
            )  # fmt: skip
            if chosen:
                copy = copy or weights()
                self.best[text] = Best(epoch, metrics[rule.metric] if rule.kind == "best" else None, copy)
        self._keep_interval(epoch, weights)
        if stopping:
            self.outcome = "done"

    def _best_value(self, rule: str) -> float | None:
        return self.best[rule].value if rule in self.best else None

    def _keep_interval(self, epoch: int, weights: Callable[[], Weights]) -> None:
        every, first_every = self.recipe.snapshots.every, self.recipe.snapshots.first_layer_every
        if every and epoch % every == 0:
            self.kept.append(Kept(epoch, "network", weights()))
        if first_every and epoch % first_every == 0:
            self.kept.append(Kept(epoch, "first-layer", {"fc1.weight": weights()["fc1.weight"]}))

    def _should_stop(self, metrics: Mapping[str, float], epoch: int) -> bool:
        stop = self.recipe.training.early_stop
        if stop is None:
            return False
        rule = parse_rule(stop.rule)
        if rule.improves(metrics[rule.metric], self._stop_value):
            self._stop_epoch, self._stop_value = epoch, metrics[rule.metric]
        return epoch - self._stop_epoch >= stop.patience

    def drain(self) -> list[Kept]:
        """The snapshots kept since the last call."""
        kept, self.kept = self.kept, []
        return kept

    def scalars(self) -> dict[str, Any]:
        """Plain values from which `restore` goes on; the weights of `best` are kept by the caller, by epoch."""
        return {
            "rates": self.rates.state(),
            "best": {rule: [best.epoch, best.value] for rule, best in self.best.items()},
            "stop": [self._stop_epoch, self._stop_value],
        }

    def restore(
        self, scalars: Mapping[str, Any], curves: Mapping[str, list[float]], best_weights: Mapping[int, Weights]
    ) -> None:
        """Go on from `scalars`, whole curves and the weights of the best epochs so far."""
        self.rates.restore(scalars["rates"])
        self.curves = {name: list(curves[name]) for name in self.recipe.curves}
        self.best = {rule: Best(e, value, best_weights[e]) for rule, (e, value) in scalars["best"].items()}
        self._stop_epoch, self._stop_value = scalars["stop"]
