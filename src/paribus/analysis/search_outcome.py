"""What a search found, and its value on fresh replicates: the shrinkage, the disqualified, the naive choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from paribus.analysis import wording
from paribus.analysis.choice import choices
from paribus.analysis.estimates import LEVEL_TEXT, Estimate, Interval, estimate
from paribus.analysis.faults import REMEDIES
from paribus.analysis.finalists import finalists_study, is_confirmed, is_decided, proposed, winner
from paribus.analysis.halving import finalists, lowest_so_far
from paribus.analysis.results import Results
from paribus.analysis.statements import between
from paribus.spec.candidates import Candidate
from paribus.spec.choice import FAULTS, Fault
from paribus.spec.overrides import as_table
from paribus.spec.search import Search
from paribus.store.records import Assessment


@dataclass(frozen=True)
class Finalist:
    """A finalist: the value found in the search, and its values on fresh replicates.

    `excluded` says why it may not be chosen; empty where it may.
    """

    number: int
    name: str
    values: Mapping[str, Any]
    found: float
    confirmed: Estimate
    excluded: str
    chosen: bool

    @property
    def shrinkage(self) -> float | None:
        """The mean on fresh replicates minus the found value; above 0 where a loss was found too low."""
        return None if self.confirmed.mean is None else self.confirmed.mean - self.found

    @property
    def interval(self) -> Interval | None:
        """The interval of the shrinkage: that of the mean on fresh replicates, about the found value."""
        own = self.confirmed.interval
        return None if own is None else Interval(own.low - self.found, own.high - self.found)


@dataclass(frozen=True)
class SearchOutcome:
    """A search as far as it has come.

    `last` has the last assessment of each candidate, `finalists` the best first, `naive` is what is best by value alone
    at any rung, and `winner` the name of the candidate that is chosen.
    """

    search: Search
    last: tuple[Assessment, ...]
    finalists: tuple[Finalist, ...]
    naive: Assessment | None
    winner: str | None

    @property
    def disqualified(self) -> dict[Fault | Literal["failed"], tuple[str, ...]]:
        """The candidates with each fault, by name, and those that could not be built or trained, as `failed`; what none
        has is left out."""
        found: dict[Fault | Literal["failed"], tuple[str, ...]] = {}
        for fault in (*FAULTS, "failed"):
            having = (one for one in self.last if (one.failure if fault == "failed" else fault in one.faults))
            if names := tuple(name_of(one.number) for one in having):
                found[fault] = names
        return found


def name_of(number: int) -> str:
    """The name of a candidate."""
    return Candidate(number, {}).name


def search_outcome(results: Results) -> SearchOutcome | None:
    """The outcome of a search; None for another study."""
    search, assessed = results.study.search, results.assessments
    if search is None:
        return None
    last: dict[int, Assessment] = {}
    for one in sorted(assessed, key=lambda one: one.rung):
        last[one.number] = one
    epochs = results.study.arms[0].recipe.training.epochs
    won, confirmed = winner(results), results.confirmed
    excluded = {} if confirmed is None else {one.arm: one.excluded for one in choices(confirmed)[0].candidates}
    found: list[Finalist] = []
    for number in () if confirmed is None else finalists(search, results.proposed, assessed, epochs):
        name, value = name_of(number), last[number].value
        assert confirmed is not None
        again = estimate(confirmed.values(name, search.objective, search.metric))
        chosen = name == won
        found.append(
            Finalist(number, name, proposed(results, number), value or 0.0, again, excluded.get(name, ""), chosen)
        )
    naive = lowest_so_far(search, assessed)
    return SearchOutcome(search, tuple(last[number] for number in sorted(last)), tuple(found), naive, won)


def values_in_words(values: Mapping[str, Any]) -> str:
    """Proposed values: `lr 0.00123, batch_size 16`."""
    return ", ".join(f"{key.rpartition('.')[2]} {_word(value)}" for key, value in values.items())


def _word(value: object) -> str:
    table = as_table(value)
    if table is not None:
        return str(table.get("kind", table))
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "-".join(str(entry) for entry in value)  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    return str(value).lower() if isinstance(value, bool) else str(value)


def search_sentences(results: Results) -> list[str]:
    """The winner with its value on fresh replicates, the shrinkage, the naive choice, and who was disqualified."""
    outcome = search_outcome(results)
    if outcome is None:
        return []
    metric, lines = outcome.search.metric, list[str]()
    label, proposals = wording.label(metric), wording.plural(len(results.candidates), "candidate")
    won = next((one for one in outcome.finalists if one.chosen), None)
    if won is not None:
        lines.append(
            f"{wording.capital(won.name)} ({values_in_words(won.values)}) is chosen of {proposals}: {label} "
            f"{wording.mean_and_sd(metric, won.confirmed)} on {wording.plural(won.confirmed.n, 'fresh replicate')}."
        )
        lines.append(_shrinkage(metric, won))
    elif not outcome.last:
        lines.append("No candidate has come to a rung yet.")
    elif results.confirmed is None and is_decided(results) and finalists_study(results) is None:
        lines.append(f"None of {proposals} came to the end of training without a fault: the search has no winner.")
    elif results.confirmed is None or not is_confirmed(results.confirmed):
        lines.append(f"{proposals} so far; no finalist is confirmed yet.")
    else:
        each = wording.listed(f"{one.name} ({one.excluded})" for one in outcome.finalists)
        lines.append(f"No finalist is without a fault on fresh replicates: {each}. The search has no winner.")
    if (naive := naive_sentence(outcome)) is not None:
        lines.append(naive)
    if (out := disqualified_sentence(outcome)) is not None:
        lines.append(out)
    lines += failure_sentences(outcome)
    if won is None and (remedy := remedy_sentence(outcome)) is not None:
        lines.append(remedy)
    return lines


def _shrinkage(metric: str, one: Finalist) -> str:
    found, mean, interval = wording.quantity(metric, one.found), one.shrinkage, one.interval
    if mean is None:
        return f"In the search it had {found}."
    way = "lower" if mean < 0 else "higher"
    size = wording.difference(metric, abs(mean)).removeprefix("+")
    certain = "" if interval is None else f" ({LEVEL_TEXT} CI {between(metric, mean, interval)})"
    return f"In the search it had {found}; the mean on fresh replicates is {size} {way}{certain}."


def naive_sentence(outcome: SearchOutcome) -> str | None:
    """What the best value so far, at any rung and with any fault, would have picked."""
    one = outcome.naive
    if one is None:
        return None
    best = wording.best(outcome.search.metric)
    faults = f", which is {wording.listed(one.faults)}" if one.faults else ""
    name, value = name_of(one.number), wording.quantity(outcome.search.metric, one.value)
    same = ", the same candidate" if name == outcome.winner else ""
    label = wording.label(outcome.search.metric)
    return f"The {best} {label} so far would have picked {name} ({value} after {one.epochs} epochs){faults}{same}."


def disqualified_sentence(outcome: SearchOutcome) -> str | None:
    """How many candidates were disqualified by each fault, with their names."""
    named = outcome.disqualified
    if not named:
        return None
    each = "; ".join(f"{len(names)} {fault} ({_short(names)})" for fault, names in named.items())
    count = len({name for names in named.values() for name in names})
    return f"{wording.plural(count, 'candidate')} disqualified: {each}."


def failure_sentences(outcome: SearchOutcome) -> list[str]:
    """Why candidates failed, each reason once."""
    by_reason: dict[str, list[str]] = {}
    for one in outcome.last:
        if one.failure:
            by_reason.setdefault(one.failure, []).append(name_of(one.number))
    return [f"{wording.capital(_short(tuple(names)))} failed: {reason}." for reason, names in by_reason.items()]


def remedy_sentence(outcome: SearchOutcome) -> str | None:
    """What to try against the most frequent fault, where at least half of the candidates have it."""
    named = outcome.disqualified
    commonest = max(named, key=lambda fault: len(named[fault]), default=None)
    if commonest is None or commonest == "failed" or 2 * len(named[commonest]) < len(outcome.last):
        return None
    return f"What may help where many are {commonest}: {REMEDIES[commonest]}."


def _short(names: tuple[str, ...]) -> str:
    """`candidates 3, 8 and 11`."""
    numbers = [name.rpartition(" ")[2] for name in names]
    return f"{'candidate' if len(numbers) == 1 else 'candidates'} {wording.listed(numbers)}"


def rung_counts(results: Results) -> dict[int, int]:
    """How many candidates reached each rung, by its epochs; those that failed there did not."""
    return dict(sorted(Counter(one.epochs for one in results.assessments if not one.failure).items()))
