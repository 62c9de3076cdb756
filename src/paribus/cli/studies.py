"""paribus studies: list the built-in studies and those recorded in the workspace."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from paribus.cli.output import plural, print_columns, print_json
from paribus.errors import Exit

if TYPE_CHECKING:
    from pathlib import Path

    from paribus.spec.study import Study


@dataclass(frozen=True)
class _Listed:
    name: str
    kind: Literal["built-in", "recorded"]
    id: str
    arms: int
    replicates: int
    title: str
    question: str
    registered_at: str | None


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus studies [--json]`."""
    to.add_argument("--json", action="store_true", help="print a JSON list for programs")


def execute(arguments: argparse.Namespace) -> Exit:
    """List the studies, built-in ones first."""
    from paribus.spec import builtin
    from paribus.spec.study import parse

    listed = [
        _listed(parse(builtin.text(name), place=f"built-in study {name}"), "built-in", None) for name in builtin.NAMES
    ]
    listed += _recorded(arguments.workspace)
    if arguments.json:
        print_json([asdict(study) for study in listed])
        return Exit.DONE
    rows = [("study", "where", "size", "title")]
    rows += [(s.name, s.kind, f"{plural(s.arms, 'arm')} x {s.replicates}", s.title) for s in listed]
    print_columns(rows)
    return Exit.DONE


def _recorded(path: Path) -> list[_Listed]:
    if not path.exists():
        return []
    from paribus.cli.arguments import open_workspace
    from paribus.spec.study import parse

    with open_workspace(path) as workspace:
        records = workspace.studies()
    return [_listed(parse(r.document, place=f"recorded study {r.name}"), "recorded", r.registered_at) for r in records]


def _listed(study: Study, kind: Literal["built-in", "recorded"], registered_at: str | None) -> _Listed:
    return _Listed(
        name=study.name,
        kind=kind,
        id=study.id,
        arms=len(study.arms),
        replicates=study.replicates,
        title=study.title,
        question=study.question,
        registered_at=registered_at,
    )
