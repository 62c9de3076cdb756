"""All that a workspace knows of one study, read once and arranged by arm and replicate."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from paribus.analysis.recorded import candidates_of, study_of
from paribus.analysis.run import Run, run_of
from paribus.spec.candidates import Candidate
from paribus.spec.dataset import Dataset
from paribus.spec.network import Module, layer_names
from paribus.spec.recipe import Recipe
from paribus.spec.study import Study, parse
from paribus.store.records import Assessment, Forecast, StudyRecord, TestRead, UsageRecord

if TYPE_CHECKING:
    from paribus.store.workspace import Workspace


@dataclass(frozen=True)
class Registration:
    """When a study of that name first registered a claim, and how many replicates it then declared."""

    registered_at: str
    replicates: int


@dataclass(frozen=True, eq=False)
class Results:
    """A study and the runs that a workspace has of it. Runs may be missing, in training, paused, or diverged.

    `namesakes` counts the workspace's studies of this name, this one among them; `latest` says whether this one was
    registered last. `registrations` are those of the claims, by their canonical texts.

    The arms of a search are its `candidates`. `assessments` are their results at its rungs, and `confirmed` is the
    study of its finalists, once that is registered.
    """

    study: Study
    study_id: str
    runs: tuple[Run, ...]
    test_reads: tuple[TestRead, ...] = ()
    usage: tuple[UsageRecord, ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    namesakes: int = 1
    latest: bool = True
    registrations: Mapping[str, Registration] = field(default_factory=dict[str, Registration])
    candidates: tuple[Candidate, ...] = ()
    assessments: tuple[Assessment, ...] = ()
    confirmed: Results | None = None

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms, in the study's order."""
        return tuple(arm.name for arm in self.study.arms)

    @property
    def proposed(self) -> dict[int, Mapping[str, Any]]:
        """The values of the candidates of a search, by number; empty for another study."""
        return {one.number: one.values for one in self.candidates}

    @property
    def planned(self) -> int:
        """How many runs the study has; a search has those of its candidates so far."""
        if self.study.search is not None:
            return len(self.runs)
        return len(self.study.arms) * self.study.replicates.count

    @property
    def recorded_at(self) -> datetime | None:
        """When the latest of the study's results was recorded, in UTC; None before the first."""
        times = [run.finished_at for run in self.runs] + [used.started_at for used in self.usage]
        times += [read.read_at for read in self.test_reads]
        known = [datetime.fromisoformat(time).astimezone(UTC) for time in times if time]
        return max(known, default=None)

    def recipe(self, arm: str) -> Recipe:
        return self.study.arm(arm).recipe

    def dataset(self, arm: str) -> Dataset | None:
        """The facts of an arm's data; None before the first of its runs is recorded."""
        return next((run.dataset for run in self.runs if run.arm == arm), None)

    def widths(self, arm: str) -> tuple[int, ...] | None:
        """Units of each layer of an arm's network, the input first; None before the first of its runs is recorded, and
        empty for a module."""
        dataset = self.dataset(arm)
        return None if dataset is None else self.recipe(arm).widths(dataset)

    def layers(self, arm: str) -> tuple[str, ...]:
        """The names of the fully connected layers of an arm's network as its state dicts have them, from input to
        output; none of a module."""
        network = self.recipe(arm).network
        return () if isinstance(network, Module) else layer_names((0, *network.hidden, 0))

    def rules(self, arm: str) -> tuple[str, ...]:
        """The arm's declared selection rules."""
        return self.recipe(arm).selection.rules

    def deploy(self, arm: str) -> str:
        """The rule at which an arm is compared with others.

        An arm that stops early deploys by the rule that it stops by. Any other takes the study's deploy rule, or its
        own first rule where it lacks that.
        """
        rules, stop = self.rules(arm), self.recipe(arm).training.early_stop
        if stop is not None and stop.rule in rules:
            return stop.rule
        return self.study.deploy if self.study.deploy in rules else rules[0]

    def monitored(self, arm: str) -> bool:
        """Whether the arm's test data were evaluated during training."""
        return self.recipe(arm).test.monitor_every > 0

    def of(self, arm: str) -> tuple[Run, ...]:
        """The runs of an arm that exist, by replicate."""
        return tuple(sorted((run for run in self.runs if run.arm == arm), key=lambda run: run.replicate))

    def finished(self, arm: str) -> tuple[Run, ...]:
        """The runs of an arm that ended well, by replicate."""
        return tuple(run for run in self.of(arm) if run.state == "done")

    def first(self, arm: str) -> Run | None:
        """The first finished run of an arm: the one whose images are shown."""
        return next(iter(self.finished(arm)), None)

    def run(self, arm: str, replicate: int) -> Run | None:
        return next((run for run in self.runs if run.arm == arm and run.replicate == replicate), None)

    def values(self, arm: str, rule: str, metric: str) -> tuple[float | None, ...]:
        """One value for each of the study's replicates, in the order of their indices.

        None where the run is missing, unfinished or diverged, or has no such value.
        """
        done = {run.replicate: run for run in self.finished(arm)}
        return tuple(done[r].value(rule, metric) if r in done else None for r in self.study.replicates.indices)

    def states(self) -> dict[str, int]:
        """How many of the study's runs are in each state; `missing` where the workspace has no row for them."""
        counts = Counter[str](run.state for run in self.runs)
        missing = self.planned - len(self.runs)
        return {**counts, **({"missing": missing} if missing > 0 else {})}


def load(workspace: Workspace, name_or_id: str) -> Results:
    """Read everything of one study. Raises UserError where the workspace knows no such study."""
    with workspace.reading():
        record = workspace.study(name_or_id)
        study = study_of(workspace, record)
        runs = [run_of(workspace, found, arm, replicate) for arm, replicate, found in workspace.runs_of(record.id)]
        order = {arm.name: place for place, arm in enumerate(study.arms)}
        ids = [run.id for run in runs]
        namesakes = [known.id for known in workspace.studies() if known.name == record.name]
        found = Results(
            study=study,
            study_id=record.id,
            runs=tuple(sorted(runs, key=lambda run: (order[run.arm], run.replicate))),
            test_reads=tuple(workspace.test_reads(ids)),
            usage=tuple(workspace.usage(ids)),
            forecasts=tuple(workspace.forecasts(record.id)),
            namesakes=len(namesakes),
            latest=namesakes[-1] == record.id,
            registrations=_registrations(workspace, record),
            candidates=candidates_of(workspace, record.id),
            assessments=tuple(workspace.assessments(record.id)),
        )
        return found if study.search is None else replace(found, confirmed=_confirmed(workspace, found))


def _confirmed(workspace: Workspace, results: Results) -> Results | None:
    """The study of a search's finalists, on the same data and engine as the search; None before it is registered."""
    from paribus.analysis.finalists import finalists_study

    expected = finalists_study(results)
    if expected is None:
        return None
    name, text = expected
    ids = [known.id for known in workspace.studies() if known.name == name and known.document == text]
    own = _trained_on(workspace, results.study_id)
    same = [study_id for study_id in ids if _trained_on(workspace, study_id) <= own]
    return load(workspace, same[-1]) if same else None


def _trained_on(workspace: Workspace, study_id: str) -> set[tuple[str, ...]]:
    """What the runs of a study were trained on, beside their recipes: engine, data, code of own modules."""
    identities = (json.loads(run.identity) for _, _, run in workspace.runs_of(study_id))
    return {tuple(str(one.get(key, "")) for key in ("engine", "data", "module")) for one in identities}


def _registrations(workspace: Workspace, study: StudyRecord) -> dict[str, Registration]:
    """The first registration of each claim of a study, by any study of its name."""
    found: dict[str, Registration] = {}
    wanted = {claim.text: claim.registered_at for claim in workspace.claims(study.id)}
    for known in sorted(workspace.studies(), key=lambda known: known.registered_at):
        new = [] if known.name != study.name else [c.text for c in workspace.claims(known.id) if c.text in wanted]
        for text in new:
            if text not in found:
                replicates = parse(known.document, place=f"study {known.name} in {workspace.path}").replicates
                found[text] = Registration(wanted[text], replicates.count)
    return found
