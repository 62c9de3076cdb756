"""The folder that holds everything recorded: one database, and beside it tensors named by their content.

    paribus-workspace/
        workspace.sqlite      studies, runs, curves, selections, findings, test reads, energy
        tensors/SHA256.safetensors
        lock                  held by the one process that writes

Every file is durable before the row that names it, and a row is gone before its file is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, final

from paribus.store import digests, ledger, recording, runs, studies
from paribus.store.database import TENSORS, Database
from paribus.store.records import (
    Artifact,
    Curve,
    Finding,
    Forecast,
    Measurement,
    Outcome,
    Progress,
    RunKey,
    RunRecord,
    Selected,
    Snapshot,
    Span,
    StudyRecord,
    TestRead,
)
from paribus.store.tensors import TensorFolder

if TYPE_CHECKING:
    from paribus.spec.study import Study


@final
class Workspace:
    """A workspace that is open: for reading by anyone at any time, for writing by one process at a time.

    Use it as a context manager, in the thread that opened it. All methods that write are durable when they return, and
    raise StorageError where the disk does not let them, having changed nothing.
    """

    def __init__(self, database: Database) -> None:
        self.path = database.folder
        self.tensors = TensorFolder(database.folder / TENSORS, database.prepare)
        self._database = database

    @classmethod
    def open(cls, path: Path, *, create: bool = False, write: bool = False) -> Self:
        """Open the workspace in folder `path`.

        With `create`, one that does not exist yet is empty, and comes to exist (at once and whole) when the first
        thing is recorded. Without `write`, nothing on disk is changed or made. Opening for writing sweeps away what a
        crash left over. Raises UserError where the folder is no workspace, is of a newer format, may not be read (or
        written), or has a writer already; StorageError where it is damaged.
        """
        workspace = cls(Database.open(path, create=create, write=write))
        if write:
            try:
                workspace._sweep()
            except BaseException:
                workspace.close()
                raise
        return workspace

    def close(self) -> None:
        """Let another process write."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def reading(self) -> AbstractContextManager[None]:
        """A short `with` block in which all reads see one state, whatever a writer does meanwhile."""
        return self._database.reading()

    def register_study(self, study: Study, runs: Mapping[tuple[str, int], RunKey]) -> None:
        """Add a study and its runs, (arm, replicate) to run, in state planned; runs that are known stay as they are.

        Registered again, a study becomes the latest of its name, and nothing else changes.
        """
        studies.register(self._database, study, runs, now=_now())

    def studies(self) -> list[StudyRecord]:
        """All studies, the latest registered last."""
        return studies.studies(self._database)

    def study(self, name_or_id: str) -> StudyRecord:
        """The study of that identity, or the latest registered of that name; else UserError with the nearest name."""
        return studies.study(self._database, name_or_id)

    def runs_of(self, study_id: str) -> list[tuple[str, int, RunRecord]]:
        """(arm, replicate, run) for every run of a study, in the study's order."""
        return studies.runs_of(self._database, study_id)

    def run(self, run_id: str) -> RunRecord | None:
        """The run of that identity, or None."""
        return runs.run(self._database, run_id)

    def save_progress(self, items: Sequence[Progress]) -> None:
        """Record where runs stand, all in one transaction, in place of where they stood before.

        Only tensors that `state` and `snapshots` name are kept: names hidden in `scalars` do not count.
        """
        names = {name for item in items for name in recording.named_by_progress(item)}
        self.tensors.require(names)
        with self._database.transaction():
            before = recording.save_progress(self._database, items)
        self._settle(names, before)

    def progress(self, run_id: str) -> Progress | None:
        """Where a run stands that has begun and not ended, else None. Raises StorageError where that is damaged."""
        with self.reading():
            return runs.progress(self._database, run_id)

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Record how runs ended, all in one transaction, and drop their progress. An ended run is never changed.

        Readings in `Outcome.test_reads` that `log_test_reads` has logged to the letter are not logged twice.
        """
        names = {name for outcome in outcomes for name in recording.named_by_outcome(outcome)}
        self.tensors.require(names)
        with self._database.transaction():
            before = recording.finish(self._database, outcomes, now=_now())
        self._settle(names, before)

    def curves(self, run_id: str) -> dict[str, Curve]:
        """Metric to one value for each epoch done, also of a run that still goes on."""
        return runs.curves(self._database, run_id)

    def selections(self, run_id: str) -> list[Selected]:
        """What each selection rule chose."""
        return runs.selections(self._database, run_id)

    def snapshots(self, run_id: str) -> list[Snapshot]:
        """The weights kept at intervals, also of a run that still goes on."""
        return runs.snapshots(self._database, run_id)

    def measurements(self, run_id: str) -> list[Measurement]:
        """Numbers measured at selected snapshots, or of the run as a whole."""
        return runs.measurements(self._database, run_id)

    def findings(self, run_id: str) -> list[Finding]:
        """What a person should know about the run."""
        return runs.findings(self._database, run_id)

    def artifacts(self, run_id: str) -> list[Artifact]:
        """Named arrays that a report draws."""
        return runs.artifacts(self._database, run_id)

    def log_test_reads(self, reads: Iterable[TestRead]) -> None:
        """Log readings of the locked drawer, before it is opened. The log only grows."""
        with self._database.transaction():
            ledger.log_test_reads(self._database, reads)

    def test_reads(self, of: str | Iterable[str]) -> list[TestRead]:
        """The readings logged for a study (its id) or for runs (their ids), in the order of the log."""
        ids = [run.id for _, _, run in self.runs_of(of)] if isinstance(of, str) else of
        return ledger.test_reads(self._database, sorted(set(ids)))

    def record_span(self, span: Span) -> None:
        """Record a stretch of training; one of the same id takes the earlier one's place."""
        with self._database.transaction():
            ledger.record_span(self._database, span)

    def spans(self, run_ids: Iterable[str]) -> list[Span]:
        """Every span in which one of these runs has a share, whole, by the time at which it started."""
        return ledger.spans(self._database, sorted(set(run_ids)))

    def record_forecast(self, forecast: Forecast) -> None:
        """Record what is expected of a study before it is trained."""
        with self._database.transaction():
            ledger.record_forecast(self._database, forecast)

    def forecasts(self, study_id: str) -> list[Forecast]:
        """The forecasts of a study, in the order in which they were made."""
        return ledger.forecasts(self._database, study_id)

    def _settle(self, named: set[str], before: set[str]) -> None:
        """After a commit: the new files are named, and old ones that no row names any more can go."""
        self.tensors.release(named)
        self.tensors.discard(recording.unnamed(self._database, before - named))

    def _sweep(self) -> None:
        named = {name for (name,) in self._database.rows("SELECT tensors FROM named_tensors")}
        stored = set(self.tensors.names())
        if stored <= named or digests.all_runs_as_written(self._database):
            self.tensors.sweep(named)
        else:  # a name in the database may be damaged: then the file that it named is sound, and not to be swept away
            self.tensors.sweep(stored)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
