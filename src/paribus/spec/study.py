"""A study: a question, its arms, replicates, selection rules and claims; one TOML file."""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, cast

import tomli_w
from annotated_types import Len
from pydantic import AfterValidator, BeforeValidator, Strict, ValidationError

from paribus.errors import Shown, UserError, nearest, unreadable
from paribus.seeding import Streams, Varied
from paribus.spec.arms import MAX_ARMS, arm_entries
from paribus.spec.candidates import Candidate, search_entries
from paribus.spec.canonical import canonical
from paribus.spec.choice import Choice
from paribus.spec.claims import Claim, Published
from paribus.spec.fields import CountOrZero, Frozen, Label, Note, Prose, ReplicateCount, Seed, Slug
from paribus.spec.overrides import apply_override, merged
from paribus.spec.places import Place
from paribus.spec.problems import explained
from paribus.spec.recipe import Recipe
from paribus.spec.rules import RuleName
from paribus.spec.search import Search

MAX_FILE_BYTES = 1_000_000
MAX_DEPTH = 10
FORMAT = 1
_ARM_KEYS = ("name", "note", "seed")


def _known_format(number: int) -> int:
    if number != FORMAT:
        raise ValueError(f"must be {FORMAT}, the format of study files that this paribus reads")
    return number


Format = Annotated[int, Strict(), AfterValidator(_known_format)]


class Arm(Frozen):
    """A name for people, and the full configuration behind it.

    `seed` is the study's own, unless the arm has another: then none of its random numbers are shared with other arms.
    """

    name: Label
    note: Note = ""
    seed: Seed
    recipe: Recipe


def _each_once(varied: tuple[Varied, ...]) -> tuple[Varied, ...]:
    if len(set(varied)) < len(varied):
        raise ValueError("must name each once")
    return varied


def _ascending(looks: tuple[int, ...]) -> tuple[int, ...]:
    if looks and (looks[0] < 2 or any(b <= a for a, b in pairwise(looks))):
        raise ValueError("must be ascending numbers of replicates, the first at least 2")
    return looks


class Replicates(Frozen):
    """How often each arm is repeated: `count` times, with the indices from `first` on.

    `looks` are numbers of replicates at which the claims are judged one after the other, until they are decided, with
    an error that all looks share. Without them, claims are judged at `count`.

    What `vary` does not list stays as in replicate 0: the split of the data, the initial weights, or the order of the
    examples with all else that is random during training. A number is short for `{ count = N }`.
    """

    count: ReplicateCount
    first: CountOrZero = 0
    looks: Annotated[tuple[ReplicateCount, ...], AfterValidator(_ascending)] = ()
    vary: Annotated[tuple[Varied, ...], Len(1, 3), AfterValidator(_each_once)] = ("split", "init", "order")

    @property
    def indices(self) -> range:
        return range(self.first, self.first + self.count)


def _count(value: Any) -> Any:
    return {"count": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Study(Frozen):
    """A validated study. `document` is the study file's content as one TOML text, overrides included.

    `folder` is where relative paths of data files begin. The arms of a `search` are its candidates so far; before the
    first, they are the corners of its space.
    """

    format: Format = FORMAT
    name: Slug
    title: Label
    question: Prose
    replicates: Annotated[Replicates, BeforeValidator(_count)] = Replicates(count=3)
    seed: Seed = 0
    control: Label
    deploy: RuleName
    arms: Annotated[tuple[Arm, ...], Len(1, MAX_ARMS)]
    claims: tuple[Claim, ...] = ()
    published: tuple[Published, ...] = ()
    choose: Choice | None = None
    search: Search | None = None
    document: str
    folder: Path

    @property
    def digest(self) -> str:
        """The hash of everything that the study says. That of a search does not depend on its candidates so far."""
        content = {name: part for name, part in canonical(self).items() if name not in ("document", "folder")}
        if self.search is not None:
            content |= {"control": "", "arms": [], "base": _base_of_search(self.document)}
        return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def members(self) -> Iterator[tuple[Arm, int]]:
        """Every (arm, replicate) of the study, arm by arm."""
        return itertools.product(self.arms, self.replicates.indices)

    def streams(self, arm: Arm, replicate: int) -> Streams:
        """The streams of random numbers of one replicate of an arm."""
        return Streams.of_replicate(arm.seed, replicate, self.replicates.vary)


_STUDY_KEYS = (
    "format", "name", "title", "question", "replicates", "seed", "control", "deploy", "arms", "factors", "claims",
    "published", "choose", "search",
)  # fmt: skip


def load(path: Path, overrides: Mapping[str, str] | None = None) -> Study:
    """Read and validate a study file. `overrides` are `--set` pairs: dotted key to value in TOML notation.

    Raises UserError with the rule, the value, the key and the remedy.
    """
    place = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            rule = f"a study file has at most {MAX_FILE_BYTES} bytes"
            raise UserError(rule, given=Shown("more"), place=place, remedy="name a study file")
        text = content.decode("utf-8-sig")
    except OSError as error:
        remedy = "check the path, or copy a built-in study with `paribus new`"
        raise unreadable(error, place=place, remedy=remedy) from None
    except UnicodeDecodeError:
        raise UserError(
            "must be UTF-8 text", given=Shown("other bytes"), place=place, remedy="save it as UTF-8"
        ) from None
    return parse(text, place=place, overrides=overrides, folder=path.parent)


def parse(
    text: str,
    *,
    place: str,
    overrides: Mapping[str, str] | None = None,
    folder: Path = Path(),
    candidates: Sequence[Candidate] = (),
) -> Study:
    """Validate the text of a study file; `place` names it in messages, and `folder` is where it lies.

    `candidates` are those that a search has proposed so far.
    """
    try:
        document = tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        raise UserError("must be TOML", given=Shown(error), place=place, remedy="correct the syntax there") from None
    given = tuple(apply_override(document, key, value) for key, value in (overrides or {}).items())
    where = Place(place, given)
    _refuse_depth(document, where)
    _refuse_unknown_keys(document, where)
    return _validated(document, where, folder, candidates)


def _refuse_depth(document: Mapping[str, Any], place: Place) -> None:
    """Nothing in a study nests deeply, and what reads it afterwards may recurse."""
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += cast("dict[str, Any]", value).values()
            elif isinstance(value, list):
                inner += cast("list[Any]", value)
        level = inner
    if level:
        rule = f"tables and lists must nest at most {MAX_DEPTH} deep"
        raise place.refused(rule, given=Shown("more"), remedy="flatten them")


def _refuse_unknown_keys(document: Mapping[str, Any], place: Place) -> None:
    known = (*_STUDY_KEYS, *Recipe.model_fields)
    for key in document:
        if key not in known:
            raise place.refused("must be a known key", given=key, key=key, remedy=nearest(key, known))


def _validated(document: dict[str, Any], place: Place, folder: Path, candidates: Sequence[Candidate]) -> Study:
    content = {key: value for key, value in document.items() if key in Study.model_fields and key != "arms"}
    search = _search(document, place) if "search" in document else None
    base = document
    if search is None:
        entries = arm_entries(document, place)
    else:
        entries = search_entries(document, search, place, candidates)
        base = {key: value for key, value in document.items() if key != "test"}  # locked while candidates train
        content.setdefault("deploy", search.objective)
    places = [
        replace(place, where=where, arm=str(own.get("name", "no name")), own=own, base=base) for where, own in entries
    ]
    arms = tuple(map(_arm, places))
    content.setdefault("title", content.get("name", ""))
    content.setdefault("control", arms[0].name)
    control = next((arm for arm in arms if arm.name == content["control"]), arms[0])
    content.setdefault("deploy", control.recipe.selection.rules[0])
    try:
        study = Study(**content, arms=arms, document="", folder=folder)
    except ValidationError as error:
        raise explained(error, Study, place, content) from None
    _refuse_disagreement(study, place, places)
    return study.model_copy(update={"document": tomli_w.dumps(document)})


def _search(document: Mapping[str, Any], place: Place) -> Search:
    """The table `search`, checked before any arm is made of it."""
    content = {"search": document["search"]}
    try:
        return _WithSearch.model_validate(content).search
    except ValidationError as error:
        raise explained(error, _WithSearch, place, content) from None


class _WithSearch(Frozen):
    search: Search


def _base_of_search(document: str) -> dict[str, Any]:
    """What all candidates of a search share, and what its finalists may read of the test data."""
    return {key: part for key, part in tomllib.loads(document).items() if key in Recipe.model_fields}


def _arm(place: Place) -> Arm:
    known = (*_ARM_KEYS, *Recipe.model_fields)
    for key in place.own:
        if key not in known:
            raise place.refused("must be a known key of an arm", given=key, key=key, remedy=nearest(key, known))
    base = {key: value for key, value in place.base.items() if key in Recipe.model_fields}
    content = merged(base, {key: value for key, value in place.own.items() if key not in _ARM_KEYS})
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise explained(error, Recipe, place, content) from None
    keys = {"seed": place.base.get("seed", 0), **{key: place.own[key] for key in _ARM_KEYS if key in place.own}}
    try:
        return Arm.model_validate({**keys, "recipe": recipe})
    except ValidationError as error:
        raise explained(error, Arm, place, keys) from None


def _refuse_disagreement(study: Study, place: Place, places: Sequence[Place]) -> None:
    """What no single table can see: names that must be unique, and references that must lead somewhere."""
    arms: dict[str, Arm] = {}
    for arm, of_arm in zip(study.arms, places, strict=True):
        if arm.name in arms:
            remedy = "remove a level that is there twice" if of_arm.where == "factors" else "rename one"
            raise of_arm.refused("arm names must differ", given=arm.name, key="name", remedy=remedy)
        arms[arm.name] = arm
    references = [("control", study.control)]
    references += [
        (f"claims[{i}].{key}.arm", end.arm)
        for i, claim in enumerate(study.claims)
        for key, end in (("better", claim.better), ("than", claim.than))
    ]
    references += [(f"published[{i}].arm", row.arm) for i, row in enumerate(study.published)]
    for key, name in references:
        if name not in arms:
            raise place.refused("must name an arm of the study", given=name, key=key, remedy=nearest(name, arms))
    _refuse_used_replicates(study, place)
    _refuse_misfit_of_search(study, place)
    if study.deploy not in arms[study.control].recipe.selection.rules:
        rule = "must be one of the control's selection rules"
        raise place.refused(rule, given=study.deploy, key="deploy", remedy="add it to selection.rules")


def _refuse_used_replicates(study: Study, place: Place) -> None:
    own, confirmed = study.replicates, [("choose", study.choose), ("search", study.search)]
    for key, confirm in ((key, table.confirm) for key, table in confirmed if table is not None):
        if confirm.first <= own.indices[-1] and confirm.first + confirm.replicates > own.first:
            rule = f"must be fresh replicates: the study itself has {own.first} to {own.indices[-1]}"
            remedy = f"use {max(1000, own.indices[-1] + 1)}"
            raise place.refused(rule, given=confirm.first, key=f"{key}.confirm.first", remedy=remedy)


def _refuse_misfit_of_search(study: Study, place: Place) -> None:
    """What needs both the search and the recipe that its candidates share."""
    search, recipe = study.search, study.arms[0].recipe
    if search is None:
        return
    if search.objective not in recipe.selection.rules:
        rule = "must be one of the selection rules"
        raise place.refused(rule, given=search.objective, key="search.objective", remedy="add it to selection.rules")
    if study.deploy != search.objective:
        rule = "must be the objective of the search"
        raise place.refused(rule, given=study.deploy, key="deploy", remedy="leave it out")
    for arm in study.arms:
        stop = arm.recipe.training.early_stop
        if stop is not None and stop.rule != search.objective and stop.rule in arm.recipe.selection.rules:
            rule = (
                "must be the objective of the search, as an arm that stops early deploys by the rule that it stops by"
            )
            raise place.refused(rule, given=stop.rule, key="training.early_stop.rule", remedy=f"use {search.objective}")
    data = next((key for key in search.space if key.startswith("data.")), None)
    if data is not None and recipe.task == "reconstruction":
        rule = "must not vary where inputs are the targets: values of the objective would mean different things"
        raise place.refused(rule, given=data, key="search.space")
    halving, epochs = search.halving, recipe.training.epochs
    if halving is None:
        return
    last = halving.rungs(epochs, halving.brackets - 1)
    if len(last) < 2:
        rule = f"must leave a rung before the end of training, epoch {epochs}, in every bracket"
        first = halving.grace * halving.factor ** (halving.brackets - 1)
        raise place.refused(rule, given=first, key="search.halving.grace", remedy="lower grace, or have fewer brackets")
    if halving.replicates_from > len(last):
        rule = f"must be at most the number of rungs ({len(last)})"
        key = "search.halving.replicates_from"
        raise place.refused(rule, given=halving.replicates_from, key=key)
