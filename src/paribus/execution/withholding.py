"""What a worker in another process is not given: examples that none of its splits has.

A source may hold all examples in one pool, of which training, validation and test are parts. A thread shares the pool
with its process anyway. A process is sent a copy in which all other examples are zero: rows keep their numbers, and
the test set stays where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, final

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Pool, Split, Splits
from paribus.execution.messages import Grant, RunTask, Task, ToWorker


def withheld(message: Task | ToWorker) -> Task | ToWorker:
    """A message to a worker elsewhere, without examples that it has no right to."""
    match message:
        case Task():
            return without_other_examples(message)
        case Grant():
            return with_its_examples_only(message)
        case _:
            return message


def without_other_examples(task: Task) -> Task:
    """A task whose pools have the training and validation examples of its runs, and zeros in place of all others."""
    splits = list({id(run.splits): run.splits for run in task.runs}.values())
    parts = [part for one in splits for part in (one.train, one.validation) if part is not None]
    narrowed = _Narrowed(parts)
    of_splits = {id(one): narrowed.splits(one) for one in splits}
    return replace(task, runs=[_with_splits(run, of_splits[id(run.splits)]) for run in task.runs])


def with_its_examples_only(grant: Grant) -> Grant:
    """A grant whose pool has the examples that were granted, and zeros in place of all others."""
    return replace(grant, test=_Narrowed([grant.test]).split(grant.test))


def _with_splits(run: RunTask, splits: Splits) -> RunTask:
    return run if splits is run.splits else replace(run, splits=splits)


@final
class _Narrowed:
    """Splits whose pools have the examples of `parts` only. What is shared stays shared."""

    def __init__(self, parts: Sequence[Split]) -> None:
        kept: dict[int, npt.NDArray[np.bool_]] = {}
        pools: dict[int, Pool] = {}
        for part in parts:
            pools[id(part.pool)] = part.pool
            used = kept.setdefault(id(part.pool), np.zeros(len(part.pool), dtype=np.bool_))
            used[part.rows] = True
        self._pools = {key: _narrowed(pool, kept[key]) for key, pool in pools.items()}
        self._splits: dict[int, Split] = {}

    def split(self, split: Split) -> Split:
        if id(split) not in self._splits:
            pool = self._pools[id(split.pool)]
            self._splits[id(split)] = split if pool is split.pool else replace(split, pool=pool)
        return self._splits[id(split)]

    def splits(self, splits: Splits) -> Splits:
        validation = None if splits.validation is None else self.split(splits.validation)
        return replace(splits, train=self.split(splits.train), validation=validation)


def _narrowed(pool: Pool, kept: npt.NDArray[np.bool_]) -> Pool:
    """`pool` with the examples `kept` (example,), and zeros in place of all others."""
    if kept.all():
        return pool
    changed: dict[str, npt.NDArray[Any]] = {}
    for part in fields(pool):
        array = getattr(pool, part.name)
        if isinstance(array, np.ndarray):
            changed[part.name] = np.zeros_like(array)
            changed[part.name][kept] = array[kept]
    return replace(pool, **changed)
