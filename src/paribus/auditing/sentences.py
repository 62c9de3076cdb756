"""What an audit found, in sentences: the same at the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from paribus.analysis.estimates import LEVEL_TEXT
from paribus.analysis.wording import plural
from paribus.auditing.noise import Noise
from paribus.auditing.result import SUSPECTED_FROM, AuditResult

_NAMED_PAIRS = 3


def opening(result: AuditResult) -> tuple[str, ...]:
    """How many labels are suspects, how many are wrong by the estimate, and what planted flips say."""
    found = [_suspects(result), _noise(result), *_transitions(result), _planted(result)]
    if result.unfinished:
        runs = plural(result.unfinished, "run")
        found.append(f"{runs} of the study {'has' if result.unfinished == 1 else 'have'} no result: the others count.")
    return tuple(found)


def _suspects(result: AuditResult) -> str:
    share = f"{100 * SUSPECTED_FROM:.0f} %"
    count = len(result.suspects)
    if not count:
        return f"No label of {result.examples:,} is probably wrong: none has a probability of {share} or more."
    verb = "is" if count == 1 else "are"
    expected = sum(one.probability for one in result.suspects)
    return (
        f"{count:,} of {result.examples:,} labels {verb} suspect: each is wrong with a probability of at least {share}."
        f" About {expected:,.0f} of them are expected to be wrong."
    )


def _noise(result: AuditResult) -> str:
    noise = result.noise
    low, high = noise.interval.low, noise.interval.high
    sure = plural(noise.surely, "example")
    words = f"The estimated share of wrong labels is {_share(noise.rate)} ({LEVEL_TEXT} CI {_ends(low, high)}"
    if noise.examples_by_flips:
        return f"{words}, by how many labels are as suspicious as those that the audit flipped itself)."
    return f"{words}, counted among the {sure} of which the networks are surest)."


def _transitions(result: AuditResult) -> Iterator[str]:
    pairs = largest_transitions(result.noise, _NAMED_PAIRS)
    if pairs:
        named = "; ".join(
            f"{result.classes[true]} labelled {result.classes[given]}, {_share(share)} ({_ends(low, high)})"
            for true, given, share, low, high in pairs
        )
        yield f"The most frequent errors, as shares of the true class: {named}."


def largest_transitions(noise: Noise, count: int) -> list[tuple[int, int, float, float, float]]:
    """The largest shares of a class that have another label: true class, label, share and the ends of its interval."""
    shares = np.nan_to_num(noise.matrix * (1 - np.eye(len(noise.matrix))))
    order = np.argsort(-shares, axis=None, kind="stable")[:count]
    found: list[tuple[int, int, float, float, float]] = []
    for place in order.tolist():
        true, given = divmod(place, len(shares))
        interval = noise.cell(true, given)
        if noise.counts[true, given] and true != given and interval is not None:
            found.append((true, given, float(shares[true, given]), interval.low, interval.high))
    return found


def _planted(result: AuditResult) -> str:
    if not result.planted_arms or not result.cuts or not result.cuts[0].planted:
        return "No planted flips were trained, so that no label has a probability of being wrong."
    cut = next(cut for cut in result.cuts if cut.at_least == SUSPECTED_FROM)
    interval = cut.recall_interval
    between = "" if interval is None else f" ({LEVEL_TEXT} CI {_ends(interval.low, interval.high)})"
    return (
        f"Of {cut.planted:,} labels that the audit flipped itself, {_share(cut.recall)}{between} would be suspects, "
        f"weighted as the estimated errors are; {_share(cut.false_alarms)} of the right labels are expected among the "
        "suspects."
    )


def pair_sentence(result: AuditResult) -> tuple[str, ...]:
    """How many pairs of equal or nearly equal examples have different labels."""
    looked = "" if result.duplicates_complete else ", looked for among equal examples and near suspects"
    if not result.duplicates:
        return (f"No two equal or nearly equal examples have different labels{looked}.",)
    pairs = plural(len(result.duplicates), "pair")
    return (f"{pairs} of equal or nearly equal examples have different labels{looked}.",)


def _share(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.1f} %"


def _ends(low: float, high: float) -> str:
    return f"{100 * low:.2g} to {100 * high:.2g} %" if high < 0.1 else f"{100 * low:.1f} to {100 * high:.1f} %"
