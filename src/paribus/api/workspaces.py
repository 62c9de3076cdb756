"""A workspace from Python: its studies, their results, and what can be made of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.analysis import results as recorded
from paribus.analysis.recorded import study_of
from paribus.api import html
from paribus.api.results import Results, refuse_unknown
from paribus.cli.arguments import default_workspace, recorded_studies, recorded_study
from paribus.errors import StorageError
from paribus.spec.study import Study
from paribus.store.records import StudyRecord
from paribus.store.workspace import Workspace

if TYPE_CHECKING:
    from paribus.api.evaluating import Evaluation


def workspace(folder: str | os.PathLike[str] | None = None) -> RecordedWorkspace:
    """Open a workspace for reading; by default $PARIBUS_WORKSPACE, else `paribus-workspace` here.

    Raises UserError where there is none.

    Examples
    --------
    >>> found = paribus.workspace("paribus-workspace")  # doctest: +SKIP
    >>> found.names, found.results("widths").verdicts()  # doctest: +SKIP
    """
    path = default_workspace() if folder is None else Path(folder).expanduser()
    with Workspace.open(path):
        return RecordedWorkspace(path)


def unpack(archive: str | os.PathLike[str], to: str | os.PathLike[str]) -> RecordedWorkspace:
    """Open an archive of `paribus export --format archive` in a new folder, verify it, and return its workspace.

    Every hash is checked, and nothing in it is executed. Raises UserError where the archive was changed.
    """
    from paribus.export.archive import unpack as unpacked

    return workspace(unpacked(Path(archive).expanduser(), Path(to).expanduser()).workspace)


def merge(sources: Sequence[str | os.PathLike[str]], to: str | os.PathLike[str]) -> RecordedWorkspace:
    """Join workspaces in a new folder, each run once, and return what they make.

    The sources are only read. Raises UserError where they disagree, are damaged or in use, or where `to` exists.
    """
    from paribus.export.target import new_folder
    from paribus.store.merging import merge as merged

    folder = Path(to).expanduser()
    with new_folder(folder) as made:
        merged([Path(source).expanduser() for source in sources], made)
    return workspace(folder)


@dataclass(frozen=True)
class RecordedWorkspace:
    """A folder of recorded studies. Each call reads what is there at that moment; nothing is trained or changed."""

    path: Path

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the studies, the latest registered last."""
        return tuple(dict.fromkeys(record.name for record in self._records()))

    def results(self, study: Study | str) -> Results:
        """What is recorded of a study: a study object, a name, or an identity. Raises UserError for an unknown one."""
        with Workspace.open(self.path) as opened:
            if isinstance(study, str):
                return Results(recorded.load(opened, study))
            from paribus.cli.arguments import record_of

            return Results(recorded.load(opened, record_of(opened, study).id))

    def report(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        studies: Sequence[str] = (),
        pdf: bool = False,
        figures: bool = False,
    ) -> Path:
        """Write the report on some studies, or on all; the path of its first page."""
        from paribus.report.folder import write_report

        to = self.path / "report" if folder is None else Path(folder).expanduser()
        with Workspace.open(self.path) as opened:
            ids = [record.id for record in recorded_studies(opened, studies)]
            return write_report(opened, ids, to, pdf=pdf, figures=figures).page

    def export(
        self,
        study: str,
        to: str | os.PathLike[str],
        *,
        format: str,  # noqa: A002 - the word of the command line
        arms: Sequence[str] = (),
        replicates: Sequence[int] = (),
        rules: Sequence[str] = (),
    ) -> Path:
        """Export a study, as `paribus export` does: tables, weights, curves or everything. Returns `to` as a path."""
        from paribus.export.formats import export
        from paribus.export.weights import Choice

        path = Path(to).expanduser()
        with Workspace.open(self.path) as opened:
            choice = Choice(tuple(arms), tuple(replicates), tuple(rules))
            export(opened, recorded_study(opened, study), format, path, choice)
        return path

    def evaluate(
        self,
        study: Study | str,
        arm: str,
        data: str,
        *,
        replicate: int = 0,
        rule: str | None = None,
        target: str | None = None,
    ) -> Evaluation:
        """Evaluate a recorded network on data that are read and scaled as its study says.

        `data` is a source, and its split where it has several: "fashion-mnist:train", "new.csv". `study` is a recorded
        one, or an object where its own data files do not lie in the current folder. `rule` is by default the one at
        which arms are compared. Raises UserError where these are test data that the study keeps locked, and where the
        network is not recorded.
        """
        from paribus.api.evaluating import on_named_data, recorded_subject

        with Workspace.open(self.path) as opened:
            found = study if isinstance(study, Study) else study_of(opened, recorded_study(opened, study))
            refuse_unknown(arm, tuple(one.name for one in found.arms), "arm")
            return on_named_data(recorded_subject(opened, found, arm, replicate, rule or found.deploy), data, target)

    def verify(self) -> None:
        """Check every hash. Raises StorageError with the first problem."""
        from paribus.store.verify import verify

        problems = verify(self.path).problems
        if problems:
            remedy = "`paribus verify` lists them all"
            raise StorageError(problems[0], given=f"{len(problems)} in all", place=str(self.path), remedy=remedy)

    def _records(self) -> list[StudyRecord]:
        with Workspace.open(self.path) as opened:
            return opened.studies()

    def __repr__(self) -> str:
        return f"<workspace {self.path}: {', '.join(self.names) or 'empty'}>"

    def _repr_html_(self) -> str:
        rows: list[Sequence[str]] = []
        for name in self.names:
            found: Any = self.results(name)
            states = ", ".join(f"{count} {state}" for state, count in found.states.items())
            rows.append((name, found.study.question, states))
        return html.table(("study", "question", "runs"), rows, str(self.path))
