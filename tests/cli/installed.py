"""The installed command, run in a process of its own as a user runs it."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def command(*argv: object, before: str = "") -> list[str]:
    """The command line of the installed `paribus`: what the script that pip writes for the entry point executes.

    `before` is Python code that is executed first.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, function = project["scripts"]["paribus"].partition(":")
    script = f"import sys; from {module} import {function}; sys.argv[0] = 'paribus'; sys.exit({function}())"
    return [sys.executable, "-c", f"{before}\n{script}", *map(str, argv)]


def environment(**changes: str) -> dict[str, str]:
    """The environment for a command in a process of its own: it imports the package that is tested here."""
    kept = {name: value for name, value in os.environ.items() if name != "PARIBUS_WORKSPACE"}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), **changes}
