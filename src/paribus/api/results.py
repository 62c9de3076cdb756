"""What a workspace holds of a study, for notebooks: tables as data frames, verdicts and findings as objects."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.analysis import results as recorded
from paribus.analysis.answers import answer
from paribus.analysis.columns import curve_columns, result_columns
from paribus.analysis.confirmation import confirmation
from paribus.analysis.wording import plural
from paribus.api import html
from paribus.api.frames import frame
from paribus.api.judged import Contrasts, Findings, Verdicts, contrasts, findings, verdicts
from paribus.api.predictions import recorded_columns
from paribus.cli.arguments import default_workspace
from paribus.errors import Shown, UserError, nearest
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from paribus.analysis.run import Run

SPLITS = ("train", "validation", "test")


def results(study: Study | str, *, workspace: str | os.PathLike[str] | None = None) -> Results:
    """What a workspace holds of a study: a study object, or the name or identity of a recorded one.

    Nothing is trained. Raises UserError where the workspace knows no such study.
    """
    folder = default_workspace() if workspace is None else Path(workspace).expanduser()
    with Workspace.open(folder) as opened:
        name = study if isinstance(study, str) else _identity(study, opened)
        return Results(recorded.load(opened, name))


def _identity(study: Study, workspace: Workspace) -> str:
    """The identity of the record that says what `study` says: the latest, if its data have changed since."""
    from paribus.cli.arguments import record_of

    return record_of(workspace, study).id


@dataclass(frozen=True, eq=False)
class Results:
    """Everything recorded of one study. `recorded` is the same for programs that use `paribus.analysis`."""

    recorded: recorded.Results

    @property
    def study(self) -> Study:
        return self.recorded.study

    @property
    def id(self) -> str:
        """The identity of the study with its data."""
        return self.recorded.study_id

    @property
    def states(self) -> dict[str, int]:
        """How many of the study's runs are in each state: done, diverged, in training, missing."""
        return self.recorded.states()

    def table(self) -> pd.DataFrame:
        """One row for each arm, selection rule and metric, as `paribus table` has them.

        Columns: arm, rule (empty for the run as a whole), metric, mean, sd (over replicates; NaN for one), n, published
        (NaN without such a figure), and one column `replicate N` for each replicate. Accuracies are fractions.
        """
        return frame(result_columns(self.recorded))

    def curves(self) -> pd.DataFrame:
        """One row for each arm, replicate and epoch (from 1), with one column for each metric of an epoch."""
        return frame(curve_columns(self.recorded))

    def outputs(
        self, arm: str, replicate: int = 0, *, rule: str | None = None, split: str = "validation"
    ) -> pd.DataFrame:
        """What one run's selected network gives for each example of a split.

        Columns: `row` (of the source), and for classification `label`, `predicted` and `p(CLASS)` for each class; for
        regression the target and `predicted`; for reconstruction `error`. `rule` is by default the
        one at which the arm is compared. Test outputs are there where the study reads the test set at that rule. Raises
        UserError where nothing of the kind is recorded.
        """
        run = self._run(arm, replicate)
        rule = rule or self.recorded.deploy(arm)
        refuse_unknown(rule, self.recorded.rules(arm), "rule")
        refuse_unknown(split, SPLITS, "split")
        outputs, targets = run.artifact(rule, f"outputs/{split}"), run.artifact("", f"targets/{split}")
        if outputs is None or targets is None:
            raise UserError(
                "must be recorded: outputs are kept of splits that the study reads, unless snapshots.outputs is false",
                given=Shown("nothing"),
                place=f"outputs of {arm}, replicate {replicate}, at {rule}, {split}",
                remedy="name another split, or add the rule to test.read_at and run the study again",
            )
        return frame(recorded_columns(outputs, targets, run.dataset.classes, run.dataset.targets))

    def verdicts(self) -> Verdicts:
        """The outcome of each claim: `claim`, `effect`, `interval`, `verdict` and `sentence`."""
        return verdicts(self.recorded)

    def contrasts(self, metric: str | None = None) -> Contrasts:
        """Every other arm against the control: `mean`, `interval`, `differences` and `sentence`.

        `metric` is by default the one in which the study's arms are compared. Raises UserError for an unknown one.
        """
        return contrasts(self.recorded, metric)

    def findings(self) -> Findings:
        """What a person should know about the runs, the gravest first: `kind`, `arm`, `rule` and `sentence`."""
        return findings(self.recorded)

    def figures(self) -> dict[str, Any]:
        """Every figure of the report by its name, as an Altair chart, which a notebook shows."""
        from paribus.report.altair_charts import altair_charts

        return dict(altair_charts(self.recorded))

    def answer(self) -> tuple[str, ...]:
        """The study's question answered in sentences, as the report opens with them."""
        return answer(self.recorded).sentences

    def confirmation(self) -> Study:
        """The study that trains the arms chosen by `choose` on fresh replicates: what `paribus confirm` writes.

        Its `document` is the text of that file. Raises UserError where the study has no rule, or is not finished.
        """
        name, text = confirmation(self.recorded)
        return parse(text, place=f"study {name}", folder=self.study.folder)

    def report(self, folder: str | os.PathLike[str], *, pdf: bool = False, figures: bool = False) -> Path:
        """Write the report into a folder, as `paribus report` does; the path of its page."""
        from paribus.energy.carbon import grid_of_user
        from paribus.report.folder import write_pages

        to = Path(folder).expanduser()
        return write_pages([self.recorded], to, grid_of_user(), pdf=pdf, figures=figures, still=True).page

    def __repr__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in self.states.items())
        return f"<results of {self.study.name}: {plural(self.recorded.planned, 'run')} ({states})>"

    def _repr_html_(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in self.states.items())
        above = html.paragraph(
            f"{self.study.question} {plural(self.recorded.planned, 'run')}: {states}.", self.study.name
        )
        judged = self.verdicts()
        return above + (judged if len(judged) else self.contrasts())._repr_html_()

    def _run(self, arm: str, replicate: int) -> Run:
        refuse_unknown(arm, self.recorded.arms, "arm")
        run = self.recorded.run(arm, replicate)
        if run is None or run.state != "done":
            given = "no such run" if run is None else f"one that is {run.state}"
            place = f"arm {arm}, replicate {replicate}"
            raise UserError("must be a run that is done", given=Shown(given), place=place, remedy="name another")
        return run


def refuse_unknown(word: str, known: tuple[str, ...], what: str) -> None:
    """Raises UserError where a study has no such arm, rule, ..."""
    if word not in known:
        raise UserError(f"must be one of the study's {what}s", given=word, place=what, remedy=nearest(word, known))
