"""What STUDY means on the command line: a built-in name, a study file, or a study that is recorded."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paribus.spec.study import Study
    from paribus.store.records import StudyRecord
    from paribus.store.workspace import Workspace


def add_changes(to: argparse.ArgumentParser) -> None:
    """The options that change a study, and hence the identity of its runs."""
    to.add_argument(
        "--set",
        dest="changes",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a key of the study: optimizer.lr=0.01, or arms.NAME.optimizer.lr=0.01 for one arm",
    )
    to.add_argument("--replicates", metavar="N", help="change the number of replicates")


def add_device(to: argparse.ArgumentParser) -> None:
    """Where to train. It is no part of a run's identity: what is recorded counts, wherever it was trained."""
    to.add_argument("--device", metavar="NAME", default="cpu", help="where to train: cpu (the default) or cuda")


def changes_of(arguments: argparse.Namespace) -> dict[str, str]:
    """`--set` and `--replicates` as overrides of a study: dotted key to value in TOML notation."""
    found: dict[str, str] = {}
    for change in arguments.changes:
        key, equals, value = str(change).partition("=")
        key = key.strip()
        if not equals or not key:
            raise UserError("must be KEY=VALUE", given=change, place="--set", remedy="write --set optimizer.lr=0.01")
        if key in found:
            raise UserError("must be set once", given=key, place="--set", remedy="drop one of the two")
        found[key] = value.strip()
    if arguments.replicates is not None:
        if "replicates" in found:
            raise UserError("must be set once", given="replicates", place="--replicates", remedy="drop one of the two")
        text = str(arguments.replicates)
        if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 9 and int(text)):
            rule = "must be a whole number of at least 1"
            raise UserError(rule, given=text, place="--replicates", remedy="write --replicates 3")
        found["replicates"] = str(int(text))
    return found


def study_to_run(name: str, changes: dict[str, str]) -> Study:
    """The study that a command line means to run. Raises UserError where there is none, or where it is wrong."""
    from paribus.spec import builtin
    from paribus.spec.study import load, parse

    known = name in builtin.NAMES or looks_like_path(name) or (name and Path(name).exists())
    if not known:
        raise UserError(
            "must be a built-in study or the path of a study file",
            given=name,
            place="STUDY",
            remedy=_nearest(name, builtin.NAMES),
        )
    found = builtin.find(name)
    if isinstance(found, Path):
        return load(found, changes)
    text, place = found
    return parse(text, place=place, overrides=changes)


def recorded(workspace: Workspace, name: str) -> StudyRecord:
    """The study of a workspace that a command line means: by name (the one run last), by identity, or by its file."""
    if looks_like_path(name):
        return workspace.study(study_to_run(name, {}).id)
    return workspace.study(name)


def all_recorded(workspace: Workspace, names: Sequence[str]) -> list[StudyRecord]:
    """The named studies, or every study of the workspace where none is named; of several with one name, the last."""
    if names:
        return [recorded(workspace, name) for name in dict.fromkeys(names)]
    by_name = dict.fromkeys(record.name for record in workspace.studies())
    return [workspace.study(name) for name in by_name]


def open_to_read(path: Path) -> Workspace:
    """An existing workspace. Raises UserError where there is none."""
    from paribus.store.workspace import Workspace

    return Workspace.open(path)


def looks_like_path(name: str) -> bool:
    """Whether STUDY is meant as a study file, whatever else has that name."""
    return name.endswith(".toml") or "/" in name or "\\" in name


def _nearest(word: str, known: Sequence[str]) -> str:
    from paribus.spec.overrides import nearest

    return nearest(word, known)
