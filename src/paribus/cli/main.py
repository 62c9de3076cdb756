"""`paribus COMMAND ...`: reads the command line, calls the command, and reports errors in one line.

Nothing heavy is imported here: each command imports what it needs when it is called.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from paribus import __version__
from paribus.cli import (
    audit,
    compare,
    confirm,
    evaluate,
    explain,
    export,
    lr_range,
    merge,
    new,
    plan,
    report,
    review,
    run,
    schema,
    search,
    status,
    studies,
    table,
    unpack,
    verify,
    view,
)
from paribus.cli.arguments import default_workspace, parse_path
from paribus.cli.output import print_error, print_log, print_message
from paribus.cli.process import hide_warnings, ignore_signals, interrupt_on_signals, report_errors_in_one_line
from paribus.cli.terminal import discard_if_broken, prepare_streams
from paribus.errors import Exit, UserError, printable

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_COMMANDS = (
    new,
    plan,
    run,
    search,
    lr_range,
    confirm,
    status,
    report,
    view,
    table,
    compare,
    evaluate,
    audit,
    export,
    unpack,
    merge,
    review,
    verify,
    studies,
    schema,
    explain,
)
_CODES = (
    "exit codes: 0 done, 1 failure, 2 mistake in the command or the study, "
    "3 some runs diverged or failed, or a search has no winner, 130 interrupted"
)


class _Formatter(argparse.HelpFormatter):
    """Breaks lines at spaces only: `paribus-workspace` stays in one piece."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = textwrap.wrap(" ".join(text.split()), width - len(indent), break_on_hyphens=False)
        return "\n".join(f"{indent}{line}" for line in lines)


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports errors in one line, as the rest of paribus does."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, formatter_class=_Formatter)

    def error(self, message: str) -> NoReturn:
        print_message(printable(f"command line: {message}; see `{self.prog} --help`"))
        raise SystemExit(Exit.USER_MISTAKE)

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        (file or sys.stderr).write(message)  # argparse's own swallows errors, or leaves them to the end of Python
        sys.stdout.flush()


def parser() -> argparse.ArgumentParser:
    """The whole command line. `--workspace` and `--debug` may come before or after the command."""
    top = _Parser(
        prog="paribus",
        description="Controlled training studies of small neural networks, all else equal.",
        epilog=_CODES,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"paribus {__version__}")
    _add_global_options(top, default=None)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)
    for command in _COMMANDS:
        name = command.__name__.rpartition(".")[2].replace("_", "-")
        about = (command.__doc__ or "").partition(": ")[2].strip()
        own = commands.add_parser(
            name,
            help=about.partition("\n")[0].rstrip("."),
            description=f"{about[:1].upper()}{about[1:]}",
            epilog=_CODES,
            allow_abbrev=False,
        )
        command.add_arguments(own)
        _add_global_options(own, default=argparse.SUPPRESS)
        own.set_defaults(execute=command.execute)
    return top


def _add_global_options(to: argparse.ArgumentParser, default: str | None) -> None:
    group = to.add_argument_group("global options")
    group.add_argument(
        "--workspace",
        metavar="FOLDER",
        default=default,
        help="where results are kept (default: $PARIBUS_WORKSPACE, else paribus-workspace in this folder)",
    )
    group.add_argument(
        "--debug", action="store_true", default=default or False, help="show warnings, and the traceback of an error"
    )


def run_command(argv: Sequence[str]) -> int:
    """Run one command and return its exit code. Only errors that are defects of paribus pass through."""
    debug = "--debug" in argv
    print_log(debug=debug)
    try:
        arguments = parser().parse_args(argv)
        given = arguments.workspace
        arguments.workspace = default_workspace() if given is None else parse_path(given, "--workspace")
        code: Exit = arguments.execute(arguments)
        sys.stdout.flush()
    except SystemExit as end:  # of argparse: help, version, or a mistake that has been reported
        return int(end.code or 0)
    except UserError as error:
        if debug:
            traceback.print_exc()
        print_error(error)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output has ended
        discard_if_broken(sys.stdout)
        return Exit.FAILURE
    except (OSError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        print_message(printable(_system_error(error)))
        discard_if_broken(sys.stdout)
        return Exit.FAILURE
    except KeyboardInterrupt:
        print_message("interrupted; run the same command again to resume")
        return Exit.INTERRUPTED
    return code


def _system_error(error: OSError | MemoryError) -> str:
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}the system reports: {error.strerror or error}"
    detail = f" ({error})" if str(error) else ""
    return f"not enough memory{detail}; close other programs, or use less data or fewer runs"


def main() -> int:
    """The `paribus` command, and `python -m paribus`: set up the process, run the command, return its exit code."""
    prepare_streams()
    interrupt_on_signals()
    if "--debug" not in sys.argv:
        report_errors_in_one_line()
        if not sys.warnoptions:
            hide_warnings()
    try:
        return run_command(sys.argv[1:])
    except KeyboardInterrupt:  # a signal after the one that is being reported
        return Exit.INTERRUPTED
    finally:
        ignore_signals()
