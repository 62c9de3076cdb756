"""paribus new: copy a built-in study into a file, for you to change and run."""

from __future__ import annotations

import argparse
from pathlib import Path

from paribus.cli.arguments import parse_path
from paribus.cli.output import print_line, print_message
from paribus.errors import Exit, Shown, UserError


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus new STUDY [--to FILE]`."""
    to.add_argument("study", metavar="STUDY", help="name of a built-in study (see `paribus studies`)")
    to.add_argument("--to", metavar="FILE", help="the file to write (default: ./STUDY.toml); never overwritten")


def execute(arguments: argparse.Namespace) -> Exit:
    """Write the copy and print its path."""
    from paribus.spec import builtin

    text = builtin.text(arguments.study)
    target = Path(f"{arguments.study}.toml") if arguments.to is None else parse_path(arguments.to, "--to")
    _write(target, text)
    print_line(str(target))
    print_message(f"edit it, then see what it would do: paribus plan {target}")
    return Exit.DONE


def _write(target: Path, text: str) -> None:
    try:
        file = target.open("x", encoding="utf-8", newline="\n")
    except FileExistsError:
        raise UserError(
            "must not exist yet, as paribus overwrites nothing",
            given=Shown("a file of that name" if target.is_file() else "something of that name"),
            place=str(target),
            remedy="name another with --to",
        ) from None
    except OSError as error:
        raise UserError(
            "must be a file that can be written",
            given=Shown(error.strerror or "an error"),
            place=str(target),
            remedy="name another with --to",
        ) from None
    try:
        with file:
            file.write(text)
    except OSError:
        target.unlink()
        raise
