"""Which arms of a study are shown as images: all of a few, and of many those that tell most."""

from __future__ import annotations

from typing import Final

from paribus.analysis.choice import chosen_arms
from paribus.analysis.headline import compared_metric
from paribus.analysis.results import Results
from paribus.spec.metrics import METRICS

MAX_ARMS: Final = 8


def shown_arms(results: Results) -> tuple[str, ...]:
    """All arms of a study of at most `MAX_ARMS`; else the control, the chosen arms, the best and the worst.

    In the study's order. Best and worst are by mean of the metric that arms are compared in.
    """
    if len(results.arms) <= MAX_ARMS:
        return results.arms
    metric = compared_metric(results)
    means: dict[str, float] = {}
    for arm in results.arms if metric is not None else ():
        known = [value for value in results.values(arm, results.deploy(arm), metric or "") if value is not None]
        if known:
            means[arm] = METRICS[metric or ""].direction * sum(known) / len(known)
    wanted = {results.study.control, *chosen_arms(results)}
    if means:
        wanted |= {max(means, key=lambda arm: means[arm]), min(means, key=lambda arm: means[arm])}
    return tuple(arm for arm in results.arms if arm in wanted)[:MAX_ARMS]
