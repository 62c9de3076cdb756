"""The words of paribus with their meanings: the glossary, the metrics, the findings and the verdicts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from paribus.analysis.finding_summaries import EXPLANATIONS
from paribus.spec.metrics import METRICS

_ROW: Final = re.compile(r"\| (?P<term>[^|]+?) \| (?P<meaning>.+?) \|$")
_CODE: Final = re.compile(r"`([^`]*)`")
VERDICTS: Final = {
    "SUPPORTED": "The whole 95 % interval of the difference lies beyond the margin that the claim declares.",
    "REFUTED": "The whole 95 % interval lies below the margin: better by less than it, or worse.",
    "EQUIVALENT": "Two one-sided tests at 5 % exclude a difference as large as the margin, to either side.",
    "INCONCLUSIVE": "The interval contains the margin, or there are too few replicates: more of them would decide.",
}
_DIRECTIONS: Final = {1: "more is better", -1: "less is better", 0: "neither more nor less is better"}
_SCOPES: Final = {"epoch": "of each epoch", "snapshot": "of a selected snapshot", "run": "of the run as a whole"}


@dataclass(frozen=True)
class Term:
    """A word and what it means; `kind` says where it belongs: glossary, metric, finding or verdict."""

    term: str
    meaning: str
    kind: str


@cache
def terms() -> dict[str, Term]:
    """Every word by itself, in the order of the glossary, then verdicts, findings and metrics."""
    found = {term.term: term for term in _of_glossary()}
    for kind, meanings in (("verdict", VERDICTS), ("finding", EXPLANATIONS)):
        for word, meaning in meanings.items():
            found.setdefault(str(word), Term(str(word), meaning, kind))
    for name, metric in METRICS.items():
        direction = _DIRECTIONS[metric.direction]
        found.setdefault(name, Term(name, f"{metric.label}, {_SCOPES[metric.scope]}; {direction}", "metric"))
    return found


def explained(word: str) -> Term | None:
    """The entry of a word, whatever its case, its number and its hyphens; None where there is none."""
    wanted = _plain(word)
    known: dict[str, Term] = {}
    for term, entry in terms().items():
        known.setdefault(_plain(term), entry)
    singular = wanted.removesuffix("s")
    return known.get(wanted) or known.get(singular) or known.get(f"{wanted}s")


def _of_glossary() -> list[Term]:
    text = (files("paribus") / "glossary.md").read_text(encoding="utf-8")
    found: list[Term] = []
    for line in text.splitlines():
        row = _ROW.match(line)
        if row is not None and row["term"] not in ("term", "---"):
            meaning = _CODE.sub(r"\1", row["meaning"])
            found += [Term(_CODE.sub(r"\1", term), meaning, "glossary") for term in row["term"].split(", ")]
    return found


def _plain(word: str) -> str:
    return " ".join(word.casefold().replace("-", " ").replace("_", " ").split())
