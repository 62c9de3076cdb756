"""The process that runs a command: signals that end it, warnings, and errors that no command expects."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import traceback
import warnings
from types import TracebackType
from typing import NoReturn

from paribus.cli.output import print_message
from paribus.errors import printable

MAX_ERROR_LENGTH = 400
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def interrupt_on_signals() -> None:
    """Make SIGTERM (timeout, SLURM, docker stop) and SIGHUP (a closed ssh session) interrupt a command as Ctrl-C does.

    A signal that the process was started to ignore stays ignored: `nohup` does so with SIGHUP.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def ignore_signals() -> None:
    """Let nothing interrupt the process any more: it is about to end."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """The first signal ends the command. Further ones are ignored, so that they do not interrupt what it saves."""
    ignore_signals()
    raise KeyboardInterrupt


def hide_warnings() -> None:
    """Show no warnings and no log records of libraries, which are meant for programmers."""
    warnings.simplefilter("ignore")
    warnings.showwarning = _show_nothing  # a library may add filters of its own
    logging.getLogger().addHandler(logging.NullHandler())  # else Python prints records that no handler takes


def _show_nothing(*_arguments: object) -> None:
    """Takes the place of `warnings.showwarning`."""


def report_errors_in_one_line() -> None:
    """Report errors that nothing catches, in any thread, in one line in place of a traceback."""
    sys.excepthook = _report
    threading.excepthook = lambda caught: _report(caught.exc_type, caught.exc_value, caught.exc_traceback)
    sys.unraisablehook = lambda caught: _report(caught.exc_type, caught.exc_value, caught.exc_traceback)


def _report(kind: type[BaseException], error: BaseException | None, _trace: TracebackType | None) -> None:
    line = printable(" ".join(traceback.format_exception_only(kind, error)))
    if len(line) > MAX_ERROR_LENGTH:
        line = f"{line[:MAX_ERROR_LENGTH]}..."
    print_message(f"{line}; this is a defect of paribus: run again with --debug and report it")
