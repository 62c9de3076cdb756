"""Learning-rate range tests from Python."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.analysis import results as recorded
from paribus.analysis.range_answers import DEFAULT, range_sentences, suggested
from paribus.analysis.range_test import RULES, RangeTest, Rule, range_tests
from paribus.api import html
from paribus.api.frames import of_records
from paribus.api.results import Results
from paribus.api.running import train
from paribus.cli.arguments import default_workspace
from paribus.cli.lr_range import as_json
from paribus.errors import UserError, nearest
from paribus.execution.runner import prepare
from paribus.searching.range_study import range_study, refuse_no_range
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace
from paribus.training.cpu.compiling import skip_blas

if TYPE_CHECKING:
    import pandas as pd

_CURVES = ("rates", "mean", "low", "high")


@dataclass(frozen=True, eq=False)
class RateRange:
    """A learning-rate range test of each arm of a study. A notebook shows what is suggested.

    `tests` has one entry for each arm, and `rule` is the one whose suggestions count.
    """

    recorded: recorded.Results
    tests: tuple[RangeTest, ...]
    rule: Rule

    @property
    def results(self) -> Results:
        """What is recorded of the test's runs."""
        return Results(self.recorded)

    @property
    def suggested(self) -> dict[str, float | None]:
        """The suggested learning rate of each arm; None where the range shows none."""
        return {test.arm: suggested(test, self.rule)[0] for test in self.tests}

    def table(self) -> pd.DataFrame:
        """One row for each arm: what is suggested and by which rule, what each rule says, and where regions begin.

        Columns: arm, suggested, rule, decade-below, steepest, largest-stable, unstable and collapsed: the first rate at
        which a replicate is unstable, and the first from which the network is no better than a constant output.
        """
        return of_records([{key: value for key, value in row.items() if key not in _CURVES} for row in self.json()])

    def curves(self) -> pd.DataFrame:
        """One row for each arm and rate: the training loss over replicates, its `mean`, `low` and `high`."""
        return of_records(
            [
                {"arm": test.arm, "rate": rate, "mean": mean, "low": low, "high": high}
                for test in self.tests
                for rate, mean, low, high in zip(test.rates, test.mean, test.low, test.high, strict=True)
            ]
        )

    def figures(self) -> dict[str, Any]:
        """Every figure of the report by its name, as an Altair chart, which a notebook shows."""
        return self.results.figures()

    def answer(self) -> tuple[str, ...]:
        """What is suggested for each arm, and where it becomes unstable, in sentences."""
        return tuple(range_sentences(self.recorded, self.rule))

    def json(self) -> list[dict[str, Any]]:
        """What was found as plain values, as `paribus lr-range --json` prints it."""
        return [as_json(test, self.rule) for test in self.tests]

    def __repr__(self) -> str:
        return "\n".join(self.answer())

    def _repr_html_(self) -> str:
        rows = [
            (test.arm, *map(_rate, (suggested(test, self.rule)[0], test.unstable, test.collapsed)))
            for test in self.tests
        ]
        return html.table(("arm", "suggested rate", "unstable from", "constant from"), rows)


def lr_range(
    study: Study,
    *,
    first: float = 1e-6,
    last: float = 1.0,
    epochs: int = 100,
    rule: Rule = DEFAULT,
    workspace: str | os.PathLike[str] | None = None,
    progress: bool = True,
    device: str = "cpu",
) -> RateRange:
    """Train each arm of a study at a rate that grows from epoch to epoch, and suggest a learning rate.

    Parameters
    ----------
    study : from `paribus.study` or `paribus.load`. What its arms say of their own rates and schedules is replaced.
    first, last : the range of rates.
    epochs : how many rates are tried.
    rule : what is suggested: "decade-below", "steepest" or "largest-stable".
    workspace, progress, device : as for `paribus.run`.

    The runs are recorded as a study of their own, NAME-lr-range, the same one as from `paribus lr-range`. Test data are
    not read. Raises UserError for a search, and where these are not a range of rates.

    Examples
    --------
    >>> paribus.lr_range(paribus.load("recipe"), first=1e-4, last=10).suggested  # doctest: +SKIP
    """
    if rule not in RULES:
        raise UserError("must be a rule", given=rule, place="paribus.lr_range(), rule", remedy=nearest(rule, RULES))
    refuse_no_range(first, last, epochs, ("first", "last", "epochs"))
    name, text = range_study(study, first=first, last=last, epochs=epochs)
    folder = default_workspace() if workspace is None else Path(workspace).expanduser()
    prepared = prepare(parse(text, place=f"study {name}", folder=study.folder), device=device)
    skip_blas()
    with Workspace.open(folder, create=True, write=True) as opened:
        train(prepared, opened, progress=progress)
        found = recorded.load(opened, prepared.id)
    return RateRange(found, range_tests(found), rule)


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.2g}"
