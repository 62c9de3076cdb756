"""A study: a question, its arms, replicates, selection rules and claims; one TOML file."""

from __future__ import annotations

import hashlib
import itertools
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import tomli_w
from annotated_types import Len
from pydantic import AfterValidator, BeforeValidator, Strict, ValidationError

from paribus.errors import Shown, UserError
from paribus.seeding import Streams, Varied
from paribus.spec.arms import MAX_ARMS, arm_entries
from paribus.spec.claims import Claim, Published
from paribus.spec.fields import CountOrZero, Frozen, Label, Note, Prose, ReplicateCount, Seed, Slug
from paribus.spec.overrides import apply_override, merged, nearest
from paribus.spec.problems import explained
from paribus.spec.recipe import Recipe
from paribus.spec.rules import RuleName

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


class Replicates(Frozen):
    """How often each arm is repeated: `count` times, with the indices from `first` on.

    What `vary` does not list stays as in replicate 0: the split of the data, the initial weights, or the order of the
    examples with all else that is random during training. A number is short for `{ count = N }`.
    """

    count: ReplicateCount
    first: CountOrZero = 0
    vary: Annotated[tuple[Varied, ...], Len(1, 3)] = ("split", "init", "order")

    @property
    def indices(self) -> range:
        return range(self.first, self.first + self.count)


def _count(value: Any) -> Any:
    return {"count": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Study(Frozen):
    """A validated study. `document` is the study file's content as one TOML text, overrides included.

    `folder` is where relative paths of data files begin.
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
    document: str
    folder: Path

    @property
    def digest(self) -> str:
        """The hash of everything that the study says."""
        content = self.model_dump(mode="json", exclude={"document", "folder"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

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
    "published",
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
        raise UserError(
            "must be a study file that can be read",
            given=Shown(error.strerror or "an error"),
            place=place,
            remedy="check the path, or copy a built-in study with `paribus new`",
        ) from None
    except UnicodeDecodeError:
        raise UserError(
            "must be UTF-8 text", given=Shown("other bytes"), place=place, remedy="save it as UTF-8"
        ) from None
    return parse(text, place=place, overrides=overrides, folder=path.parent)


def parse(text: str, *, place: str, overrides: Mapping[str, str] | None = None, folder: Path = Path()) -> Study:
    """Validate the text of a study file; `place` names it in messages, and `folder` is where it lies."""
    try:
        document = tomllib.loads(text.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        raise UserError("must be TOML", given=Shown(error), place=place, remedy="mend the syntax there") from None
    for key, value in (overrides or {}).items():
        apply_override(document, key, value)
    _refuse_depth(document, place)
    _refuse_unknown_keys(document, place)
    return _validated(document, place, folder)


def _refuse_depth(document: Mapping[str, Any], place: str) -> None:
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
        raise UserError(
            f"tables and lists must nest at most {MAX_DEPTH} deep",
            given=Shown("more"),
            place=place,
            remedy="flatten them",
        )


def _refuse_unknown_keys(document: Mapping[str, Any], place: str) -> None:
    known = (*_STUDY_KEYS, *Recipe.model_fields)
    for key in document:
        if key not in known:
            raise UserError("must be a known key", given=key, place=f"{place}, key {key}", remedy=nearest(key, known))


def _validated(document: dict[str, Any], place: str, folder: Path) -> Study:
    base = {key: value for key, value in document.items() if key in Recipe.model_fields}
    content = {key: value for key, value in document.items() if key in Study.model_fields and key != "arms"}
    seed = document.get("seed", 0)
    arms = tuple(_arm(base, seed, entry, f"{place}, {where}") for where, entry in arm_entries(document, place))
    content.setdefault("title", content.get("name", ""))
    content.setdefault("control", arms[0].name)
    content.setdefault("deploy", arms[0].recipe.selection.rules[0])
    try:
        study = Study(**content, arms=arms, document="", folder=folder)
    except ValidationError as error:
        raise explained(error, Study, place) from None
    _refuse_disagreement(study, place)
    return study.model_copy(update={"document": tomli_w.dumps(document)})


def _arm(base: Mapping[str, Any], seed: object, entry: Mapping[str, Any], place: str) -> Arm:
    known = (*_ARM_KEYS, *Recipe.model_fields)
    place = f"{place} ({entry.get('name', 'no name')})"
    for key in entry:
        if key not in known:
            raise UserError("must be a known key of an arm", given=key, place=place, remedy=nearest(key, known))
    own = {key: value for key, value in entry.items() if key not in _ARM_KEYS}
    try:
        recipe = Recipe.model_validate(merged(base, own))
        own_keys = {k: entry[k] for k in _ARM_KEYS if k in entry}
        return Arm.model_validate({"seed": seed, **own_keys, "recipe": recipe})
    except ValidationError as error:
        model = Recipe if error.title == "Recipe" else Arm
        raise explained(error, model, place) from None


def _refuse_disagreement(study: Study, place: str) -> None:
    """What no single table can see: names that must be unique, and references that must lead somewhere."""
    arms: dict[str, Arm] = {}
    for arm in study.arms:
        if arm.name in arms:
            raise UserError("arm names must differ", given=arm.name, place=f"{place}, key arms", remedy="rename one")
        arms[arm.name] = arm
    references = [("control", study.control)]
    references += [(f"claims[{i}]", end.arm) for i, c in enumerate(study.claims) for end in (c.better, c.than)]
    references += [(f"published[{i}]", row.arm) for i, row in enumerate(study.published)]
    for key, name in references:
        if name not in arms:
            where = f"{place}, key {key}"
            raise UserError("must name an arm of the study", given=name, place=where, remedy=nearest(name, arms))
    if study.deploy not in arms[study.control].recipe.selection.rules:
        raise UserError(
            "must be one of the control's selection rules",
            given=study.deploy,
            place=f"{place}, key deploy",
            remedy="add it to selection.rules",
        )
