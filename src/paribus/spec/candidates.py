"""From what a search proposes to arms of its study."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from paribus.errors import Shown, nearest
from paribus.spec.places import Place
from paribus.spec.search import Search, corners, value_at

NOT_IN_SEARCHES = ("arms", "factors", "claims", "published", "choose", "control")
"""Keys of a study that a search has none of: they name arms, and a search makes its own."""


@dataclass(frozen=True)
class Candidate:
    """What was proposed: `values` are dotted keys of an arm. `number` counts all candidates of the search from 0."""

    number: int
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of its arm."""
        return f"candidate {self.number}"


def entry_of(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """An arm's own keys as a study file has them: dotted keys as tables in tables."""
    entry: dict[str, Any] = {"name": name}
    for key, value in values.items():
        *tables, last = key.split(".")
        table = entry
        for word in tables:
            table = table.setdefault(word, {})
        table[last] = copy.deepcopy(value)
    return entry


def search_entries(
    document: Mapping[str, Any], search: Search, place: Place, candidates: Iterable[Candidate]
) -> list[tuple[str, dict[str, Any]]]:
    """The arms of a search as `arms.arm_entries` gives those of other studies: its candidates so far.

    Before the first, they are the corners of the space, which must all be valid arms. Raises UserError where the file
    has keys that a search has none of.
    """
    for key in NOT_IN_SEARCHES:
        if key in document:
            rule = f"a study has either [search] or {key}: the search makes its own arms"
            raise place.refused(rule, given=Shown("both"), key=key, remedy="take one of them out")
    for key, dimension in search.space.items():
        for other in dimension.when:
            if other not in search.space and value_at(document, other) is None:
                rule = "must name a key of the space, or one that the study writes"
                written = other.partition(".")[0] in document
                remedy = f"write {other} in its table" if written else nearest(other, search.space)
                raise place.refused(rule, given=other, key=f"search.space.{key}.when", remedy=remedy)
    given = list(candidates)
    if given:
        return [("search", entry_of(one.name, one.values)) for one in given]
    found = enumerate(corners(search, document))
    return [("search.space", entry_of(_in_words(number, one), one)) for number, one in found]


def _in_words(number: int, values: Mapping[str, Any]) -> str:
    """The name of a corner: `0: lr=1e-06, batch_size=8`."""
    parts = ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in values.items())
    return f"{number}: {parts}"[:60].strip()
