"""What a study looks like at this moment, read from the workspace without the results of its runs.

The viewer asks for this every second, so it reads rows of numbers only: no curves, no tensors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from paribus.analysis.recorded import built_candidates
from paribus.spec.candidates import Candidate
from paribus.spec.study import Study, parse
from paribus.store import jsontext
from paribus.store.records import StudyRecord
from paribus.store.workspace import Workspace

ENDED = ("done", "diverged")


@dataclass(frozen=True)
class Member:
    """A run of a study: how far it has come in the workspace, of how many epochs."""

    run_id: str
    arm: str
    replicate: int
    state: str
    epochs_done: int
    epochs: int

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, eq=False)
class StudyState:
    """A study and its runs in the study's order. `version` changes when anything changes that its page shows."""

    id: str
    study: Study
    members: tuple[Member, ...]
    version: str

    @property
    def ended(self) -> int:
        """How many runs have ended."""
        return sum(member.ended for member in self.members)

    @property
    def planned(self) -> int:
        """How many runs the study has; a search has those of its candidates so far."""
        if self.study.search is not None:
            return len(self.members)
        return len(self.study.arms) * self.study.replicates.count

    @property
    def complete(self) -> bool:
        return self.ended >= self.planned


def study_state(workspace: Workspace, record: StudyRecord) -> StudyState:
    """Read the state of a study. Raises UserError for a damaged workspace."""
    with workspace.reading():
        given = tuple((one.number, jsontext.dump(one.values)) for one in built_candidates(workspace, record.id))
        study = _parsed(record.document, f"study {record.name} in {workspace.path}", given)
        members: list[Member] = []
        later = 0
        for arm, replicate, run in workspace.runs_of(record.id):
            epochs = study.arm(arm).recipe.training.epochs
            members.append(Member(run.id, arm, replicate, run.state, run.epochs_done, epochs))
            later += len(workspace.later(run.id)) if run.state in ENDED else 0
        ids = [member.run_id for member in members]
        seen = (
            members,
            later,
            len(workspace.test_reads(ids)),
            workspace.usage(ids),
            workspace.forecasts(record.id),
            workspace.assessments(record.id),
            [known.id for known in workspace.studies() if known.name == record.name],
        )
    version = hashlib.sha256(repr(seen).encode()).hexdigest()[:32]
    return StudyState(record.id, study, tuple(members), version)


@lru_cache(maxsize=64)
def _parsed(document: str, place: str, proposed: tuple[tuple[int, str], ...]) -> Study:
    """A study; `proposed` are the numbers and the values, as JSON, of the candidates of a search."""
    given = [Candidate(number, jsontext.load(values)) for number, values in proposed]
    return parse(document, place=place, candidates=given)


def is_of(live: Mapping[str, Any] | None, study_id: str) -> bool:
    """Whether the workspace's live file is about a study."""
    return live is not None and live.get("study") == study_id
