"""The study behind a learning-rate range test: every arm trained at a rate that grows from epoch to epoch."""

from __future__ import annotations

import tomllib
from typing import Any

import tomli_w

from paribus.errors import Shown, UserError
from paribus.spec.canonical import canonical
from paribus.spec.recipe import Recipe, Selection, Snapshots
from paribus.spec.recipe import Test as TestReads
from paribus.spec.schedules import Exponential
from paribus.spec.study import Study

SUFFIX = "-lr-range"
MIN_EPOCHS, MAX_EPOCHS = 5, 100_000
MAX_RATE = 1e6
RULE = "last"
_LENGTH = 60


def refuse_no_range(first: float, last: float, epochs: int, places: tuple[str, str, str]) -> None:
    """Raises UserError if these are not a range of rates to be tried. `places` name the three values for the user."""
    of_first, of_last, of_epochs = places
    for rate, place in ((first, of_first), (last, of_last)):
        if not 0 < rate <= MAX_RATE:
            rule = f"must be a number above 0, at most {MAX_RATE:g}"
            raise UserError(rule, given=rate, place=place, remedy="give a rate such as 1e-3")
    if not first < last:
        raise UserError(f"must be above {of_first} ({first:g})", given=last, place=of_last, remedy="raise it")
    if not MIN_EPOCHS <= epochs <= MAX_EPOCHS:
        rule = f"must be a whole number from {MIN_EPOCHS} to {MAX_EPOCHS}"
        raise UserError(rule, given=epochs, place=of_epochs, remedy="give 100")


def range_study(study: Study, *, first: float, last: float, epochs: int) -> tuple[str, str]:
    """The name and the text of a study that trains each arm for `epochs` epochs, at rates from `first` to `last`.

    The rate is the same throughout an epoch and grows by the same factor from one to the next. What an arm says of its
    own rate, schedule and end of training is replaced; test data are not read. Raises UserError for a search.
    """
    if study.search is not None:
        rule, remedy = "must have arms, and is a search", "name a study with [[arms]] or [factors]"
        raise UserError(rule, given=Shown("[search]"), place=f"study {study.name}", remedy=remedy)
    gamma = (last / first) ** (1 / (epochs - 1))
    title = f"Learning rates of {study.title}"
    name = study.name[: _LENGTH - len(SUFFIX)].rstrip("-") + SUFFIX
    document = tomllib.loads(study.document)
    kept = {key: document[key] for key in ("replicates", "seed") if key in document}
    found: dict[str, Any] = {
        "name": name,
        "title": title if len(title) <= _LENGTH else f"Learning rates of {study.name}"[:_LENGTH],
        "question": f"At which learning rates does each arm of {study.name} train well?",
        **kept,
        "control": study.control,
        "arms": [
            {"name": arm.name, "seed": arm.seed, **_plain(arm.recipe, first, gamma, epochs)} for arm in study.arms
        ],
    }
    return name, tomli_w.dumps(found)


def _plain(recipe: Recipe, first: float, gamma: float, epochs: int) -> dict[str, Any]:
    """A recipe of the range test as a study file has it."""
    changed = {
        "optimizer": recipe.optimizer.model_copy(update={"lr": first}),
        "schedule": Exponential(kind="exponential", gamma=gamma),
        "training": recipe.training.model_copy(update={"epochs": epochs, "early_stop": None}),
        "selection": Selection(rules=(RULE,)),
        "snapshots": Snapshots(),
        "test": TestReads(),
        **{key: Recipe.model_fields[key].default for key in ("denoising", "occlusion", "metrics", "references")},
    }
    return canonical(recipe.model_copy(update=changed))
