"""paribus report: write the report on recorded studies and print its path.

The report is made from the workspace alone: nothing is trained, and no data set is needed.
"""

from __future__ import annotations

import argparse

from paribus.cli.arguments import open_workspace, parse_path, recorded_studies
from paribus.cli.output import print_line
from paribus.errors import Exit, Shown, UserError


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus report [STUDY...] [--to FOLDER]`."""
    to.add_argument("studies", metavar="STUDY", nargs="*", help="a study of the workspace (default: all of them)")
    to.add_argument("--to", metavar="FOLDER", help="where to write it (default: the workspace's folder `report`)")


def execute(arguments: argparse.Namespace) -> Exit:
    """Write the report and print its path."""
    folder = arguments.workspace / "report" if arguments.to is None else parse_path(arguments.to, "--to")
    with open_workspace(arguments.workspace) as workspace:
        records = recorded_studies(workspace, arguments.studies)
        if not records:
            raise UserError(
                "must hold a study to report on",
                given=Shown("none"),
                place=str(arguments.workspace),
                remedy="run one first: `paribus run selection`",
            )
        from paribus.report.page import write_report

        path = write_report(workspace, [record.id for record in records], folder)
    print_line(str(path))
    return Exit.DONE
