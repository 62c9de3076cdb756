"""How long it takes here to measure a run at its end, told by measuring it on a part of its examples.

The measurements of `training/evaluation.py` take a fixed time and one for each example. Parts of growing size are
measured, until the examples take most of the time. The last two parts tell how long the whole takes.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

import numpy as np

from paribus.data.pool import Split, Splits
from paribus.spec.identity import RunSpec
from paribus.training.cohort import fresh_state
from paribus.training.engine import Engine
from paribus.training.evaluation import Snapshot, measure_run, measure_snapshot

FEWEST: Final = 32
"""Examples of the first part, all splits together."""
GROWTH: Final = 512
"""The next part has at most so many times the examples of the one before, and at least `LEAST_GROWTH` times."""
LEAST_GROWTH: Final = 1.5
ENOUGH_S: Final = 0.1
"""A part that takes this long, and twice as long as the one before, is the last."""
MOST_S: Final = 6.0
"""No part is measured that may take longer."""
AGAIN_S: Final = 0.1
"""A part that takes no longer is measured again, and the shorter time counts: others may have used the processor."""


def seconds_to_measure(spec: RunSpec, splits: Splits, engine: Engine) -> float:
    """Seconds to measure a run with its initial weights at all of its selection rules.

    Training examples stand in for those of the test set, which is not read.
    """
    whole = len(splits.train) + spec.dataset.validation + spec.dataset.test
    examples, before, before_s = min(FEWEST, whole), 0, 0.0
    _measured_part(spec, splits, engine, 0.0)  # makes ready what the others use
    while True:
        took_s = _measured_part(spec, splits, engine, examples / whole)
        if took_s <= AGAIN_S:
            took_s = min(took_s, _measured_part(spec, splits, engine, examples / whole))
        growth = min(GROWTH, MOST_S / took_s, whole / examples)
        tells = before > 0 and took_s >= max(ENOUGH_S, 2 * before_s)
        if tells or growth < LEAST_GROWTH:  # the whole is measured, or nearly so, or a larger part would take too long
            for_each_s = max(took_s - before_s, 0.0) / (examples - before)
            return took_s + for_each_s * (whole - examples)
        before, before_s = examples, took_s
        examples = min(round(growth * examples), whole)


def _measured_part(spec: RunSpec, splits: Splits, engine: Engine, share: float) -> float:
    """Seconds to measure a share of all splits, and at least two examples of each."""
    weights = fresh_state(spec).tensors
    part = replace(
        splits,
        train=_part(splits.train, share * len(splits.train)),
        validation=None if splits.validation is None else _part(splits.validation, share * len(splits.validation)),
    )
    test = _part(splits.train, share * spec.dataset.test)
    began = time.perf_counter()
    measure_run(spec, part)
    for rule in spec.recipe.selection.rules:
        measure_snapshot(spec, part, Snapshot(rule, 1, weights), engine, lambda _rule, _epoch: test)
    return time.perf_counter() - began


def _part(split: Split, examples: float) -> Split:
    """About so many examples, two at least; from the beginning again where the split has fewer."""
    return split.take(np.arange(max(2, round(examples))) % len(split))
