"""Searches from Python: the same candidates, rungs and winner as from the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.analysis import results as recorded
from paribus.analysis.finalists import finalists_study, winner_study
from paribus.analysis.search_outcome import Finalist, SearchOutcome, search_outcome, search_sentences, values_in_words
from paribus.analysis.wording import difference, mean_and_sd, quantity
from paribus.api import html
from paribus.api.frames import of_records
from paribus.api.judged import Listed
from paribus.api.results import Results
from paribus.api.running import display, train
from paribus.cli.arguments import default_workspace
from paribus.cli.search import as_json
from paribus.cli.search_stages import StageDisplay
from paribus.errors import Shown, UserError
from paribus.execution.executors import ExecutorsByFamily
from paribus.execution.lasting import LastingWorkers
from paribus.execution.runner import prepare
from paribus.searching.driver import prepare_search, run_search
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace
from paribus.training.cpu.compiling import skip_blas

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ConfirmedFinalist:
    """A finalist: its proposed `values` by dotted key, the value `found` in the search, and on `n` fresh replicates the
    mean, `confirmed`. `shrinkage` is the difference, above 0 where a loss was found too low. `excluded` says why it may
    not be chosen; empty where it may."""

    candidate: str
    values: Mapping[str, Any]
    found: float
    confirmed: float | None
    n: int
    shrinkage: float | None
    excluded: str
    chosen: bool
    _cells: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The finalist in one line."""
        name, values, found, confirmed, _, state = self._cells
        return f"{name} ({values}): found {found}, on fresh replicates {confirmed}{f'; {state}' if state else ''}"

    def row(self) -> tuple[str, ...]:
        """Candidate, values, found and confirmed value, shrinkage, and whether it is chosen."""
        return self._cells


class Finalists(Listed[ConfirmedFinalist]):
    """The finalists of a search, the best in the search first."""

    headings = ("candidate", "values", "found", "on fresh replicates", "shrinkage", "")
    empty = "No finalist is confirmed yet."


@dataclass(frozen=True, eq=False)
class SearchResults:
    """What a search found. A notebook shows the answer and the finalists."""

    recorded: recorded.Results

    @property
    def results(self) -> Results:
        """What is recorded of the candidates."""
        return Results(self.recorded)

    @property
    def confirmed(self) -> Results | None:
        """What is recorded of the finalists on fresh replicates; None before there are any."""
        return None if self.recorded.confirmed is None else Results(self.recorded.confirmed)

    @property
    def id(self) -> str:
        """The identity of the search with its data."""
        return self.recorded.study_id

    @property
    def winner(self) -> str | None:
        """The name of the candidate that is chosen; None where there is none."""
        return self._outcome.winner

    @property
    def values(self) -> dict[str, Any]:
        """What was proposed for the winner, by dotted key; empty where there is none."""
        return next((dict(one.values) for one in self._outcome.finalists if one.chosen), {})

    def winner_study(self) -> Study:
        """The study of the winner with its claim, on fresh replicates: what `paribus search` writes as a file.

        Its `document` is the text of that file. Raises UserError where there is no winner.
        """
        found = winner_study(self.recorded)
        if found is None:
            raise UserError("must have a winner", given=Shown("none"), place=f"search {self.recorded.study.name}",
                            remedy="finish the search, or widen its space")  # fmt: skip
        name, text = found
        return parse(text, place=f"study {name}", folder=self.recorded.study.folder)

    def finalists(self) -> Finalists:
        """The finalists with what they had in the search and on fresh replicates."""
        metric = self._outcome.search.metric
        return Finalists([_finalist(metric, one) for one in self._outcome.finalists])

    def table(self) -> pd.DataFrame:
        """One row for each candidate: its name, its proposed values by dotted key, epochs, value and faults."""
        from paribus.report.search import candidate_rows

        return of_records(candidate_rows(self.recorded, self._outcome))

    def rungs(self) -> pd.DataFrame:
        """One row for each candidate at each rung: candidate, epochs, value, and what became of it there (`state`)."""
        from paribus.report.search import rung_rows

        return of_records(rung_rows(self.recorded, self._outcome))

    def figures(self) -> dict[str, Any]:
        """Every figure of the report by its name, as an Altair chart, which a notebook shows."""
        return self.results.figures()

    def answer(self) -> tuple[str, ...]:
        """The winner, the shrinkage, what the lowest value so far would have picked, and who was disqualified."""
        return tuple(search_sentences(self.recorded))

    def report(self, folder: str | os.PathLike[str], *, pdf: bool = False, figures: bool = False) -> Path:
        """Write the report on the search and its finalists into a folder; the path of its first page."""
        from paribus.energy.carbon import grid_of_user
        from paribus.report.folder import write_pages

        parts = [self.recorded, *([] if self.recorded.confirmed is None else [self.recorded.confirmed])]
        return write_pages(parts, Path(folder).expanduser(), grid_of_user(), pdf=pdf, figures=figures, still=True).page

    def json(self) -> dict[str, Any]:
        """What was found as plain values, as `paribus search --json` prints it."""
        return as_json(self.recorded.study, self.recorded, self._outcome)

    def __repr__(self) -> str:
        return "\n".join(self.answer())

    def _repr_html_(self) -> str:
        finalists = self.finalists()
        below = finalists._repr_html_() if len(finalists) else ""
        return "".join(html.paragraph(sentence) for sentence in self.answer()) + below

    @property
    def _outcome(self) -> SearchOutcome:
        found = search_outcome(self.recorded)
        assert found is not None
        return found


def search(
    study: Study,
    *,
    workspace: str | os.PathLike[str] | None = None,
    progress: bool = True,
    device: str = "cpu",
) -> SearchResults:
    """Search for a setting: propose candidates, stop the worse ones early, confirm the best on fresh replicates.

    Parameters
    ----------
    study : one with a table `search` in place of arms, from `paribus.study` or `paribus.load`.
    workspace, progress, device : as for `paribus.run`.

    What is recorded is not trained again, so the same call resumes a search that was interrupted, and has the same
    candidates and the same winner as `paribus search`. Raises UserError where the study is no search, or where a corner
    of its space does not fit the data.

    Examples
    --------
    >>> found = paribus.search(paribus.load("gates.toml"))  # doctest: +SKIP
    >>> found.winner, found.values, found.finalists()  # doctest: +SKIP
    """
    folder = default_workspace() if workspace is None else Path(workspace).expanduser()
    prepared = prepare_search(study, device=device)
    skip_blas()
    shown = StageDisplay(study, display, recalled=False) if progress else None
    with (
        Workspace.open(folder, create=True, write=True) as opened,
        closing(LastingWorkers(ExecutorsByFamily)) as workers,
    ):
        run_search(prepared, opened, shown, executor=workers)
        followed = finalists_study(recorded.load(opened, prepared.id))
        if followed is not None:
            name, text = followed
            again = parse(text, place=f"study {name}", folder=study.folder)
            train(prepare(again, device=device), opened, progress=progress, executor=workers)
        return SearchResults(recorded.load(opened, prepared.id))


def _finalist(metric: str, one: Finalist) -> ConfirmedFinalist:
    return ConfirmedFinalist(
        candidate=one.name,
        values=dict(one.values),
        found=one.found,
        confirmed=one.confirmed.mean,
        n=one.confirmed.n,
        shrinkage=one.shrinkage,
        excluded=one.excluded,
        chosen=one.chosen,
        _cells=(
            one.name,
            values_in_words(one.values),
            quantity(metric, one.found),
            mean_and_sd(metric, one.confirmed),
            "" if one.shrinkage is None else difference(metric, one.shrinkage),
            "chosen" if one.chosen else one.excluded,
        ),
    )
