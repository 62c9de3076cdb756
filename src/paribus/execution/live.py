"""The progress of a study in training, in a small file for the live page and `paribus status`.

The file is no evidence: it is written without care for crashes, and may be lost.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, final

from paribus.execution.events import CohortDone, CohortStarted, EpochDone, Event
from paribus.store.workspace import Workspace
from paribus.training.plan import Plan

EVERY_S = 1.0


@final
class LiveProgress:
    """Keeps the latest event of every cohort, and writes all of them at most once a second."""

    def __init__(self, study_id: str, plan: Plan, workspace: Workspace) -> None:
        self._study_id, self._plan, self._workspace = study_id, plan, workspace
        self._cohorts: dict[int, dict[str, Any]] = {}
        self._runs: dict[str, dict[str, Any]] = {}
        self._written_at = -EVERY_S

    def take(self, event: Event) -> None:
        """Note an event, and write the file where the last writing is long enough ago."""
        match event:
            case CohortStarted():
                self._cohorts[event.index] = {"arms": list(event.arms), "epoch": event.first_epoch,
                                              "epochs": event.epochs, "state": "training"}  # fmt: skip
            case EpochDone():
                self._cohorts[event.index] |= {"epoch": event.epoch, "remaining_s": event.remaining_s}
                for i, run_id in enumerate(event.run_ids):
                    latest = {name: values[i] for name, values in event.metrics.items()}
                    self._runs[run_id] = {"epoch": event.epoch, "metrics": latest}
            case CohortDone():
                self._cohorts[event.index] |= {"state": "done", "remaining_s": 0.0}
        if time.monotonic() - self._written_at >= EVERY_S:
            self._workspace.write_live(self._content())
            self._written_at = time.monotonic()

    def _content(self) -> Mapping[str, Any]:
        return {
            "study": self._study_id,
            "name": self._plan.study.name,
            "at": time.time(),
            "expected_s": self._plan.expected_s,
            "cohorts": {"total": len(self._plan.cohorts), "begun": list(self._cohorts.values())},
            "runs": self._runs,
        }
