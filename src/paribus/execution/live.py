"""The progress of a study in training, in a small file for the live page and `paribus status`.

The file is not evidence: nothing is computed from it, and it may be lost at any time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, final

from paribus.execution.events import CohortDone, CohortLost, CohortStarted, EpochDone, Event
from paribus.execution.progress import StudyProgress
from paribus.store.workspace import Workspace
from paribus.training.plan import Plan

EVERY_S = 1.0
SILENT_S = 5.0
"""Without news the file is written again after this time: its `at` tells readers that the process goes on."""


@final
class LiveProgress:
    """Keeps the latest event of every cohort and run.

    The file is written when a cohort starts or is done, and else at most once every `EVERY_S` seconds: a small cohort
    finishes thousands of epochs a second. What was not written then is written by `keep_up`.
    """

    def __init__(self, study_id: str, plan: Plan, workspace: Workspace) -> None:
        self._study_id, self._plan, self._workspace = study_id, plan, workspace
        self._cohorts: dict[int, dict[str, Any]] = {}
        self._runs: dict[str, tuple[EpochDone, int]] = {}
        self._progress = StudyProgress.of(plan)
        self._written_at = -math.inf
        self._unwritten = False

    def take(self, event: Event) -> None:
        """Note an event, and write the file if it is time."""
        self._progress.update(event)
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
        self._unwritten = True
        if not isinstance(event, EpochDone) or self._age_s() >= EVERY_S:
            self._write()

    def keep_up(self) -> None:
        """Write the file if it lacks something, or has not been written for `SILENT_S`. Called every second or so."""
        if self._age_s() >= (EVERY_S if self._unwritten else SILENT_S):
            self._write()

    def _age_s(self) -> float:
        return time.monotonic() - self._written_at

    def _write(self) -> None:
        self._workspace.write_live(self._content())
        self._written_at, self._unwritten = time.monotonic(), False

    def _content(self) -> Mapping[str, Any]:
        return {
            "study": self._study_id,
            "name": self._plan.study.name,
            "at": time.time(),
            "expected_s": self._plan.expected_s,
            "progress": {
                "runs": self._progress.runs,
                "runs_done": self._progress.runs_done,
                "share": self._progress.share,
                "remaining_s": self._progress.remaining_s,
            },
            "cohorts": {"total": len(self._plan.cohorts), "begun": list(self._cohorts.values())},
            "runs": {run_id: _latest(event, place) for run_id, (event, place) in self._runs.items()},
        }


def _latest(event: EpochDone, place: int) -> dict[str, Any]:
    """The metrics of an epoch of the run at `place` of its cohort."""
    return {"epoch": event.epoch, "metrics": {name: values[place] for name, values in event.metrics.items()}}
