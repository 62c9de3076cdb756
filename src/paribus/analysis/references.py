"""Reference lines beside the arms: what simple models reach on the same splits, and whether a network beats them."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.results import Results
from paribus.spec.metrics import METRICS, Metric
from paribus.spec.references import REFERENCES, Reference, measurement_name, reference_label


@dataclass(frozen=True)
class ReferenceLine:
    """A reference on the data of some arms; they share their splits, replicate by replicate."""

    reference: Reference
    label: str
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Gain:
    """How much an arm at its deploy rule is better than a reference, paired by replicate: + where it is better.

    `network` and `line` are the metric itself.
    """

    arm: str
    metric: str
    network: Estimate
    line: Estimate
    gain: Estimate

    @property
    def is_clear(self) -> bool:
        """Whether the network is clearly better: the interval of the paired difference lies above 0."""
        return self.gain.interval is not None and self.gain.interval.low > 0


def reference_lines(results: Results) -> tuple[ReferenceLine, ...]:
    """Every reference that was measured, once for all arms that share their data."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for arm in results.study.arms:
        key = (arm.seed, arm.recipe.data.model_dump_json(), arm.recipe.task)
        groups.setdefault(key, []).append(arm.name)
    found: list[ReferenceLine] = []
    for arms in groups.values():
        task = results.recipe(arms[0]).task
        lines = [ReferenceLine(one, reference_label(one, task), tuple(arms)) for one in REFERENCES]
        found += [line for line in lines if reference_metrics(results, line)]
    return tuple(found)


def reference_metrics(results: Results, line: ReferenceLine) -> tuple[Metric, ...]:
    """The metrics that were measured of a reference, in the registry's order."""
    return tuple(m for m in METRICS.values() if m.split in ("val", "test") and of_reference(results, line, m.name).n)


def of_reference(results: Results, line: ReferenceLine, metric: str) -> Estimate:
    """A metric of a reference, one value a replicate: that of the first of its arms that has it."""
    name = measurement_name(line.reference, metric)
    by_arm = [results.values(arm, "", name) for arm in line.arms]
    return estimate(next((v for v in values if v is not None), None) for values in zip(*by_arm, strict=True))


def did_not_converge(results: Results, line: ReferenceLine) -> bool:
    """Whether a fit of this reference ended before it had converged."""
    values = of_reference(results, line, "converged").values
    return any(value == 0 for value in values)


def gains(results: Results, line: ReferenceLine, metric: str) -> tuple[Gain, ...]:
    """Each arm of a reference beside it, as far as both are known."""
    reference, direction = of_reference(results, line, metric), METRICS[metric].direction
    found: list[Gain] = []
    for arm in line.arms:
        network = estimate(results.values(arm, results.deploy(arm), metric))
        pairs = zip(network.values, reference.values, strict=True)
        gain = estimate(None if a is None or b is None else direction * (a - b) for a, b in pairs)
        if gain.n:
            found.append(Gain(arm, metric, network, reference, gain))
    return tuple(found)
