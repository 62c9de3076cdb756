"""The progress of a study in training, in a small file for the live page and `paribus status`.

The file is no evidence: nothing is computed from it, and it may be lost at any time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, final

from paribus.execution.events import CohortDone, CohortLost, CohortStarted, EpochDone, Event
from paribus.store.workspace import Workspace
from paribus.training.plan import Plan

EVERY_S = 1.0


@final
class LiveProgress:
    """Keeps the latest event of every cohort and run.

    The file is written when a cohort starts or is done, and else at most once every `EVERY_S` seconds: a small cohort
    finishes thousands of epochs a second.
    """

    def __init__(self, study_id: str, plan: Plan, workspace: Workspace) -> None:
        self._study_id, self._plan, self._workspace = study_id, plan, workspace
        self._cohorts: dict[int, dict[str, Any]] = {}
        self._runs: dict[str, tuple[EpochDone, int]] = {}
        self._written_at = -EVERY_S

    def take(self, event: Event) -> None:
        """Note an event, and write the file if it is time."""
        match event:
            case CohortStarted():
                self._cohorts[event.index] = {"arms": list(event.arms), "epoch": event.first_epoch,
                                              "epochs": event.epochs, "state": "training"}  # fmt: skip
            case EpochDone():
                self._cohorts[event.index] |= {"epoch": event.epoch, "remaining_s": event.remaining_s}
                for place, run_id in enumerate(event.run_ids):
                    self._runs[run_id] = event, place
            case CohortDone():
                self._cohorts[event.index] |= {"state": "done", "remaining_s": 0.0}
            case CohortLost():
                pass  # the next epoch says where the cohort is
        if not isinstance(event, EpochDone) or time.monotonic() - self._written_at >= EVERY_S:
            self._workspace.write_live(self._content())
            self._written_at = time.monotonic()

    def _content(self) -> Mapping[str, Any]:
        return {
            "study": self._study_id,
            "name": self._plan.study.name,
            "at": time.time(),
            "expected_s": self._plan.expected_s,
            "cohorts": {"total": len(self._plan.cohorts), "begun": list(self._cohorts.values())},
            "runs": {run_id: _latest(event, place) for run_id, (event, place) in self._runs.items()},
        }


def _latest(event: EpochDone, place: int) -> dict[str, Any]:
    """What an epoch came to for the run at `place` of its cohort."""
    return {"epoch": event.epoch, "metrics": {name: values[place] for name, values in event.metrics.items()}}
