"""One run as analysis sees it: what was recorded, and the numbers that follow from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from paribus.analysis.thresholds import COLLAPSE_VARIATION
from paribus.analysis.units import HiddenLayer, hidden_layers
from paribus.spec.dataset import Dataset
from paribus.spec.metrics import METRICS
from paribus.spec.rules import parse_rule, selected_epoch
from paribus.store.records import Curve, RunRecord, Selected, Snapshot, State, Tensors

if TYPE_CHECKING:
    from paribus.store.workspace import Workspace


class TensorSource(Protocol):
    """Where named tensors are read from (the workspace's tensor folder; a mapping in tests)."""

    def get(self, name: str, /) -> Tensors: ...


@dataclass(frozen=True, eq=False)
class Run:
    """One arm x one replicate, as far as it has come. `measurements` and `artifacts` are keyed by (rule, name).

    `identity` is the canonical text that `id` is the hash of; `dataset` has the facts of the run's data.
    """

    arm: str
    replicate: int
    id: str
    identity: str
    state: State
    epochs_done: int
    dataset: Dataset
    curves: Mapping[str, Curve]
    tensors: TensorSource
    selections: Mapping[str, Selected] = field(default_factory=dict[str, Selected])
    snapshots: tuple[Snapshot, ...] = ()
    measurements: Mapping[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    artifacts: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    environment: Mapping[str, Any] = field(default_factory=dict[str, Any])
    started_at: str | None = None
    finished_at: str | None = None

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

        A measurement made at the selected snapshot (the test figures among them) comes before the curve. None where
        nothing finite is known.
        """
        if metric in _DERIVED:
            return _DERIVED[metric](self, rule)
        if (rule, metric) in self.measurements:
            return _finite(self.measurements[rule, metric])
        if not rule:
            return None
        epoch = self.epoch(rule)
        if metric == "epoch" or epoch is None:
            return None if epoch is None else float(epoch)
        known, curve = METRICS.known(metric), self.curves.get(metric)
        if known is None or not known.per_epoch or curve is None or not 1 <= epoch <= len(curve):
            return None
        return _finite(float(curve[epoch - 1]))

    def artifact(self, rule: str, name: str) -> Tensors | None:
        """The named arrays of a selected snapshot (of the run as a whole where `rule` is empty), or None."""
        tensors = self.artifacts.get((rule, name))
        return None if tensors is None else self.tensors.get(tensors)

    @cached_property
    def largest_class_share(self) -> float | None:
        """The share of the training examples with the most frequent label; None where labels were not recorded."""
        targets = self.artifact("", "targets/train") if self.dataset.has_labels else None
        if targets is None or not len(targets["labels"]):
            return None
        counts = np.bincount(np.asarray(targets["labels"], np.int64))
        return float(counts.max() / counts.sum())

    @cached_property
    def has_equal_targets(self) -> bool:
        """Whether all numbers to be predicted are the same in every training example, as far as they were recorded."""
        targets = self.artifact("", "targets/train") if self.dataset.targets else None
        return targets is not None and "numbers" in targets and bool((np.ptp(targets["numbers"], axis=0) == 0).all())

    def hidden_layers(self, rule: str) -> Mapping[str, HiddenLayer]:
        """The hidden layers by name at a rule's epoch, empty where units were not recorded. Read once."""
        if rule not in self._hidden_layers:
            arrays = self.artifact(rule, "units")
            self._hidden_layers[rule] = {} if arrays is None else hidden_layers(arrays)
        return self._hidden_layers[rule]

    @cached_property
    def _hidden_layers(self) -> dict[str, Mapping[str, HiddenLayer]]:
        return {}


def run_of(workspace: Workspace, record: RunRecord, arm: str = "", replicate: int = 0) -> Run:
    """A recorded run; `arm` and `replicate` as the membership of a study says."""
    return Run(
        arm=arm,
        replicate=replicate,
        id=record.id,
        identity=record.identity,
        state=record.state,
        epochs_done=record.epochs_done,
        dataset=Dataset.from_json(dict(record.dataset)),
        curves=workspace.curves(record.id),
        tensors=workspace.tensors,
        selections={chosen.rule: chosen for chosen in workspace.selections(record.id)},
        snapshots=tuple(sorted(workspace.snapshots(record.id), key=lambda s: (s.part, s.epoch))),
        measurements={(m.rule, m.name): m.value for m in workspace.measurements(record.id)},
        artifacts={(a.rule, a.name): a.tensors for a in workspace.artifacts(record.id)},
        environment=record.environment,
        started_at=record.started_at,
        finished_at=record.finished_at,
    )


def _dead(run: Run, rule: str) -> float | None:
    layers = run.hidden_layers(rule).values()
    return float(sum(int(layer.dead.sum()) for layer in layers)) if layers else None


def _unmoved(run: Run, rule: str) -> float | None:
    layers = run.hidden_layers(rule).values()
    return float(sum(int(layer.unmoved.sum()) for layer in layers)) if layers else None


def _hidden(run: Run, rule: str) -> float | None:
    layers = run.hidden_layers(rule).values()
    return float(sum(len(layer.mean) for layer in layers)) if layers else None


def _collapsed(run: Run, rule: str) -> float | None:
    variation = run.value(rule, "output_variation")
    return None if variation is None else float(variation < COLLAPSE_VARIATION)


_DERIVED: Final[Mapping[str, Callable[[Run, str], float | None]]] = {
    "dead_units": _dead,
    "unmoved_units": _unmoved,
    "hidden_units": _hidden,
    "collapsed": _collapsed,
}
"""Metrics that follow from what is recorded, each by one threshold."""


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
