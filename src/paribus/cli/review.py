"""paribus review: check archives that others have handed in, and print one table.

Each archive of `paribus export --format archive` is unpacked into a temporary folder and verified: every hash, every
reference, every row. Then it is compared with the assignment's study: what it says differently, its seeds, its
replicates, its reads of test data, claims registered after training, and its verdicts. Nothing in it is executed.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from paribus.cli.arguments import load_study, parse_path
from paribus.cli.formatting import plural
from paribus.cli.output import print_columns, print_csv, print_json, print_message
from paribus.cli.waiting import Waiting
from paribus.errors import Exit, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from paribus.analysis.review import Review
    from paribus.spec.study import Study

HEADINGS: Final[tuple[str, ...]] = (
    "archive", "verified", "study", "differs in", "seeds", "replicates", "runs", "test reads", "late claims",
    "verdicts",
)  # fmt: skip


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus review ARCHIVE... [--assignment STUDY] [--json | --csv]`."""
    to.add_argument("archives", metavar="ARCHIVE", nargs="+", help="a zip file of `paribus export --format archive`")
    to.add_argument("--assignment", metavar="STUDY", help="a built-in study or the study file that was handed out")
    form = to.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON list for programs, with every difference")
    form.add_argument("--csv", action="store_true", help="print the table for a spreadsheet")


def execute(arguments: argparse.Namespace) -> Exit:
    """Print a line for each study of each archive, then what is to be known of each."""
    assignment = None if arguments.assignment is None else load_study(arguments.assignment, {})
    paths = [parse_path(name, "ARCHIVE") for name in arguments.archives]
    with Waiting() as waiting:
        reviews = list(reviewed(paths, assignment, lambda path: waiting(f"checking {path.name}")))
    broken = [error for _, error in reviews if isinstance(error, str)]
    if arguments.json:
        print_json([as_json(path, found) for path, found in reviews])
        return Exit.FAILURE if broken else Exit.DONE
    rows = [HEADINGS, *(row(path, found) for path, found in reviews)]
    if arguments.csv:
        print_csv(rows)
    else:
        print_columns(rows, flexible=range(len(rows[0])))
        for line in details(reviews):
            print_message(line)
    return Exit.FAILURE if broken else Exit.DONE


def reviewed(
    paths: Sequence[Path], assignment: Study | None, begins: Callable[[Path], None] = lambda _: None
) -> Iterator[tuple[Path, Review | str]]:
    """Each archive's studies, or what is wrong with it. Of several studies of one name, the latest.

    `begins` is told each archive before it is checked.
    """
    from paribus.analysis.results import load
    from paribus.analysis.review import review
    from paribus.export.archive import unpack
    from paribus.store.workspace import Workspace

    for path in paths:
        begins(path)
        with tempfile.TemporaryDirectory(prefix="paribus-review-") as folder:
            try:
                found = unpack(path, Path(folder) / "archive")
            except UserError as error:
                yield path, str(error)
                continue
            with Workspace.open(found.workspace) as workspace:
                latest = {record.name: record for record in workspace.studies()}
                for record in latest.values():
                    yield path, review(load(workspace, record.id), assignment)


def row(path: Path, found: Review | str) -> tuple[str, ...]:
    """One study of an archive, or an archive that is broken, under `HEADINGS`."""
    from paribus.analysis.review import summary

    if isinstance(found, str):
        return (path.name, "NO", *[""] * (len(HEADINGS) - 2))
    return (path.name, "yes", *summary(found).values())


def details(reviews: Sequence[tuple[Path, Review | str]]) -> Iterator[str]:
    """What the table has no room for: why an archive is broken, each difference, late claims, copies."""
    seen: dict[str, str] = {}
    for path, found in reviews:
        if isinstance(found, str):
            yield found
            continue
        for line in found.differences:
            yield f"{path.name}: {line}"
        for statement in found.late:
            yield f"{path.name}: registered after training had begun: {statement}"
        copied = {seen[session] for session in found.sessions if seen.get(session, path.name) != path.name}
        if copied:
            yield f"{path.name}: shares sessions of training with {', '.join(sorted(copied))}: one is a copy"
        seen.update(dict.fromkeys(found.sessions, path.name))
    checked = [found for _, found in reviews if not isinstance(found, str)]
    archives = len({path for path, _ in reviews})
    yield f"{plural(archives, 'archive')}, {plural(len(checked), 'study', 'studies')} verified"


def as_json(path: Path, found: Review | str) -> dict[str, Any]:
    """One study of an archive for programs, with every difference."""
    if isinstance(found, str):
        return {"archive": str(path), "verified": False, "problem": found}
    return {"archive": str(path), "verified": True, **asdict(found)}
