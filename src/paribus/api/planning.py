"""What running a study would do, from Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.api import html
from paribus.api.frames import of_records
from paribus.cli.arguments import default_workspace
from paribus.cli.plan import as_json, counted, data_notes, expected_energy, expected_time, planned_in
from paribus.cli.plan_search import as_json as search_json
from paribus.cli.plan_search import sentences as search_sentences
from paribus.execution.runner import prepare
from paribus.searching.driver import prepare_search
from paribus.spec.notices import notices
from paribus.training.cpu.compiling import skip_blas

if TYPE_CHECKING:
    import pandas as pd

    from paribus.spec.study import Study


@dataclass(frozen=True, eq=False)
class StudyPlan:
    """What running a study, or a search, would do.

    `sentences` say how much there is to train and how long it takes. `notes` say what is odd about the study and about
    its data.
    """

    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    _found: dict[str, Any]

    @property
    def id(self) -> str:
        """The identity that the study has with its data."""
        return self._found["id"]

    @property
    def expected_s(self) -> tuple[float, float] | None:
        """Between how many seconds it takes on this machine; None where nothing is left to train, and for a search."""
        return _range(self._found.get("expected_range_s"))

    @property
    def expected_j(self) -> tuple[float, float] | None:
        """Between how many joules it takes; None where nothing here measures or models them."""
        return _range(self._found.get("expected_range_j"))

    def table(self) -> pd.DataFrame:
        """One row for each arm and replicate: its run, that run's state, epochs that are left, parameters, operations.

        Of a search, one row for each rung: bracket, rung, epoch, candidates, replicates, more_epochs.
        """
        if "rungs" in self._found:
            return of_records(self._found["rungs"])
        return of_records([{**member, **_of_run(run)} for run in self._found["runs"] for member in run["members"]])

    def json(self) -> dict[str, Any]:
        """All of it as plain values, as `paribus plan --json` prints it."""
        return dict(self._found)

    def __repr__(self) -> str:
        return "\n".join([*self.sentences, *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        name = self._found["study"]
        lines = [html.paragraph(" ".join(f"{line}." for line in self.sentences), name)]
        return "".join([*lines, *(html.paragraph(note, "note") for note in self.notes)])


def plan(study: Study, *, workspace: str | os.PathLike[str] | None = None, device: str = "cpu") -> StudyPlan:
    """Check a study against its data, and say what running it would do and how long it takes. Nothing is written.

    Parameters
    ----------
    study : from `paribus.study` or `paribus.load`.
    workspace : where runs may be recorded already; by default as for `paribus.run`.
    device : "cpu" or "cuda".

    A few training steps are timed. Raises UserError where the study does not fit its data.

    Examples
    --------
    >>> paribus.plan(paribus.load("selection")).expected_s  # doctest: +SKIP
    """
    skip_blas()
    of_study = tuple(notices(study))
    if study.search is not None:
        found = prepare_search(study, device=device)
        return StudyPlan(search_sentences(found), of_study, search_json(found))
    prepared = prepare(study, device=device)
    folder = default_workspace() if workspace is None else Path(workspace).expanduser()
    planned, expected, unused = planned_in(prepared, folder)
    sentences = [counted(planned)]
    if not planned.cohorts:
        sentences.append("nothing to train")
    else:
        sentences.append(f"expected time: {expected_time(planned, expected)}")
        if expected is not None:
            sentences.append(f"expected energy: {expected_energy(expected)}")
    notes = (*of_study, *data_notes(prepared), *([unused] if unused else []))
    return StudyPlan(tuple(sentences), notes, as_json(prepared.id, planned, expected))


def _range(ends: Any) -> tuple[float, float] | None:
    return None if ends is None else (float(ends[0]), float(ends[1]))


def _of_run(run: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name != "members"}
