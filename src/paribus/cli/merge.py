"""paribus merge: join workspaces, such as those of a job array, in a new one.

A run that several of them have is there once, with everything that any of them has measured. The workspaces must agree
in what they have in common, and none of them is changed.
"""

from __future__ import annotations

import argparse

from paribus.cli.arguments import parse_path
from paribus.cli.formatting import plural
from paribus.cli.output import print_line, print_message
from paribus.cli.waiting import Waiting
from paribus.errors import Exit


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus merge WORKSPACE... --to FOLDER`."""
    to.add_argument("sources", metavar="WORKSPACE", nargs="+", help="the folder of a workspace")
    to.add_argument("--to", required=True, metavar="FOLDER", help="a new folder")


def execute(arguments: argparse.Namespace) -> Exit:
    """Join, and print where the new workspace is."""
    sources = [parse_path(source, "WORKSPACE") for source in arguments.sources]
    folder = parse_path(arguments.to, "--to")
    with Waiting() as waiting:
        waiting(f"joining {plural(len(sources), 'workspace')}")
        from paribus.export.target import new_folder
        from paribus.store.merging import merge

        with new_folder(folder) as made:
            merged = merge(sources, made)
    print_line(str(folder))
    shared = f", {merged.shared} of them in several workspaces" if merged.shared else ""
    print_message(f"{', '.join(merged.studies) or 'no study'}: {plural(merged.runs, 'run')}{shared}")
    return Exit.DONE
