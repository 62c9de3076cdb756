"""paribus view: serve the report to a browser on this machine, live.

Prints the address and opens it in a browser, unless --no-browser is given or there is no display. Pages follow the
workspace: while a study trains they show its progress, its curves and what is found, and change in place. The server
listens on this machine's loopback address only and writes nothing. Ctrl-C ends it, with exit code 0.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from threading import Thread

from paribus.cli.arguments import open_workspace, recorded_study
from paribus.cli.output import print_line, print_message
from paribus.errors import Exit, UserError

NICE = 10
"""Pages are made when training leaves the processor free, as far as the system allows."""


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus view [STUDY...] [--port N] [--no-browser]`."""
    to.add_argument("studies", metavar="STUDY", nargs="*", help="a study of the workspace (default: all of them)")
    to.add_argument("--port", metavar="N", default="0", help="the port to listen on (default: a free one)")
    to.add_argument("--no-browser", action="store_true", help="print the address only, and open no browser")


def execute(arguments: argparse.Namespace) -> Exit:
    """Print the address, open it, and serve until interrupted."""
    port = _port(str(arguments.port))
    with open_workspace(arguments.workspace) as workspace:
        studies = list(dict.fromkeys(recorded_study(workspace, name).id for name in arguments.studies))
    from paribus.web.library import Library
    from paribus.web.server import Viewer

    try:
        with Viewer(Library(arguments.workspace, studies, nice=NICE), port) as viewer:
            url = f"{viewer.url}study/{studies[0]}" if len(studies) == 1 else viewer.url
            print_line(url)
            sys.stdout.flush()
            if not arguments.no_browser and sys.stdout.isatty() and has_display(sys.platform, os.environ):
                print_message("opening this address in a browser; Ctrl-C ends the viewer")
                _open(url)
            else:
                print_message("open this address in a browser on this machine; Ctrl-C ends the viewer")
            viewer.serve_forever()
    except KeyboardInterrupt:
        print_message("the viewer has ended")
    return Exit.DONE


def has_display(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a browser can show a window: on Windows and macOS, and where a display server is named.

    Over ssh the display is on another machine, which cannot reach the viewer; BROWSER says that the user wants one.
    """
    if environment.get("BROWSER"):
        return True
    if environment.get("SSH_CONNECTION"):
        return False
    return platform in ("win32", "darwin") or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def _open(url: str) -> None:
    """Open a browser, in a thread: one that has no window ends only when its user leaves it."""
    import webbrowser

    Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65_535):
        raise UserError(
            "must be a port, a whole number of at most 65535", given=text, place="--port", remedy="write --port 8080"
        )
    return int(text)
