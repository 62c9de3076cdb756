"""How many hidden units are dead or unmoved, and which networks have collapsed, run by run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.spec.network import Module
from paribus.store.records import State


@dataclass(frozen=True)
class UnitCount:
    """The hidden units of one run at a rule's epoch; None for what was not measured (a diverged run, another rule).

    `output_variation` is the outputs' variance over the training examples as a share of the inputs'.
    `paribus.analysis.thresholds` defines dead, unmoved and collapsed.
    """

    arm: str
    replicate: int
    rule: str
    state: State
    hidden: int
    dead: int | None
    unmoved: int | None
    output_variation: float | None
    collapsed: bool | None


def unit_counts(results: Results) -> tuple[UnitCount, ...]:
    """Every run that has ended, at every rule of its arm at which units were recorded; diverged runs at their first."""
    return tuple(
        _count(run, rule, _hidden(results, arm))
        for arm in results.arms
        if results.layers(arm)
        for run in results.of(arm)
        for rule in _rules(results, run)
    )


def _hidden(results: Results, arm: str) -> int:
    """How many hidden units an arm's network has; none are known of a module."""
    network = results.recipe(arm).network
    return 0 if isinstance(network, Module) else sum(network.hidden)


def _rules(results: Results, run: Run) -> Iterator[str]:
    recorded = [rule for rule in results.rules(run.arm) if run.hidden_layers(rule)]
    if not recorded and run.state == "diverged":
        recorded = [results.rules(run.arm)[0]]
    yield from recorded


def _count(run: Run, rule: str, hidden: int) -> UnitCount:
    dead, unmoved, collapsed = (run.value(rule, name) for name in ("dead_units", "unmoved_units", "collapsed"))
    return UnitCount(
        arm=run.arm,
        replicate=run.replicate,
        rule=rule,
        state=run.state,
        hidden=hidden,
        dead=None if dead is None else int(dead),
        unmoved=None if unmoved is None else int(unmoved),
        output_variation=run.value(rule, "output_variation"),
        collapsed=None if collapsed is None else collapsed > 0,
    )
