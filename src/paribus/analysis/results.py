"""All that a workspace knows of one study, read once and arranged by arm and replicate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from paribus.spec.metrics import COLLAPSE_VARIATION, METRICS
from paribus.spec.recipe import Recipe
from paribus.spec.rules import parse_rule, selected_epoch
from paribus.spec.study import Study, parse
from paribus.store.records import (
    Curve,
    Finding,
    Forecast,
    RunRecord,
    Selected,
    Snapshot,
    Span,
    State,
    Tensors,
    TestRead,
)

if TYPE_CHECKING:
    from paribus.store.workspace import Workspace


class TensorSource(Protocol):
    """Where named tensors are read from (the workspace's tensor folder; a mapping in tests)."""

    def get(self, name: str, /) -> Tensors: ...


@dataclass(frozen=True, eq=False)
class Run:
    """One arm x one replicate, as far as it has come. `measurements` and `artifacts` are keyed by (rule, name)."""

    arm: str
    replicate: int
    id: str
    state: State
    epochs_done: int
    curves: Mapping[str, Curve]
    selections: Mapping[str, Selected] = field(default_factory=dict[str, Selected])
    snapshots: tuple[Snapshot, ...] = ()
    measurements: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    findings: tuple[Finding, ...] = ()
    artifacts: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    environment: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def epoch(self, rule: str) -> int | None:
        """The epoch that `rule` chose: as recorded, else as the curves say. None where it chose none."""
        if rule in self.selections:
            return self.selections[rule].epoch
        parsed = parse_rule(rule)
        if parsed.kind == "best" and parsed.metric not in self.curves:
            return None
        curves = {name: curve.tolist() for name, curve in self.curves.items() if name == parsed.metric}
        return selected_epoch(parsed, curves, self.epochs_done)

    def value(self, rule: str, metric: str) -> float | None:
        """A metric at the epoch that `rule` chose; `rule` is empty for what belongs to the run as a whole.

        A measurement made at the selected snapshot (the drawer's test figures among them) comes before the curve.
        """
        if metric == "collapsed":
            variation = self.value(rule, "output_variation")
            return None if variation is None else float(variation < COLLAPSE_VARIATION)
        if (rule, metric) in self.measurements:
            return _finite(self.measurements[rule, metric])
        if not rule:
            return None
        epoch = self.epoch(rule)
        if metric == "epoch" or epoch is None:
            return None if epoch is None else float(epoch)
        known = METRICS.get(metric)
        curve = self.curves.get(metric)
        if known is None or not known.per_epoch or curve is None or not 1 <= epoch <= len(curve):
            return None
        return _finite(float(curve[epoch - 1]))


@dataclass(frozen=True, eq=False)
class Results:
    """A study and the runs that a workspace has of it. Runs may be missing, going on, or diverged."""

    study: Study
    study_id: str
    runs: tuple[Run, ...]
    test_reads: tuple[TestRead, ...]
    spans: tuple[Span, ...]
    forecasts: tuple[Forecast, ...]
    tensors: TensorSource

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms, in the study's order."""
        return tuple(arm.name for arm in self.study.arms)

    def recipe(self, arm: str) -> Recipe:
        return self.study.arm(arm).recipe

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
        """Whether the arm's test data were looked at during training."""
        return self.recipe(arm).test.monitor_every > 0

    def of(self, arm: str) -> tuple[Run, ...]:
        """The runs of an arm that exist, by replicate."""
        return tuple(sorted((run for run in self.runs if run.arm == arm), key=lambda run: run.replicate))

    def finished(self, arm: str) -> tuple[Run, ...]:
        """The runs of an arm that ended well, by replicate."""
        return tuple(run for run in self.of(arm) if run.state == "done")

    def first(self, arm: str) -> Run | None:
        """The first finished run of an arm: the one whose pictures are shown."""
        return next(iter(self.finished(arm)), None)

    def run(self, arm: str, replicate: int) -> Run | None:
        return next((run for run in self.runs if run.arm == arm and run.replicate == replicate), None)

    def values(self, arm: str, rule: str, metric: str) -> tuple[float | None, ...]:
        """One value a replicate; None where the run is missing, unfinished or diverged, or has no such value."""
        done = {run.replicate: run for run in self.finished(arm)}
        return tuple(done[r].value(rule, metric) if r in done else None for r in range(self.study.replicates))

    def states(self) -> dict[str, int]:
        """How many of the study's runs are in each state; `missing` where the workspace has no row for them."""
        counts = Counter[str](run.state for run in self.runs)
        missing = len(self.study.arms) * self.study.replicates - len(self.runs)
        return {**counts, **({"missing": missing} if missing > 0 else {})}

    def load(self, tensors: str) -> Tensors:
        """Tensors by the name that a record gives them."""
        return self.tensors.get(tensors)

    def artifact(self, run: Run, rule: str, name: str) -> Tensors | None:
        """The named arrays that a run keeps for the report, or None where it keeps none of that name."""
        tensors = run.artifacts.get((rule, name))
        return None if tensors is None else self.load(tensors)


def load(workspace: Workspace, name_or_id: str) -> Results:
    """Read everything of one study. Raises UserError where the workspace knows no such study."""
    with workspace.reading():
        record = workspace.study(name_or_id)
        study = parse(record.document, place=f"study {record.name} in {workspace.path}")
        runs = [_run(workspace, arm, replicate, found) for arm, replicate, found in workspace.runs_of(record.id)]
        order = {arm.name: place for place, arm in enumerate(study.arms)}
        ids = [run.id for run in runs]
        return Results(
            study=study,
            study_id=record.id,
            runs=tuple(sorted(runs, key=lambda run: (order[run.arm], run.replicate))),
            test_reads=tuple(workspace.test_reads(ids)),
            spans=tuple(workspace.spans(ids)),
            forecasts=tuple(workspace.forecasts(record.id)),
            tensors=workspace.tensors,
        )


def _run(workspace: Workspace, arm: str, replicate: int, found: RunRecord) -> Run:
    return Run(
        arm=arm,
        replicate=replicate,
        id=found.id,
        state=found.state,
        epochs_done=found.epochs_done,
        curves=workspace.curves(found.id),
        selections={chosen.rule: chosen for chosen in workspace.selections(found.id)},
        snapshots=tuple(sorted(workspace.snapshots(found.id), key=lambda s: (s.part, s.epoch))),
        measurements={(m.rule, m.name): m.value for m in workspace.measurements(found.id)},
        findings=tuple(workspace.findings(found.id)),
        artifacts={(a.rule, a.name): a.tensors for a in workspace.artifacts(found.id)},
        environment=found.environment,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
