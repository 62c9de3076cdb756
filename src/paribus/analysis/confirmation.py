"""The study that confirms a choice: the chosen arms alone, on replicates that the choice has not seen.

A chosen arm's recorded results are too good on average, because the best of many was taken. Fresh replicates are not.
"""

from __future__ import annotations

import tomllib
from typing import Any

import tomli_w

from paribus.analysis.choice import chosen_arms, rule_in_words
from paribus.analysis.results import Results
from paribus.errors import Shown, UserError
from paribus.spec.arms import arm_entries
from paribus.spec.overrides import as_table
from paribus.spec.places import Place

SUFFIX = "-confirmed"


def confirmation(results: Results) -> tuple[str, str]:
    """The name and the text of the study file that trains the chosen arms on fresh replicates.

    Claims and published figures stay where all their arms were chosen. Raises UserError where the study has no rule,
    is not finished, or no arm is eligible.
    """
    study, place = results.study, f"study {results.study.name}"
    if study.choose is None:
        raise UserError("must say how an arm is chosen", given=Shown("no [choose]"), place=place,
                        remedy='add [choose] with metric = "...", and run it again')  # fmt: skip
    states = results.states()
    ended = states.get("done", 0) + states.get("diverged", 0)
    if ended < results.planned:
        raise UserError("must be finished before an arm is chosen", given=Shown(f"{ended} of {results.planned} runs"),
                        place=place, remedy=f"finish it: paribus run {study.name}")  # fmt: skip
    chosen = chosen_arms(results)
    if not chosen:
        raise UserError("must have an arm that its rule can choose", given=Shown("none that is eligible"), place=place,
                        remedy="add arms, or exclude less in choose.without")  # fmt: skip
    name = study.name.removesuffix(SUFFIX)[: 60 - len(SUFFIX)].rstrip("-") + SUFFIX
    return name, tomli_w.dumps(_document(results, chosen, name))


def _document(results: Results, chosen: tuple[str, ...], name: str) -> dict[str, Any]:
    study = results.study
    assert study.choose is not None
    document = tomllib.loads(study.document)
    arms = [entry for _, entry in arm_entries(document, Place(study.name)) if entry["name"] in chosen]
    kept = {key: value for key, value in document.items() if key not in ("arms", "factors", "choose", "control")}
    confirm = study.choose.confirm
    replicates: dict[str, Any] = {"count": confirm.replicates, "first": confirm.first}
    before = as_table(kept.get("replicates"))
    if before is not None and "vary" in before:
        replicates["vary"] = before["vary"]
    for key, ends in (("claims", ("better", "than")), ("published", ())):
        entries = [e for e in kept.pop(key, []) if all(arm in chosen for arm in _arms_of(e, ends))]
        kept |= {key: entries} if entries else {}
    title = f"{_CONFIRMED}{study.title}"[:60]
    question = f"Does what was chosen hold on fresh replicates? {rule_in_words(study.choose)} {study.question}"
    return {
        **kept,
        "name": name,
        "title": title,
        "question": question[:2000],
        "replicates": replicates,
        "control": study.control if study.control in chosen else chosen[0],
        "arms": arms,
    }


_CONFIRMED = "Confirmed: "


def _arms_of(entry: dict[str, Any], ends: tuple[str, ...]) -> list[str]:
    return [entry[end]["arm"] for end in ends] if ends else [entry["arm"]]
