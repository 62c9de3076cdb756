"""What follows when a worker was lost: which runs begin again, together or alone, and which fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from paribus.execution.messages import Failure

RESTARTS: Final = 2
"""How often runs that train together begin again from their last checkpoint, after the worker was lost."""


@dataclass(frozen=True)
class Attempt:
    """Runs of the cohort `index` of a plan that one worker trains. `number` counts the attempts of a session from 0,
    and `losses` how often a worker was lost that trained these runs."""

    number: int
    index: int
    run_ids: tuple[str, ...]
    losses: int = 0

    @property
    def task_id(self) -> str:
        return str(self.number)


def retried(run_ids: Sequence[str], losses: int, failure: Failure) -> list[tuple[tuple[str, ...], int]]:
    """How runs that are left of a lost attempt begin again: (runs of one worker, losses that count for them).

    They begin again together, `RESTARTS` times. After that each goes alone, once, so that a run which breaks its worker
    fails alone; a run that was alone fails. An exception comes again, so it is not waited for: runs go alone at once.

    Example, for two runs and workers that are killed again and again: together, together, together, then each alone.
    """
    if failure.kind not in ("error", "code") and losses < RESTARTS:
        return [(tuple(run_ids), losses + 1)]
    if len(run_ids) > 1:
        return [((run_id,), RESTARTS) for run_id in run_ids]
    return []
