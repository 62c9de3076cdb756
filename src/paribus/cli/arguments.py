"""Arguments that several commands share: what STUDY names, changes to a study, the device, paths."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paribus.spec.study import Study
    from paribus.store.records import StudyRecord
    from paribus.store.workspace import Workspace


def add_change_options(to: argparse.ArgumentParser) -> None:
    """The options that change a study, and hence the identity of its runs."""
    to.add_argument(
        "--set",
        dest="changes",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a key of the study: optimizer.lr=0.01, or arms.NAME.optimizer.lr=0.01 for one arm",
    )
    to.add_argument("--replicates", metavar="N", help="change the number of replicates, as --set replicates=N does")


def add_device_option(to: argparse.ArgumentParser) -> None:
    """The device to train on. Runs of a CPU and of a GPU are different runs: their bits differ."""
    to.add_argument("--device", metavar="NAME", default="cpu", help="where to train: cpu (the default) or cuda")


def add_meter_option(to: argparse.ArgumentParser) -> None:
    """What measures the energy. The first one named counts, and the others stand beside it."""
    to.add_argument(
        "--meter",
        dest="meters",
        metavar="NAME",
        action="append",
        default=[],
        help="measure energy by rapl, model, codecarbon or carbontracker; several stand side by side",
    )


def parse_changes(arguments: argparse.Namespace) -> dict[str, str]:
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


def parse_path(text: str, place: str) -> Path:
    """A path from the command line or the environment, with `~` and `~name` replaced by the home folder.

    Raises UserError for an empty path and for a home folder that does not exist; `place` names the option.
    """
    if not text:
        raise UserError("must be a path", given=text, place=place, remedy="name one, or leave the option out")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UserError(
            "must begin with a home folder that exists", given=text, place=place, remedy="write the whole path"
        ) from None


def default_workspace() -> Path:
    """The workspace where no option names one."""
    return parse_path(os.environ.get("PARIBUS_WORKSPACE") or "paribus-workspace", "PARIBUS_WORKSPACE")


def load_study(name: str, changes: Mapping[str, str]) -> Study:
    """The study to run: a built-in name or the path of a study file. Raises UserError for an unknown or invalid one."""
    from paribus.spec import builtin
    from paribus.spec.study import load, parse

    if name in builtin.NAMES:
        return parse(builtin.text(name), place=f"built-in study {name}", overrides=changes)
    if looks_like_path(name) or (name and Path(name).exists()):
        return load(parse_path(name, "STUDY"), changes)
    raise UserError(
        "must be a built-in study or the path of a study file",
        given=name,
        place="STUDY",
        remedy=_nearest(name, builtin.NAMES),
    )


def recorded_study(workspace: Workspace, name: str) -> StudyRecord:
    """The study of a workspace by name (the one run last), by identity or by its file."""
    if looks_like_path(name):
        return record_of(workspace, load_study(name, {}))
    return workspace.study(name)


def record_of(workspace: Workspace, study: Study) -> StudyRecord:
    """The record of what a study says now: the latest, if its data have changed since.

    Raises UserError where it was not run in this workspace.
    """
    from paribus.spec.study import parse

    for record in reversed(workspace.studies()):
        if record.name == study.name and parse(record.document, place=record.name).digest == study.digest:
            return record
    raise UserError(
        "must be a study that was run in this workspace",
        given=study.name,
        place=str(workspace.path),
        remedy="run it first, or name a recorded study",
    )


def recorded_studies(workspace: Workspace, names: Sequence[str]) -> list[StudyRecord]:
    """The named studies, or all of the workspace if `names` is empty; of several with one name, the last."""
    if names:
        return [recorded_study(workspace, name) for name in dict.fromkeys(names)]
    by_name = dict.fromkeys(record.name for record in workspace.studies())
    return [workspace.study(name) for name in by_name]


def open_workspace(path: Path) -> Workspace:
    """Open an existing workspace for reading. Raises UserError if there is none."""
    from paribus.store.workspace import Workspace

    return Workspace.open(path)


def looks_like_path(name: str) -> bool:
    """Whether STUDY is the path of a study file, even if a study has the same name."""
    return name.endswith(".toml") or "/" in name or "\\" in name


def _nearest(word: str, known: Sequence[str]) -> str:
    from paribus.errors import nearest

    return nearest(word, known)
