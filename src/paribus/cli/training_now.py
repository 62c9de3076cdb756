"""What trains in a workspace at this moment, from the progress file of the process that trains."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

SILENT_S = 60.0
"""The process that trains writes every few seconds. One that has written nothing for so long may have been killed."""


@dataclass(frozen=True)
class CohortNow:
    """A cohort in training. `remaining_s` is None before it is known."""

    arms: tuple[str, ...]
    epoch: int
    epochs: int
    remaining_s: float | None


@dataclass(frozen=True)
class TrainingNow:
    """A study in training: `study` is its id, `age_s` how old the file is, `epochs` maps a run to its latest epoch."""

    study: str
    name: str
    age_s: float
    runs: int
    runs_done: int
    share: float
    remaining_s: float | None
    cohorts: tuple[CohortNow, ...]
    epochs: Mapping[str, int]

    @classmethod
    def read(cls, workspace: Path) -> Self | None:
        """What the file says; None where nothing trains, or the file is not one that this paribus writes."""
        from paribus.store.live import read_live

        content = read_live(workspace)
        if content is None:
            return None
        try:
            return cls._of(content)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None

    @classmethod
    def _of(cls, content: Mapping[str, Any]) -> Self:
        progress = content["progress"]
        return cls(
            study=str(content["study"]),
            name=str(content["name"]),
            age_s=max(0.0, time.time() - float(content["at"])),
            runs=int(progress["runs"]),
            runs_done=int(progress["runs_done"]),
            share=float(progress["share"]),
            remaining_s=_seconds(progress["remaining_s"]),
            cohorts=tuple(
                CohortNow(
                    tuple(dict.fromkeys(map(str, cohort["arms"]))),
                    int(cohort["epoch"]),
                    int(cohort["epochs"]),
                    _seconds(cohort.get("remaining_s")),
                )
                for cohort in content["cohorts"]["begun"]
                if cohort["state"] == "training"
            ),
            epochs={run: int(latest["epoch"]) for run, latest in cast("dict[str, Any]", content["runs"]).items()},
        )

    @property
    def is_silent(self) -> bool:
        """Whether the process may have ended without a word."""
        return self.age_s > SILENT_S


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
