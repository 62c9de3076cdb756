"""paribus view: serve the report to a browser on this machine, live.

Prints the address to open. Pages show the workspace at the moment of the request, and the page of a study that is still
training refreshes itself. The server listens on this machine's loopback address only and writes nothing. Ctrl-C ends
it, with exit code 0.
"""

from __future__ import annotations

import argparse
import sys

from paribus.cli.arguments import open_workspace, recorded_study
from paribus.cli.output import print_line, print_message
from paribus.errors import Exit, UserError


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus view [STUDY...] [--port N]`."""
    to.add_argument("studies", metavar="STUDY", nargs="*", help="a study of the workspace (default: all of them)")
    to.add_argument("--port", metavar="N", default="0", help="the port to listen on (default: a free one)")


def execute(arguments: argparse.Namespace) -> Exit:
    """Print the address and serve until interrupted."""
    port = _port(str(arguments.port))
    with open_workspace(arguments.workspace) as workspace:
        studies = list(dict.fromkeys(recorded_study(workspace, name).id for name in arguments.studies))
    from paribus.web.library import Library
    from paribus.web.server import Viewer

    try:
        with Viewer(Library(arguments.workspace, studies), port) as viewer:
            print_line(f"{viewer.url}study/{studies[0]}" if len(studies) == 1 else viewer.url)
            sys.stdout.flush()
            print_message("open this address in a browser on this machine; Ctrl-C ends the viewer")
            viewer.serve_forever()
    except KeyboardInterrupt:
        print_message("the viewer has ended")
    return Exit.DONE


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65_535):
        raise UserError(
            "must be a port, a whole number of at most 65535", given=text, place="--port", remedy="write --port 8080"
        )
    return int(text)
