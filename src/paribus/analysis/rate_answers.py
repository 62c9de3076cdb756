"""What a sweep of the learning rate says, in words."""

from __future__ import annotations

from paribus.analysis import wording
from paribus.analysis.faults import UNSTABLE_IN_WORDS
from paribus.analysis.rates import RatePoint, Region, Sweep
from paribus.analysis.thresholds import COLLAPSE_VARIATION
from paribus.spec.metrics import metric_named


def sentences(sweep: Sweep) -> list[str]:
    """Where the result is best, where training is unstable, where it collapses, and what the rule chooses."""
    lines: list[str] = []
    best, chosen = sweep.point(sweep.best) or _best(sweep), sweep.point(sweep.chosen)
    if best is not None:
        lines.append(f"The best mean{_for(sweep)} is at a learning rate of {best.rate:g}: {_result(sweep, best)}.")
    lines += [_region(sweep, region) for region in sweep.regions()]
    if chosen is not None and best is not None:
        also = ", which is the best one" if chosen == best else f": {_result(sweep, chosen)}"
        lines.append(f"The rule chooses {chosen.rate:g}{_for(sweep)}{also}.")
    return lines


def thresholds_in_words() -> str:
    """What unstable and collapsed mean."""
    return (
        f"Unstable: the run diverged, or {UNSTABLE_IN_WORDS}. Collapsed: the output is nearly the same for "
        f"every input (its variance is below {100 * COLLAPSE_VARIATION:g} % of the input's)."
    )


def _best(sweep: Sweep) -> RatePoint | None:
    """The best mean of all rates at which no run went wrong."""
    sign = metric_named(sweep.metric).direction
    sound = [point for point in sweep.points if not point.unstable and not point.collapsed]
    known = [point for point in sound if point.estimate.mean is not None]
    return max(known, key=lambda point: sign * (point.estimate.mean or 0.0), default=None)


def _result(sweep: Sweep, point: RatePoint) -> str:
    return f"{wording.label(sweep.metric)} {wording.mean_and_sd(sweep.metric, point.estimate)}"


def _for(sweep: Sweep) -> str:
    return f" for {sweep.name}" if sweep.name else ""


def _region(sweep: Sweep, region: Region) -> str:
    inside = [point for point in sweep.points if region.low <= point.rate <= region.high]
    runs, total = sum(getattr(point, region.kind) for point in inside), sum(point.n for point in inside)
    rates = f"At a learning rate of {region.low:g}"
    if region.low < region.high:
        rates = f"At learning rates from {region.low:g} to {region.high:g}"
    verb = {"unstable": ("is", "are"), "collapsed": ("has", "have")}[region.kind][runs != 1]
    return f"{rates}{_for(sweep)}, {runs} of {wording.plural(total, 'run')} {verb} {region.kind}."
