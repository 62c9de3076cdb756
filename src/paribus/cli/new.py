"""paribus new: copy a built-in study into a file, for you to change and run."""

from __future__ import annotations

import argparse
from pathlib import Path

from paribus.cli.arguments import parse_path
from paribus.cli.output import print_line, print_message, write_new
from paribus.errors import Exit


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus new STUDY [--to FILE]`."""
    to.add_argument("study", metavar="STUDY", help="name of a built-in study (see `paribus studies`)")
    to.add_argument("--to", metavar="FILE", help="the file to write (default: ./STUDY.toml); never overwritten")


def execute(arguments: argparse.Namespace) -> Exit:
    """Write the copy and print its path."""
    from paribus.spec import builtin

    text = builtin.text(arguments.study)
    target = Path(f"{arguments.study}.toml") if arguments.to is None else parse_path(arguments.to, "--to")
    write_new(target, text, "--to")
    print_line(str(target))
    print_message(f"edit it, then see what it would do: paribus plan {target}")
    return Exit.DONE
