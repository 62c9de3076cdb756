"""The folder that holds everything recorded: one database, and beside it tensors named by their content.

    paribus-workspace/
        workspace.sqlite      studies, claims, runs, curves, selections, measurements, test-set reads, energy
        tensors/SHA256.safetensors
        lock                  held by the one process that writes
        live.json             how training goes at this moment, while a process trains

Every file is durable before the row that names it, and the row is deleted before its file is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from paribus.store import digests, later, live, logs, recording, runs, searches, studies
from paribus.store.database import TENSORS, Database
from paribus.store.records import (
    Artifact,
    Assessment,
    ClaimRecord,
    Curve,
    Forecast,
    LaterMeasurement,
    Measurement,
    NewRun,
    Outcome,
    Progress,
    Proposal,
    RunRecord,
    Selected,
    Snapshot,
    StudyRecord,
    TestRead,
    UsageRecord,
)
from paribus.store.tensors import TensorFolder


@final
class Workspace:
    """A workspace that is open: for reading by anyone at any time, for writing by one process at a time.

    Use it as a context manager, in the thread that opened it. What a method writes is durable when it returns. Where
    the disk fails, it raises StorageError and has changed nothing.
    """

    def __init__(self, database: Database) -> None:
        self.path = database.folder
        self.tensors = TensorFolder(database.folder / TENSORS, database.prepare)
        self._database = database

    @classmethod
    def open(cls, path: Path, *, create: bool = False, write: bool = False) -> Self:
        """Open the workspace in folder `path`.

        With `create`, one that does not exist yet is empty, and is created (atomically) when the first thing is
        recorded. Without `write`, nothing on disk is changed or made. Opening for writing deletes what a crash left.
        Raises UserError where the folder is not a workspace, is of a newer format, may not be read (or written), or is
        in use by another writer; StorageError where it is damaged.
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
        if self._database.is_writing:
            live.remove_live(self.path)
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def reading(self) -> AbstractContextManager[None]:
        """A short `with` block in which all reads see one state, whatever a writer commits meanwhile."""
        return self._database.reading()

    def register_study(
        self,
        study_id: str,
        name: str,
        document: str,
        members: Mapping[tuple[str, int], NewRun],
        claims: Sequence[str] = (),
    ) -> None:
        """Add a study, its claims and its runs, in state planned; runs that are known stay as they are.

        Registered again, a study becomes the latest of its name, and nothing else changes.

        Parameters
        ----------
        study_id : computed by the caller from all that the study says and from the ids of its runs, so that the same
            study on changed data is another study of the same name.
        document : the study's TOML text.
        members : (arm, replicate) to its run, in the study's order. Raises ValueError where the study has another run
            there.
        claims : one canonical text per claim, in order. A claim that a study of this name had before keeps the time at
            which it was first registered.
        """
        studies.register(self._database, StudyRecord(study_id, name, document, _now()), members, claims)

    def studies(self) -> list[StudyRecord]:
        """All studies, the latest registered last."""
        return studies.studies(self._database)

    def study(self, name_or_id: str) -> StudyRecord:
        """The study of that id, else the latest registered of that name, else the only one whose id begins so.

        A beginning of an id has at least 6 digits. Raises UserError with the nearest name where there is no such study,
        or with the ids where several begin so.
        """
        return studies.study(self._database, name_or_id)

    def claims(self, study_id: str) -> list[ClaimRecord]:
        """The claims of a study, in its order."""
        return studies.claims(self._database, study_id)

    def runs_of(self, study_id: str) -> list[tuple[str, int, RunRecord]]:
        """(arm, replicate, run) for every run of a study, in the study's order."""
        return studies.runs_of(self._database, study_id)

    def arms_of(self, study_id: str) -> set[str]:
        """The names of the arms of a study that have runs."""
        return studies.arms_of(self._database, study_id)

    def add_proposals(self, study_id: str, items: Sequence[Proposal]) -> None:
        """Record candidates of a registered search before they train, all in one transaction."""
        with self._database.transaction():
            searches.add_proposals(self._database, study_id, items, now=_now())

    def proposals(self, study_id: str) -> list[Proposal]:
        """The candidates of a search so far, by their numbers; none of any other study."""
        return searches.proposals(self._database, study_id)

    def add_assessments(self, study_id: str, items: Sequence[Assessment]) -> None:
        """Record the results of a search's candidates at a rung, all in one transaction."""
        with self._database.transaction():
            searches.add_assessments(self._database, study_id, items, now=_now())

    def assessments(self, study_id: str) -> list[Assessment]:
        """The results of a search's candidates, rung by rung."""
        return searches.assessments(self._database, study_id)

    def run(self, run_id: str) -> RunRecord | None:
        """The run of that id, or None."""
        return runs.run(self._database, run_id)

    def find_run(self, id_or_prefix: str) -> RunRecord:
        """The run of that id, or the only one whose id begins with these (at least 6) digits; else UserError."""
        return runs.find_run(self._database, id_or_prefix)

    def save_progress(self, items: Sequence[Progress]) -> None:
        """Record checkpoints of runs, all in one transaction, in place of their earlier ones.

        The first checkpoint of a run sets its `started_at`. Of tensor files, only those that `tensors` and `snapshots`
        name are kept: names inside `scalars` do not count.
        """
        names = {name for item in items for name in recording.named_by_progress(item)}
        self.tensors.require(names)
        with self._database.transaction():
            replaced = recording.save_progress(self._database, items)
        self._discard_replaced(names, replaced)

    def progress(self, run_id: str) -> Progress | None:
        """The checkpoint of a run that has begun and not ended, else None. Raises StorageError where it is damaged."""
        with self.reading():
            return runs.progress(self._database, run_id)

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Record how runs ended, all in one transaction, and delete their checkpoints. An ended run is never changed.

        Reads in `Outcome.test_reads` that `log_test_reads` has logged with the same values are not logged twice.
        """
        names = {name for outcome in outcomes for name in recording.named_by_outcome(outcome)}
        self.tensors.require(names)
        with self._database.transaction():
            replaced = recording.finish(self._database, outcomes, now=_now())
        self._discard_replaced(names, replaced)

    def curves(self, run_id: str) -> dict[str, Curve]:
        """Metric to one value for each epoch done, also of a run that has not ended."""
        return runs.curves(self._database, run_id)

    def selections(self, run_id: str) -> list[Selected]:
        """What each selection rule chose."""
        return runs.selections(self._database, run_id)

    def snapshots(self, run_id: str) -> list[Snapshot]:
        """The weights kept at intervals, also of a run that has not ended."""
        return runs.snapshots(self._database, run_id)

    def measurements(self, run_id: str) -> list[Measurement]:
        """Numbers measured at selected snapshots, or of the run as a whole: those of the run's end, then later ones."""
        return [
            *runs.measurements(self._database, run_id),
            *(Measurement(m.rule, m.name, m.value) for m in self.later(run_id) if m.value is not None),
        ]

    def artifacts(self, run_id: str) -> list[Artifact]:
        """Named arrays of selected snapshots, or of the run as a whole: those of the run's end, then later ones."""
        return [
            *runs.artifacts(self._database, run_id),
            *(Artifact(m.rule, m.name, m.tensors) for m in self.later(run_id) if m.tensors is not None),
        ]

    def add_measurements(self, run_id: str, items: Sequence[LaterMeasurement]) -> None:
        """Record what was measured on a run after its end, all in one transaction. Nothing recorded is replaced.

        What is measured on test data needs an entry in the log of test-set reads first, as during training. Raises
        StorageError where the run has a measurement or artifact of that rule and name already, ValueError where it is
        not done.
        """
        names = set(later.named(items))
        self.tensors.require(names)
        with self._database.transaction():
            later.add(self._database, run_id, items)
        self.tensors.release(names)

    def later(self, run_id: str) -> list[LaterMeasurement]:
        """What was measured on a run after its end, in the order of recording, with purpose, time and environment."""
        return later.of_run(self._database, run_id)

    def log_test_reads(self, reads: Iterable[TestRead]) -> None:
        """Log reads of the locked test set, before the data are read. The log is only added to."""
        with self._database.transaction():
            logs.log_test_reads(self._database, reads)

    def test_reads(self, of: str | Iterable[str]) -> list[TestRead]:
        """The reads logged for a study (its id) or for runs (their ids), in the order of the log."""
        ids = [run.id for _, _, run in self.runs_of(of)] if isinstance(of, str) else of
        return logs.test_reads(self._database, sorted(set(ids)))

    def record_usage(self, usage: UsageRecord) -> None:
        """Record the time and energy of a session of training; one of the same id replaces the earlier one."""
        with self._database.transaction():
            logs.record_usage(self._database, usage)

    def usage(self, run_ids: Iterable[str]) -> list[UsageRecord]:
        """Every usage record in which one of these runs has a share, with all its shares, by the time of its start."""
        return logs.usage(self._database, sorted(set(run_ids)))

    def record_forecast(self, forecast: Forecast) -> None:
        """Record what is expected of a study before it is trained."""
        with self._database.transaction():
            logs.record_forecast(self._database, forecast)

    def forecasts(self, study_id: str) -> list[Forecast]:
        """The forecasts of a study, in the order in which they were made."""
        return logs.forecasts(self._database, study_id)

    def write_live(self, data: Mapping[str, Any]) -> None:
        """Say how training goes at this moment, in a file that is not evidence (see `live`). Read it by `read_live`.

        `data` is plain values; NaN and infinities are read as None. Where the disk is full, nothing happens.
        """
        self._database.prepare()
        live.write_live(self.path, data)

    def _discard_replaced(self, named: set[str], replaced: set[str]) -> None:
        """After a commit: rows name the new files, and old files that no row names any more are deleted."""
        self.tensors.release(named)
        self.tensors.discard(recording.unnamed(self._database, replaced - named))

    def _sweep(self) -> None:
        live.remove_live(self.path)
        named = {name for (name,) in self._database.rows("SELECT tensors FROM named_tensors")}
        stored = set(self.tensors.names())
        if stored <= named or digests.all_runs_as_written(self._database):
            self.tensors.sweep(named)
        else:  # a file's name in the database may be damaged: the file itself is good, and must be kept
            self.tensors.sweep(stored)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
