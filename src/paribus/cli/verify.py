"""paribus verify: check every hash and every reference of the workspace.

Changes nothing. Prints one line for each problem; with problems the exit code is 1.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from paribus.cli.formatting import plural
from paribus.cli.output import print_json, print_line, print_message
from paribus.cli.waiting import Waiting
from paribus.errors import Exit


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus verify [--json]`."""
    to.add_argument("--json", action="store_true", help="print a JSON object with `checked`, `problems` and `notes`")


def execute(arguments: argparse.Namespace) -> Exit:
    """Check the workspace and print what is wrong with it."""
    from paribus.store.verify import verify

    with Waiting() as waiting:
        waiting("checking every file of the workspace")
        found = verify(arguments.workspace)
    if arguments.json:
        print_json(asdict(found))
    else:
        for line in found.problems:
            print_line(line)
        for line in found.notes:
            print_message(f"note: {line}")
    checked = ", ".join(f"{number} {kind}" for kind, number in found.checked.items())
    verdict = plural(len(found.problems), "problem") if found.problems else "no problems"
    print_message(f"checked {checked}: {verdict}")
    return Exit.FAILURE if found.problems else Exit.DONE
