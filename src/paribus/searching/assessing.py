"""The result of a candidate at a rung, from what is recorded of its runs: a value, and faults."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

from paribus.analysis.faults import faults_of
from paribus.analysis.recorded import study_of
from paribus.analysis.run import Run, run_of
from paribus.execution.isolated_engine import ended_after, evaluation_engine
from paribus.spec.candidates import Candidate
from paribus.spec.choice import FAULTS
from paribus.spec.identity import EngineFamily
from paribus.spec.rules import parse_rule, selected_epoch
from paribus.spec.search import Search
from paribus.store.records import Assessment
from paribus.store.workspace import Workspace
from paribus.training.engine import Engine, State
from paribus.training.evaluation import Snapshot, measure_training
from paribus.training.plan import PlannedRun

_ENDED = ("done", "diverged")


class Assessor:
    """Assesses the candidates of a search at its rungs. Nothing is written. To be closed after its last use."""

    def __init__(self, search: Search, workspace: Workspace) -> None:
        self._search, self._workspace = search, workspace
        self._engines: dict[EngineFamily, Engine] = {}
        self._stack = ExitStack()

    def close(self) -> None:
        """End the process that evaluates a user's modules, if there is one."""
        self._stack.close()

    def assessed(self, rung: int, epochs: int, candidates: Mapping[int, Sequence[PlannedRun]]) -> list[Assessment]:
        """The candidates of a rung, the runs of whose replicates are given by number, after `epochs` epochs.

        A candidate's value is the mean over its replicates of the best value of the objective up to there.

        Runs that another search, or an equal candidate in another bracket, has trained further have changed since: what
        was recorded of just these runs at that epoch is used. Without such a record, faults count as far as they can
        still be seen.
        """
        ids = {number: tuple(run.id for run in runs) for number, runs in candidates.items()}
        further = {number for number, runs in candidates.items() if any(self._is_further(run, epochs) for run in runs)}
        before = self._assessed_before(epochs) if further else {}
        return [
            replace(before[ids[number]], number=number, rung=rung)
            if number in further and ids[number] in before
            else self._assessed_now(number, rung, epochs, runs)
            for number, runs in candidates.items()
        ]

    def _assessed_now(self, number: int, rung: int, epochs: int, runs: Sequence[PlannedRun]) -> Assessment:
        seen = [self._seen(run, epochs) for run in runs]
        found = {fault for run in seen for fault in faults_of(run, self._search.objective, self._search.without)}
        values = [self._value(run, epochs) for run in seen]
        known = [value for value in values if value is not None]
        diverged = any(run.state == "diverged" for run in seen)
        value = None if diverged or len(known) < len(values) else math.fsum(known) / len(known)
        if diverged:
            found.add("diverged")
        return Assessment(number, rung, epochs, value, tuple(fault for fault in FAULTS if fault in found))

    def _is_further(self, planned: PlannedRun, epochs: int) -> bool:
        record = self._workspace.run(planned.id)
        return record is not None and record.epochs_done > epochs

    def _assessed_before(self, epochs: int) -> dict[tuple[str, ...], Assessment]:
        """What searches with the same objective and faults have recorded at that epoch, by the ids of the runs."""
        found: dict[tuple[str, ...], Assessment] = {}
        for record in self._workspace.studies():
            table = tomllib.loads(record.document).get("search", {})
            objective, without = table.get("objective"), table.get("without", FAULTS)
            if (objective, tuple(without)) != (self._search.objective, self._search.without):
                continue
            study = study_of(self._workspace, record)
            search = study.search
            assert search is not None
            of_arm: dict[str, list[str]] = {}
            for arm, _, run in self._workspace.runs_of(record.id):
                of_arm.setdefault(arm, []).append(run.id)
            for one in self._workspace.assessments(record.id):
                if one.epochs == epochs and not one.failure:
                    count = search.replicates_at(one.rung, study.replicates.count)
                    found.setdefault(tuple(of_arm[Candidate(one.number, {}).name][:count]), one)
        return found

    def _value(self, run: Run, epochs: int) -> float | None:
        rule = parse_rule(self._search.objective)
        curve = run.curves[rule.metric].tolist()
        epoch = selected_epoch(rule, {rule.metric: curve}, min(epochs, len(curve)))
        return None if epoch is None else float(curve[epoch - 1])

    def _seen(self, planned: PlannedRun, epochs: int) -> Run:
        """A run as it was after `epochs` epochs: later epochs, which another study may have trained, do not count."""
        record = self._workspace.run(planned.id)
        if record is None:
            raise ValueError(f"run {planned.id} must have been trained before it is assessed")
        run = run_of(self._workspace, record)
        if run.state in _ENDED and run.epochs_done <= epochs:
            return run
        curves = {name: curve[:epochs] for name, curve in run.curves.items()}
        early = replace(
            run,
            state="paused",
            epochs_done=min(run.epochs_done, epochs),
            curves=curves,
            selections={},
            measurements={},
            artifacts={},
        )
        return self._measured(planned, run, early)

    def _measured(self, planned: PlannedRun, run: Run, early: Run) -> Run:
        """`early`, the run as it was at a rung, with measurements of its hidden units and its outputs at the epoch that
        had been chosen by then; without them where the weights of that epoch are no longer kept."""
        rule = self._search.objective
        epoch = early.epoch(rule)
        weights = None if epoch is None else self._weights(run, rule, epoch)
        if epoch is None or weights is None:
            return early
        snapshot = Snapshot(rule, epoch, weights)
        found = measure_training(planned.spec, planned.splits, snapshot, self._engine(planned.spec.family))
        arrays = {name: own for own_rule, name, own in found.artifacts if own_rule == rule}
        return replace(
            early,
            measurements={(number.rule, number.name): number.value for number in found.numbers},
            artifacts={(rule, name): name for name in arrays},
            tensors=arrays,
        )

    def _weights(self, run: Run, rule: str, epoch: int) -> State | None:
        """The weights after an epoch, if the rule chose them in an ended run, or has chosen them so far."""
        kept = [one.tensors for one in run.selections.values() if one.rule == rule and one.epoch == epoch]
        if kept and kept[0] is not None:
            return self._workspace.tensors.get(kept[0])
        stored, prefix = self._workspace.progress(run.id), f"selected/{epoch}/"
        tensors = {} if stored is None else self._workspace.tensors.get(stored.tensors)
        return {name.removeprefix(prefix): own for name, own in tensors.items() if name.startswith(prefix)} or None

    def _engine(self, family: EngineFamily) -> Engine:
        if family not in self._engines:
            self._engines[family] = evaluation_engine(family)
            self._stack.enter_context(ended_after(self._engines[family]))
        return self._engines[family]
