"""What `paribus audit DATA` is about: a source, or the data and the network of a study file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.errors import Shown, UserError

if TYPE_CHECKING:
    from paribus.auditing.examples import Examples
    from paribus.auditing.plan import Settings
    from paribus.spec.study import Study


@dataclass(frozen=True)
class Subject:
    """A `[data]` table, the folder in which its paths begin, and the split whose test examples are left alone.

    `own` are the tables of a user's study that say how to train; None where there is no such study. `seed` is that of
    the study.
    """

    name: str
    table: Mapping[str, Any]
    folder: Path
    split: Any
    own: Mapping[str, Any] | None = None
    seed: int | None = None


def subject_of(data: str, target: str | None, split: str | None) -> Subject:
    """What DATA names: a study file, or a source, of which a table's columns are read as `paribus new` does.

    Raises UserError where it is neither, or has no classes.
    """
    if Path(data).suffix.lower() == ".toml":
        from paribus.cli.arguments import load_study

        for option, value in (("--target", target), ("--split", split)):
            if value is not None:
                raise UserError("must not be given with a study file, which says it itself", given=value, place=option,
                                remedy="take it out")  # fmt: skip
        return subject_of_study(load_study(data, {}))
    from paribus.cli.draft import drafted
    from paribus.cli.draft_text import study_name

    draft = drafted(data, target, Path())
    if draft.task != "classification":
        given = f"{draft.task}, because {draft.task_reason}"
        raise UserError("must have labels of classes to be audited", given=Shown(given), place=data,
                        remedy="name the column or array of the labels with --target")  # fmt: skip
    table: dict[str, Any] = {"source": data, "scale": draft.scale}
    if draft.target:
        table["target"] = list(draft.target)
    if draft.dropped or draft.categorical:
        named = {"drop": list(draft.dropped), "categorical": list(draft.categorical)}
        table["inputs"] = {key: value for key, value in named.items() if value}
    if draft.missing_values:
        table["missing"] = "median"
    return Subject(study_name(data), table, Path(), split)


def examples_and_study(subject: Subject, settings: Settings, groups: str | None) -> tuple[Examples, Study]:
    """The examples to be audited, and the study that audits them; `groups` names the column of groups."""
    from paribus.auditing.examples import examples_of
    from paribus.auditing.plan import planned
    from paribus.cli.draft_text import slug

    examples = examples_of(
        subject.table, subject.folder, split=subject.split, column=groups, folds=settings.folds, seed=settings.seed
    )
    name = f"audit-{slug(subject.name)}"[:60].rstrip("-")
    return examples, planned(name, examples, settings, subject.folder, subject.own)


def subject_of_study(study: Study) -> Subject:
    """The data, the network and the training of a study's control arm. Raises UserError where it has no classes."""
    from paribus.spec.canonical import canonical

    arm = study.arm(study.control)
    if not arm.recipe.has_classes:
        raise UserError("must be a study of classification, to be audited", given=arm.recipe.task,
                        place=f"study {study.name}", remedy="name another, or the data themselves")  # fmt: skip
    tables = canonical(arm.recipe)
    data = tables["data"]
    return Subject(study.name, data, study.folder, data["split"], tables, arm.seed)
