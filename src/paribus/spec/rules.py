"""Rules that read a curve: which epoch's weights are chosen, and when a loss has settled.

Pure functions on plain numbers, so that training (while a run goes on) and analysis (afterwards) cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Strict

from paribus.spec.metrics import METRICS


@dataclass(frozen=True)
class SelectionRule:
    """How one epoch's weights are chosen: the best epoch of a metric, the last, or a given one.

    Ties go to the earliest epoch, and a value that is not finite is never the best. Epoch 0 is the start: it has
    weights, but no metric.
    """

    kind: Literal["best", "last", "epoch"]
    metric: str = ""
    direction: int = 0
    epoch: int = 0

    @property
    def split(self) -> str:
        """The split whose metric decides; "none" for `last` and `epoch:N`."""
        return METRICS[self.metric].split if self.metric else "none"

    def improves(self, value: float, best: float | None) -> bool:
        """Whether `value` takes the place of `best` (None before there is one)."""
        if not math.isfinite(value):
            return False
        return best is None or self.direction * (value - best) > 0


def parse_rule(text: str) -> SelectionRule:
    """`min-train-loss`, `min-val-loss`, `max-val-accuracy`, `last` or `epoch:N` as a `SelectionRule`.

    Any metric with a value an epoch may follow `min-` or `max-`, of one of several numbers to be predicted with the
    number's name: `min-val-rmse:price`. Raises ValueError for anything else.
    """
    if text == "last":
        return SelectionRule("last")
    head, _, tail = text.partition(":")
    if head == "epoch" and tail.isdecimal() and tail.isascii() and len(tail) <= 9:
        return SelectionRule("epoch", epoch=int(tail))
    way, _, rest = text.partition("-")
    base, colon, target = rest.partition(":")
    metric = METRICS.known(f"{base.replace('-', '_')}{colon}{target}")
    if way in ("min", "max") and metric is not None and metric.per_epoch and metric.direction:
        if metric.by_true_labels:
            raise ValueError(f"must not choose by true labels, as {metric.name} does: training does not know them")
        if metric.direction != {"min": -1, "max": 1}[way]:
            raise ValueError(f"must choose the best epoch, but `{text}` chooses the worst")
        return SelectionRule("best", metric=metric.name, direction=metric.direction)
    if way in ("min", "max") and metric is not None and metric.scope == "snapshot":
        raise ValueError(
            f"must choose by a metric of each epoch, but {metric.name} is measured at selected epochs only"
        )
    raise ValueError("must be min-train-loss, min-val-loss, max-val-accuracy, min-val-rmse, last or epoch:N")


def _normal_form(text: str) -> str:
    """A rule's one spelling: `epoch:03` is `epoch:3`."""
    rule = parse_rule(text)
    return f"epoch:{rule.epoch}" if rule.kind == "epoch" else text


RuleName = Annotated[str, Strict(), AfterValidator(_normal_form)]


def selected_epoch(rule: SelectionRule, curves: dict[str, Sequence[float]], epochs: int) -> int | None:
    """The epoch (numbered from 1) that `rule` chooses from whole curves; None where no value is finite."""
    if rule.kind == "last":
        return epochs
    if rule.kind == "epoch":
        return rule.epoch if rule.epoch <= epochs else None
    chosen: int | None = None
    best: float | None = None
    for epoch, value in enumerate(curves[rule.metric][:epochs], start=1):
        if rule.improves(value, best):
            chosen, best = epoch, value
    return chosen


def settled_epoch(losses: Sequence[float], window: int, threshold: float) -> int | None:
    """The first epoch at which a loss has stopped changing noticeably, or None.

    The rule: at epoch `n`, the mean loss of the last `window` epochs lies less than `threshold` (a fraction) below the
    mean of the `window` epochs before them.
    """
    for n in range(2 * window, len(losses) + 1):
        if has_settled(losses[n - 2 * window : n], threshold):
            return n
    return None


def has_settled(recent: Sequence[float], threshold: float) -> bool:
    """Whether the later half of `recent` has a mean less than `threshold` (a fraction) below the earlier half's."""
    half = len(recent) // 2
    before, after = math.fsum(recent[:half]) / half, math.fsum(recent[half:]) / half
    return before - after < threshold * abs(before)
