"""paribus unpack: open an archive of `paribus export` in a new folder, and verify it.

Prints the workspace in it, which every command takes as `--workspace`, and what it holds. Nothing in it is executed.
"""

from __future__ import annotations

import argparse

from paribus.cli.arguments import parse_path
from paribus.cli.formatting import plural
from paribus.cli.output import print_line, print_message
from paribus.cli.waiting import Waiting
from paribus.errors import Exit


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus unpack ARCHIVE --to FOLDER`."""
    to.add_argument("archive", metavar="ARCHIVE", help="a zip file that `paribus export --format archive` has written")
    to.add_argument("--to", required=True, metavar="FOLDER", help="a new folder")


def execute(arguments: argparse.Namespace) -> Exit:
    """Unpack, verify, and print where the workspace is."""
    with Waiting() as waiting:
        waiting("checking the archive")
        from paribus.export.archive import unpack

        found = unpack(parse_path(arguments.archive, "ARCHIVE"), parse_path(arguments.to, "--to"))
    files, names = found.manifest["files"], [study["name"] for study in found.manifest["studies"]]
    print_line(str(found.workspace))
    print_message(f"{', '.join(dict.fromkeys(names))}: {plural(len(files), 'file')}, all as they were written")
    return Exit.DONE
