"""Hidden units that do nothing: dead, still at their random start, or all of them together in a collapsed network."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.analysis.results import Results
from paribus.store.records import State


@dataclass(frozen=True)
class UnitCount:
    """The hidden units of one run at a rule's epoch; None for what was not measured (a diverged run, another rule).

    `dead` of `hidden` units never fire on the training images, `unmoved` of the first layer's stayed at their random
    start. `output_variation` is the outputs' variance over images as a share of the inputs'; below
    `paribus.spec.metrics.COLLAPSE_VARIATION` the network has `collapsed`: it prints the same image for every input.
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
    """Every run that has ended, at every rule of its arm at which units were counted; diverged runs at their first."""
    found: list[UnitCount] = []
    for arm in results.arms:
        layers = results.recipe(arm).network.layers
        for run in results.of(arm):
            counted = [rule for rule in results.rules(arm) if run.value(rule, "dead_units") is not None]
            if not counted and run.state == "diverged":
                counted = [results.rules(arm)[0]]
            for rule in counted:
                dead, unmoved = run.value(rule, "dead_units"), run.value(rule, "unmoved_units")
                collapsed = run.value(rule, "collapsed")
                found.append(
                    UnitCount(
                        arm=arm,
                        replicate=run.replicate,
                        rule=rule,
                        state=run.state,
                        hidden=sum(layers[1:-1]),
                        dead=None if dead is None else int(dead),
                        unmoved=None if unmoved is None else int(unmoved),
                        output_variation=run.value(rule, "output_variation"),
                        collapsed=None if collapsed is None else collapsed > 0,
                    )
                )
    return tuple(found)
