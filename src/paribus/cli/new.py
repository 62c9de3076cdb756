"""paribus new: write a study file to change and run: a copy of a built-in study, or a first study of your data."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from paribus.cli.arguments import parse_path
from paribus.cli.output import print_line, print_message, write_new
from paribus.errors import Exit, Shown, UserError


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus new STUDY [--to FILE]` or `paribus new --data DATA [--target COLUMN] [--to FILE]`."""
    to.add_argument("study", metavar="STUDY", nargs="?", help="name of a built-in study (see `paribus studies`)")
    to.add_argument("--data", metavar="DATA", help="a data file, a folder or a built-in source, in place of STUDY")
    to.add_argument("--target", metavar="COLUMN", help="the column or the array to predict")
    to.add_argument("--to", metavar="FILE", help="the file to write (default: named as its study); never overwritten")


def execute(arguments: argparse.Namespace) -> Exit:
    """Write the study file and print its path."""
    name, text = _of_data(arguments) if arguments.data is not None else _builtin(arguments)
    target = Path(f"{name}.toml") if arguments.to is None else parse_path(arguments.to, "--to")
    write_new(target, text, "--to")
    print_line(str(target))
    print_message(f"edit it, then see what it would do: paribus plan {target}")
    return Exit.DONE


def _builtin(arguments: argparse.Namespace) -> tuple[str, str]:
    from paribus.spec import builtin

    if arguments.study is None:
        raise UserError("needs STUDY or --data", given=Shown("neither"), place="paribus new",
                        remedy=f"name one of {', '.join(builtin.NAMES)}, or give --data and --target")  # fmt: skip
    if arguments.target is not None:
        raise UserError("goes with --data", given=arguments.target, place="--target", remedy="take it out")
    return arguments.study, builtin.text(arguments.study)


def _of_data(arguments: argparse.Namespace) -> tuple[str, str]:
    """The name and the text of a first study of the data."""
    from paribus.cli.draft_study import draft_study
    from paribus.cli.draft_text import study_name

    if arguments.study is not None:
        raise UserError("takes STUDY or --data, and not both", given=arguments.study, place="paribus new",
                        remedy="take one of them out")  # fmt: skip
    name = study_name(arguments.data)
    folder = (Path(f"{name}.toml") if arguments.to is None else parse_path(arguments.to, "--to")).parent
    try:
        text, _ = draft_study(_seen_from(folder, arguments.data), arguments.target, folder)
    except UserError as error:
        raise UserError(_by_option(error.rule), given=error.given, place=_by_option(error.place),
                        remedy=_by_option(error.remedy)) from None  # fmt: skip
    return name, text


def _by_option(text: str) -> str:
    """Keys that the user has not written yet are called by the options that they come from."""
    return text.replace("data.source", "--data").replace("data.target", "--target")


def _seen_from(folder: Path, data: str) -> str:
    """The name of the data as a study in `folder` gives it: a relative path begins there."""
    from paribus.data.registry import is_path

    path = Path(data)
    if not is_path(data) or data.startswith("~") or path.is_absolute():
        return data
    return Path(os.path.relpath(path, folder)).as_posix()
