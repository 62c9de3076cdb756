"""A recorded study as an object: its document, and for a search the candidates that it has proposed so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paribus.spec.candidates import Candidate
from paribus.spec.study import Study, parse

if TYPE_CHECKING:
    from paribus.store.records import StudyRecord
    from paribus.store.workspace import Workspace


def candidates_of(workspace: Workspace, study_id: str) -> tuple[Candidate, ...]:
    """What a search has proposed so far, in order; nothing of any other study."""
    return tuple(Candidate(one.number, one.values) for one in workspace.proposals(study_id))


def built_candidates(workspace: Workspace, study_id: str) -> tuple[Candidate, ...]:
    """The candidates of a search that have runs, which are its arms: others could not be built, or are not yet."""
    arms = workspace.arms_of(study_id)
    return tuple(one for one in candidates_of(workspace, study_id) if one.name in arms)


def study_of(workspace: Workspace, record: StudyRecord) -> Study:
    """The study of a record. Raises UserError where this paribus cannot read its document."""
    place = f"study {record.name} in {workspace.path}"
    return parse(record.document, place=place, candidates=built_candidates(workspace, record.id))
