"""`paribus COMMAND ...`: reads the command line, calls the command, and reports errors in one line.

Nothing heavy is imported here: each command imports what it needs when it is called.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from paribus import __version__
from paribus.cli import new, plan, report, run, status, studies, table, verify, view, weigh
from paribus.cli.output import print_message
from paribus.errors import Exit, UserError, printable

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_COMMANDS = (new, plan, run, status, report, view, table, weigh, verify, studies)
_CODES = "exit codes: 0 done, 1 failure, 2 user mistake, 3 finished with failed runs, 130 interrupted"


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports errors in one line, as the rest of paribus does."""

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
        name = command.__name__.rpartition(".")[2]
        about = (command.__doc__ or "").partition(": ")[2].strip()
        own = commands.add_parser(
            name, help=about.partition("\n")[0].rstrip("."), description=about, epilog=_CODES, allow_abbrev=False
        )
        command.add_arguments(own)
        _add_global_options(own, default=argparse.SUPPRESS)
        own.set_defaults(execute=command.execute)
    return top


def _add_global_options(to: argparse.ArgumentParser, default: str | None) -> None:
    group = to.add_argument_group("everywhere")
    group.add_argument(
        "--workspace",
        metavar="FOLDER",
        default=default,
        help="where results are kept (default: $PARIBUS_WORKSPACE, else ./paribus-workspace)",
    )
    group.add_argument(
        "--debug", action="store_true", default=default or False, help="show a traceback when something goes wrong"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Errors that are defects of paribus pass through."""
    debug = False
    try:
        arguments = parser().parse_args(argv)
        debug = arguments.debug
        arguments.workspace = _workspace(arguments.workspace)
        code: Exit = arguments.execute(arguments)
        sys.stdout.flush()
    except UserError as error:
        if debug:
            traceback.print_exc()
        print_message(str(error))
        return error.exit_code
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILURE
    except OSError as error:
        if debug:
            traceback.print_exc()
        place = f"{error.filename}: " if error.filename else ""
        print_message(printable(f"{place}the system refused: {error.strerror or error}"))
        return Exit.FAILURE
    except KeyboardInterrupt:
        print_message("interrupted; the same command goes on where this one stopped")
        return Exit.INTERRUPTED
    return code


def _workspace(given: str | None) -> Path:
    folder = os.environ.get("PARIBUS_WORKSPACE") or "paribus-workspace" if given is None else given
    if not folder:
        raise UserError("must name a folder", given="", place="--workspace", remedy="name one, or leave the option out")
    return Path(folder)


def entry() -> NoReturn:
    """What the `paribus` command starts: `main`, and one line even for what nobody foresaw."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, _interrupt)
    if "--debug" not in sys.argv:
        sys.excepthook = _one_line
        if not sys.warnoptions:
            warnings.simplefilter("ignore")  # they speak to programmers
    sys.exit(main())


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """A polite request to end is an interruption, too: what was trained so far is saved first."""
    raise KeyboardInterrupt


def _one_line(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    print_message(
        printable(f"{kind.__name__}: {error}; this is a defect of paribus: run again with --debug and report it")
    )
