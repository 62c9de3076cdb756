"""Checking archives that others have handed in, from Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paribus.analysis.review import Review
from paribus.api import html
from paribus.api.judged import Listed
from paribus.cli.review import HEADINGS, as_json, details, reviewed, row
from paribus.spec.study import Study


@dataclass(frozen=True)
class Reviewed:
    """One study of an archive. `review` has all that was found; a broken archive has a `problem` and no review."""

    archive: Path
    review: Review | None
    problem: str

    @property
    def sentence(self) -> str:
        """The row in one line."""
        return ", ".join(f"{name} {cell}" for name, cell in zip(HEADINGS, self.row(), strict=True) if cell)

    def row(self) -> tuple[str, ...]:
        """Archive, whether it is as it was written, study, differences, seeds, runs, test reads, claims, verdicts."""
        return row(self.archive, self._found)

    def json(self) -> dict[str, Any]:
        """All of it as plain values, as `paribus review --json` prints it."""
        return as_json(self.archive, self._found)

    @property
    def _found(self) -> Review | str:
        return self.problem if self.review is None else self.review


class Reviews(Listed[Reviewed]):
    """The studies of all archives. A notebook shows the table, and below it each difference."""

    headings = HEADINGS
    empty = "There is no study."

    def details(self) -> tuple[str, ...]:
        """What the table has no room for: broken archives, each difference, late claims, copies."""
        return tuple(details([(one.archive, one.problem if one.review is None else one.review) for one in self]))

    def _repr_html_(self) -> str:
        return super()._repr_html_() + "".join(html.paragraph(line) for line in self.details())


def review(archives: Sequence[str | os.PathLike[str]], *, assignment: Study | None = None) -> Reviews:
    """Verify archives of `paribus export --format archive`, and compare them with an assignment.

    Parameters
    ----------
    archives : their paths.
    assignment : the study that was handed out, from `paribus.load`.

    Each archive is unpacked into a temporary folder, and every hash is checked. Nothing in it is executed.

    Examples
    --------
    >>> paribus.review(["anna.zip", "ben.zip"], assignment=paribus.load("assignment.toml"))  # doctest: +SKIP
    """
    paths = [Path(archive).expanduser() for archive in archives]
    return Reviews(
        [
            Reviewed(path, None, found) if isinstance(found, str) else Reviewed(path, found, "")
            for path, found in reviewed(paths, assignment)
        ]
    )
