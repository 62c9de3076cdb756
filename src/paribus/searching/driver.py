"""The loop of a search: propose, record, train to a rung, assess, decide; and the confirmation of its finalists.

The workspace is the history. Every step is a function of what is recorded: after an interruption or a crash the same
call repeats the steps, finds them recorded, and goes on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from paribus.analysis.halving import finalists, survivors, told
from paribus.errors import Shown, UserError
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

    What `workspace` (open for writing) has of it already is used. Raises UserError where another version of the sampler
    began it, or a run failed; KeyboardInterrupt passes through once every run in training has its checkpoint.
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
        self._assessor = Assessor(self._search, workspace, prepared.device)
        self._stages = 0

    def run(self) -> tuple[int, ...]:
        workspace = self._workspace
        workspace.register_study(self._id, self._study.name, self._study.document, {})
        self._proposals = {one.number: one for one in workspace.proposals(self._id)}
        self._assessed = {(one.number, one.rung): one for one in workspace.assessments(self._id)}
        self._refuse_other_sampler()
        for bracket in range(self._search.brackets):
            self._bracket(bracket)
        return finalists(self._search, self._assessed.values(), self._prepared.epochs)

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
            left = survivors(self._search, [self._assessed[number, rung - 1] for number in left])
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
        runs = self._runs_of(stage)
        if any((number, rung) not in self._assessed for number in numbers):
            self._train(stage, runs)
            by_member = {member: run for run in runs for member in run.members}
            indices = self._study.replicates.indices[:replicates]
            found = [
                self._assessor.assessed(n, rung, epochs, [by_member[Candidate(n, {}).name, r] for r in indices])
                for n in numbers
            ]
            self._workspace.add_assessments(self._id, found)
            self._assessed |= {(one.number, one.rung): one for one in found}
        assessed = [self._assessed[number, rung] for number in numbers]
        self._display.decided(stage, assessed)
        return assessed

    def _runs_of(self, stage: Stage) -> tuple[PlannedRun, ...]:
        """The runs of a stage, registered."""
        if not stage.candidates:
            return ()
        study = self._with_arms(stage)
        runs = runs_of(study, self._prepared.device, self._prepared.loaded)
        self._members |= {
            member: run for member, run in member_runs(study, runs).items() if member not in self._members
        }
        study_id, document = self._id, self._study.document
        self._workspace.register_study(study_id, study.name, document, self._members)
        return runs

    def _with_arms(self, stage: Stage) -> Study:
        """The study whose arms are the candidates of a stage, with as many replicates as train there."""
        given = [Candidate(number, self._proposals[number].values) for number in stage.candidates]
        place = f"study {self._study.name}"
        study = parse(self._study.document, place=place, folder=self._study.folder, candidates=given)
        replicates = study.replicates.model_copy(update={"count": stage.replicates})
        return study.model_copy(update={"replicates": replicates})

    def _train(self, stage: Stage, runs: Sequence[PlannedRun]) -> None:
        pausing = [replace(run, until=stage.epochs) for run in runs]
        found = {run.id: self._workspace.run(run.id) for run in pausing}
        recorded = {run_id: record for run_id, record in found.items() if record is not None}
        plan = plan_cohorts(self._study, pausing, recorded, self._prepared.device, timing=False)
        if not plan.unfinished:
            return
        with self._display.stage(stage, plan) as listener:
            failed = train(self._id, plan, self._workspace, listener, self._executor).failed
        if failed:
            run_id, reason = next(iter(failed.items()))
            arm, replicate = next(run for run in runs if run.id == run_id).members[0]
            raise UserError("must train every candidate of a rung before it goes on", given=Shown(reason),
                            place=f"study {self._study.name}, {arm}, replicate {replicate}",
                            remedy="correct the cause; the same command trains it again")  # fmt: skip
