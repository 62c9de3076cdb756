"""The loop of a search: propose, record, train to a rung, assess, decide; and the confirmation of its finalists.

The workspace is the history. Every step is a function of what is recorded: after an interruption or a crash the same
call repeats the steps, finds them recorded, and goes on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from paribus.analysis.halving import finalists, survivors, told
from paribus.errors import Shown, StorageError, UserError
from paribus.execution.events import Listener, silent
from paribus.execution.executor import Deliver, Executor
from paribus.execution.executors import ExecutorsByFamily
from paribus.execution.runner import member_runs, train
from paribus.searching.assessing import Assessor
from paribus.searching.sampler import Sampler, proposer
from paribus.spec.candidates import Candidate
from paribus.spec.identity import study_id
from paribus.spec.search import Search
from paribus.spec.study import Study, parse
from paribus.store.records import Assessment, NewRun, Proposal
from paribus.store.workspace import Workspace
from paribus.training.devices import Device, device_named
from paribus.training.loaded import Loaded
from paribus.training.plan import Plan, PlannedRun, plan_cohorts, runs_of


@dataclass(frozen=True)
class Stage:
    """Candidates that train up to one rung: the `number`-th stage of the search, counted from 1.

    They are a batch that was just `proposed`, or what goes on from the rung before.
    """

    number: int
    bracket: int
    rung: int
    epochs: int
    candidates: tuple[int, ...]
    replicates: int
    proposed: bool


class Display(Protocol):
    """Shows how a search goes."""

    def stage(self, stage: Stage, plan: Plan, /) -> AbstractContextManager[Listener]:
        """A stage trains inside the `with` block; what it gives is shown the events."""
        ...

    def decided(self, stage: Stage, assessed: Sequence[Assessment], /) -> None:
        """A stage has been assessed."""
        ...


class _Silent:
    def stage(self, _stage: Stage, _plan: Plan) -> AbstractContextManager[Listener]:
        return nullcontext(silent)

    def decided(self, _stage: Stage, _assessed: Sequence[Assessment]) -> None:
        pass


@dataclass(frozen=True, eq=False)
class PreparedSearch:
    """A search whose data were checked to fit every corner of its space."""

    study: Study
    search: Search
    device: Device
    loaded: Loaded
    corners: tuple[PlannedRun, ...]

    @cached_property
    def id(self) -> str:
        """The identity under which the search is registered: what it says, and the runs at the corners of its space."""
        return study_id(self.study, (run.id for run in self.corners))

    @property
    def epochs(self) -> int:
        return self.study.arms[0].recipe.training.epochs


def prepare_search(study: Study, *, device: str = "cpu", workers: int | None = None) -> PreparedSearch:
    """Load the data of a search and check its space against them.

    Raises UserError where the study is no search, the data cannot be loaded, or a corner of the space does not fit.
    """
    if study.search is None:
        rule, remedy = "must be a search", f"train it: paribus run {study.name}, or add [search]"
        raise UserError(rule, given=Shown("no [search]"), place=f"study {study.name}", remedy=remedy)
    proposer(study.search)
    place = device_named(device, workers)
    first = study.replicates.model_copy(update={"count": 1})
    loaded = Loaded(study, place)
    corners = runs_of(study.model_copy(update={"replicates": first}), place, loaded)
    return PreparedSearch(study, study.search, place, loaded, corners)


def run_search(
    prepared: PreparedSearch,
    workspace: Workspace,
    display: Display | None = None,
    *,
    executor: Callable[[Device, Deliver], Executor] = ExecutorsByFamily,
) -> tuple[int, ...]:
    """Propose, train and assess until every rung is decided; returns the numbers of the finalists, the best first.

    What `workspace` (open for writing) has of it already is used. A candidate that cannot be built or trained is
    recorded as a failure, and the others go on.

    Raises UserError where another version of the sampler began it, or something else than its candidates broke a run;
    KeyboardInterrupt passes through once every run in training has its checkpoint.
    """
    return _Search(prepared, workspace, display or _Silent(), executor).run()


class _Search:
    def __init__(
        self,
        prepared: PreparedSearch,
        workspace: Workspace,
        display: Display,
        executor: Callable[[Device, Deliver], Executor],
    ) -> None:
        self._prepared, self._workspace, self._display, self._executor = prepared, workspace, display, executor
        self._study, self._search, self._id = prepared.study, prepared.search, prepared.id
        self._base = tomllib.loads(self._study.document)
        self._members: dict[tuple[str, int], NewRun] = {}
        self._stages = 0

    def run(self) -> tuple[int, ...]:
        workspace = self._workspace
        workspace.register_study(self._id, self._study.name, self._study.document, {})
        self._proposals = {one.number: one for one in workspace.proposals(self._id)}
        self._assessed = {(one.number, one.rung): one for one in workspace.assessments(self._id)}
        self._refuse_other_sampler()
        with closing(Assessor(self._search, workspace)) as self._assessor:
            for bracket in range(self._search.brackets):
                self._bracket(bracket)
        return finalists(self._search, self._proposed, self._assessed.values(), self._prepared.epochs)

    @property
    def _proposed(self) -> dict[int, Mapping[str, Any]]:
        return {number: one.values for number, one in self._proposals.items()}

    def _refuse_other_sampler(self) -> None:
        here = proposer(self._search)
        for one in self._proposals.values():
            if one.proposer != here:
                remedy = f"install {one.proposer.partition(',')[0]}, or begin the search in another workspace"
                raise UserError("must go on with the sampler that it began with, because another proposes otherwise",
                                given=Shown(f"{here}, after {one.proposer}"), place=f"study {self._study.name}",
                                remedy=remedy)  # fmt: skip

    def _bracket(self, bracket: int) -> None:
        """All rungs of one bracket: the first one batch by batch, the others with what is left."""
        sampler = Sampler(self._search, self._base, self._study.seed, bracket)
        rungs = self._search.rungs(self._prepared.epochs, bracket)
        numbers: list[int] = []
        for batch in self._search.batches(bracket):
            self._propose(sampler, batch)
            assessed = self._stage(bracket, 0, rungs[0], tuple(batch), proposed=True)
            sampler.tell([told(self._search, one) for one in assessed])
            numbers += batch
        left = tuple(numbers)
        for rung, epochs in enumerate(rungs[1:], start=1):
            assessed = [self._assessed[number, rung - 1] for number in left]
            left = survivors(self._search, self._proposed, assessed)
            self._stage(bracket, rung, epochs, left, proposed=False)

    def _propose(self, sampler: Sampler, batch: range) -> None:
        """Ask for a batch, and record it unless it is recorded: then it must be the same."""
        found = sampler.ask(len(batch))
        asked = [
            Proposal(n, self._batch_of(n), one, proposer(self._search)) for n, one in zip(batch, found, strict=True)
        ]
        known = [self._proposals[number] for number in batch if number in self._proposals]
        if not known:
            self._workspace.add_proposals(self._id, asked)
            self._proposals |= {one.number: one for one in asked}
        elif [one.values for one in known] != [one.values for one in asked]:
            raise UserError(
                "must propose what is recorded, as it was told the same",
                given=Shown("other candidates"),
                place=f"study {self._study.name}, candidates {batch.start} to {batch.stop - 1}",
                remedy="resume with the versions of Optuna, NumPy and SciPy that began it, or use another workspace",
            )

    def _batch_of(self, number: int) -> int:
        every = [batch for bracket in range(self._search.brackets) for batch in self._search.batches(bracket)]
        return next(place for place, batch in enumerate(every) if number in batch)

    def _stage(
        self, bracket: int, rung: int, epochs: int, numbers: tuple[int, ...], *, proposed: bool
    ) -> list[Assessment]:
        """Train candidates up to a rung and assess them, as far as that is not recorded."""
        self._stages += 1
        replicates = self._search.replicates_at(rung, self._study.replicates.count)
        stage = Stage(self._stages, bracket, rung, epochs, numbers, replicates, proposed)
        runs, failures = self._runs_of(stage)
        if any((number, rung) not in self._assessed for number in numbers):
            failures |= self._train(stage, runs)
            by_member = {member: run for run in runs for member in run.members}
            indices = self._study.replicates.indices[:replicates]
            trained = {n: [by_member[Candidate(n, {}).name, r] for r in indices] for n in numbers if n not in failures}
            found = self._assessor.assessed(rung, epochs, trained)
            found += [Assessment(n, rung, epochs, None, (), reason) for n, reason in failures.items()]
            self._workspace.add_assessments(self._id, found)
            self._assessed |= {(one.number, one.rung): one for one in found}
        assessed = [self._assessed[number, rung] for number in numbers]
        self._display.decided(stage, assessed)
        return assessed

    def _runs_of(self, stage: Stage) -> tuple[tuple[PlannedRun, ...], dict[int, str]]:
        """The runs of a stage, registered; and why candidates have none, by number."""
        known = {number: self._assessed.get((number, stage.rung)) for number in stage.candidates}
        failures = {number: one.failure for number, one in known.items() if one is not None and one.failure}
        numbers = [number for number in stage.candidates if number not in failures]
        try:
            study, runs = self._built(numbers, stage.replicates)
        except StorageError:
            raise
        except UserError:  # told apart by building each alone
            alone = {number: self._why_not_built(number, stage.replicates) for number in numbers}
            failures |= {number: reason for number, reason in alone.items() if reason}
            self._require_corner()
            study, runs = self._built([number for number in numbers if not alone[number]], stage.replicates)
        self._members |= {
            member: run for member, run in member_runs(study, runs).items() if member not in self._members
        }
        self._workspace.register_study(self._id, self._study.name, self._study.document, self._members)
        return runs, failures

    def _why_not_built(self, number: int, replicates: int) -> str:
        """Why a candidate cannot be built; empty where it can."""
        try:
            self._built([number], replicates)
        except StorageError:
            raise
        except UserError as error:
            place, problem, _ = error.parts
            _, _, key = place.partition(", key ")
            return f"key {key}: {problem}" if key else problem
        return ""

    def _require_corner(self) -> None:
        """Build a corner of the space again, which could be built before the search. Raises UserError where it cannot:
        then something else has changed than the candidates."""
        known = self._prepared.loaded.with_modules_unchecked(self._study, self._prepared.device)
        first = self._study.replicates.model_copy(update={"count": 1})
        corner = {"arms": self._study.arms[:1], "replicates": first}
        runs_of(self._study.model_copy(update=corner), self._prepared.device, known)

    def _built(self, numbers: Sequence[int], replicates: int) -> tuple[Study, tuple[PlannedRun, ...]]:
        """The study whose arms are these candidates, with so many replicates, and its runs; none without candidates."""
        if not numbers:
            return self._study.model_copy(update={"arms": ()}), ()
        given = [Candidate(number, self._proposals[number].values) for number in numbers]
        place = f"study {self._study.name}"
        study = parse(self._study.document, place=place, folder=self._study.folder, candidates=given)
        study = study.model_copy(update={"replicates": study.replicates.model_copy(update={"count": replicates})})
        return study, runs_of(study, self._prepared.device, self._prepared.loaded)

    def _train(self, stage: Stage, runs: Sequence[PlannedRun]) -> dict[int, str]:
        """Train runs up to a stage's epoch; why candidates of it could not be trained, by number.

        A candidate fails where the user's own code raises an error, which would come again. Raises UserError for what
        else broke a run: it says nothing of the candidate.
        """
        pausing = [replace(run, until=stage.epochs) for run in runs]
        found = {run.id: self._workspace.run(run.id) for run in pausing}
        recorded = {run_id: record for run_id, record in found.items() if record is not None}
        plan = plan_cohorts(self._study, pausing, recorded, self._prepared.device, timing=False)
        if not plan.unfinished:
            return {}
        with self._display.stage(stage, plan) as listener:
            failed = train(self._id, plan, self._workspace, listener, self._executor).failed
        broken = [(run.members[0], failed[run.id]) for run in runs if run.id in failed]
        for (arm, replicate), failure in broken:
            if failure.kind != "code":
                raise UserError("must train every candidate of a rung before it goes on", given=Shown(failure.reason),
                                place=f"study {self._study.name}, {arm}, replicate {replicate}",
                                remedy="correct the cause; the same command trains it again")  # fmt: skip
        reasons = {arm: failed[run.id].reason for run in reversed(runs) if run.id in failed for arm in run.arms}
        return {n: reason for n in stage.candidates if (reason := reasons.get(Candidate(n, {}).name)) is not None}
