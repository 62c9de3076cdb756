"""The errors that users see, and the exit codes of commands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """The meaning of a command's exit code."""

    DONE = 0
    FAILURE = 1
    USER_MISTAKE = 2
    FAILED_RUNS = 3
    INTERRUPTED = 130


CHANGE_IT_THERE = "change it there"
"""The remedy for a wrong value. Where `--set` gave the value, messages name that option instead."""


class UserError(Exception):
    """A mistake that the user can correct: shown as one line, exit code 2, nothing written.

    Parameters
    ----------
    rule : what must hold ("must be greater than 0").
    given : what was found instead, shown as it was given; `Shown("")` where there is nothing to show.
    place : where (a file and key, an option, a path).
    remedy : what to do about it, as an imperative.
    """

    exit_code: ClassVar[Exit] = Exit.USER_MISTAKE

    def __init__(self, rule: str, *, given: object, place: str, remedy: str) -> None:
        self.rule = rule
        self.given = given
        self.place = place
        self.remedy = remedy
        super().__init__(str(self))

    @property
    def problem(self) -> str:
        """What is wrong: the rule, and what was given instead."""
        given = shown(self.given)
        return f"{self.rule}{', got ' if given else ''}{given}"

    @property
    def parts(self) -> tuple[str, str, str]:
        """The place, the problem and the remedy, each printable on one line."""
        return printable(self.place), printable(self.problem), printable(self.remedy)

    def __str__(self) -> str:
        place, problem, remedy = self.parts
        return f"{place}: {problem}; {remedy}"


class OwnCodeError(UserError):
    """An error that a user's own code raised while it trained: it comes again."""


class StorageError(UserError):
    """The disk or a file on it is full, damaged or missing: one line, exit code 1."""

    exit_code: ClassVar[Exit] = Exit.FAILURE


def unreadable(error: OSError, *, place: str, remedy: str) -> UserError:
    """The mistake behind a file that cannot be opened: it does not exist, or the system says why."""
    if isinstance(error, FileNotFoundError):
        return UserError("file not found", given=Shown(""), place=place, remedy=remedy)
    given = Shown(error.strerror or "an error")
    return UserError("must be a file that can be read", given=given, place=place, remedy=remedy)


def shown(value: object, limit: int = 80) -> str:
    """`value` as a message shows it: text in quotes, printable, at most `limit` characters long."""
    try:
        text = value if isinstance(value, Shown) else repr(value)
    except ValueError:  # Python does not convert integers of more than 4300 digits to text
        text = "a number of thousands of digits"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def printable(text: str) -> str:
    """`text` on one line, with escapes for characters that control a terminal."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class Shown(str):
    """Text that a message shows as it is, without quotes ("nothing", "3 arrays")."""

    __slots__ = ()


def nearest(word: str, known: Iterable[str]) -> Shown:
    """A remedy for a word that is not known: the nearest one that is, or all of them."""
    names = list(known)
    begun = [name for name in names if len(word) > 3 and name.startswith(word)]  # `val_acc` is nearer to `val_accuracy`
    close = begun or difflib.get_close_matches(word[:100], names, n=1, cutoff=0.5)
    if close:
        return Shown(f"did you mean {close[0]}?")
    return Shown(f"use one of {', '.join(names[:20])}" if names else "there is none to choose from")
