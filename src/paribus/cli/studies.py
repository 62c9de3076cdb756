"""paribus studies: list the built-in studies and those in the workspace."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from paribus.cli.formatting import plural
from paribus.cli.output import print_columns, print_json
from paribus.errors import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from paribus.spec.study import Study
    from paribus.store.records import StudyRecord


@dataclass(frozen=True)
class _Listed:
    name: str
    kind: Literal["built-in", "recorded"]
    id: str | None
    arms: int
    replicates: int
    title: str
    question: str
    registered_at: str | None
    searches: bool


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus studies [--json]`."""
    to.add_argument("--json", action="store_true", help="print a JSON list for programs")


def execute(arguments: argparse.Namespace) -> Exit:
    """List the studies, built-in ones first: for people by name, in JSON by identity."""
    from paribus.spec import builtin
    from paribus.spec.study import parse

    listed = [_listed(parse(builtin.text(name), place=f"built-in study {name}"), None) for name in builtin.NAMES]
    listed += _recorded(arguments.workspace)
    if arguments.json:
        print_json([asdict(study) for study in listed])
        return Exit.DONE
    by_name: dict[str, list[_Listed]] = {}
    for study in listed:
        by_name.setdefault(study.name, []).append(study)
    rows = [("study", "where", "size", "title"), *map(_row, by_name.values())]
    print_columns(rows, flexible=(0, 1, 3))
    return Exit.DONE


def _row(namesakes: Sequence[_Listed]) -> tuple[str, ...]:
    """One row for all studies of a name, a built-in one and those recorded; size and title are those of the last."""
    last = namesakes[-1]
    recorded = sum(study.kind == "recorded" for study in namesakes)
    where = ["built-in"] if namesakes[0].kind == "built-in" else []
    if recorded:
        where.append("recorded" if recorded == 1 else f"recorded in {recorded} forms")
    size = f"{plural(last.arms, 'candidate' if last.searches else 'arm')} x {plural(last.replicates, 'replicate')}"
    return (last.name, ", ".join(where), size, last.title)


def _recorded(path: Path) -> list[_Listed]:
    if not path.exists():
        return []
    from paribus.cli.arguments import open_workspace
    from paribus.spec.study import parse

    with open_workspace(path) as workspace:
        records = workspace.studies()
    return [_listed(parse(record.document, place=f"recorded study {record.name}"), record) for record in records]


def _listed(study: Study, record: StudyRecord | None) -> _Listed:
    return _Listed(
        name=study.name,
        kind="recorded" if record else "built-in",
        id=record.id if record else None,
        arms=len(study.arms) if study.search is None else study.search.candidates,
        replicates=study.replicates.count,
        title=study.title,
        question=study.question,
        registered_at=record.registered_at if record else None,
        searches=study.search is not None,
    )
