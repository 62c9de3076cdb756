"""paribus report: write the report on recorded studies and print its path, and that of each PDF.

The report is made from the workspace alone: nothing is trained, and no data set is needed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from paribus.cli.arguments import open_workspace, parse_path, recorded_studies
from paribus.cli.formatting import plural
from paribus.cli.output import print_line, print_message
from paribus.cli.waiting import Waiting
from paribus.errors import Exit, Shown, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paribus.store.records import StudyRecord


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus report [STUDY...] [--to FOLDER] [--pdf] [--figures]`."""
    to.add_argument("studies", metavar="STUDY", nargs="*", help="a study of the workspace (default: all of them)")
    to.add_argument("--to", metavar="FOLDER", help="where to write it (default: the workspace's folder `report`)")
    to.add_argument("--pdf", action="store_true", help="also write each study's report as a PDF for A4 paper")
    to.add_argument("--figures", action="store_true", help="also write every chart as SVG and PNG, into `figures`")


def execute(arguments: argparse.Namespace) -> Exit:
    """Write the report and print its path, and that of each PDF."""
    folder = arguments.workspace / "report" if arguments.to is None else parse_path(arguments.to, "--to")
    with open_workspace(arguments.workspace) as workspace:
        records = recorded_studies(workspace, arguments.studies)
        if not arguments.studies:
            _note_older(workspace.studies())
        if not records:
            raise UserError(
                "must hold a study to report on",
                given=Shown("none"),
                place=str(arguments.workspace),
                remedy="run one first: `paribus run selection`",
            )
        with Waiting() as waiting:
            waiting(f"writing the report on {plural(len(records), 'study', 'studies')}")
            from paribus.report.folder import write_report

            ids = [record.id for record in records]
            written = write_report(workspace, ids, folder, pdf=arguments.pdf, figures=arguments.figures)
    for path in (written.page, *written.pdfs):
        print_line(str(path))
    return Exit.DONE


def _note_older(records: Sequence[StudyRecord]) -> None:
    """Say so where several studies have one name, of which only the latest is reported."""
    for name, number in Counter(record.name for record in records).items():
        if number > 1:
            others = "name the others by their ids (see `paribus status`)"
            print_message(f"note: the latest of {number} studies named {name} is reported; {others}")
