"""How long it takes here to measure a run at its end, from measuring it on a part of its examples.

The measurements of `training/evaluation.py` take a fixed time and one for each example. A part of the examples is
measured, then one four times as large, until that takes long enough to tell both.
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

FEWEST: Final = 64
"""Examples of the first part, all splits together."""
FACTOR: Final = 4
ENOUGH_S: Final = 0.08
"""A part that takes this long, in seconds, is the last."""
MOST: Final = 20_000
"""No part has more examples."""


def seconds_to_measure(spec: RunSpec, splits: Splits, engine: Engine) -> float:
    """Seconds to measure a run with its initial weights at all of its selection rules.

    Training examples stand in for those of the test set, which is not read.
    """
    whole = len(splits.train) + spec.dataset.validation + spec.dataset.test
    before, before_s = 0, 0.0
    examples = min(FEWEST, whole)
    while True:
        took_s = _measured_part(spec, splits, engine, examples / whole)
        if examples == whole:
            return took_s
        if took_s >= ENOUGH_S or FACTOR * examples > MOST:
            for_each_s = max(took_s - before_s, 0.0) / (examples - before)
            return took_s + for_each_s * (whole - examples)
        before, before_s = examples, took_s
        examples = min(FACTOR * examples, whole)


def _measured_part(spec: RunSpec, splits: Splits, engine: Engine, share: float) -> float:
    """Seconds to measure a share of all splits."""
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
