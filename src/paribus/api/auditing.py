"""Auditing labels from Python, with progress where a person watches."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.analysis.results import load as load_results
from paribus.api import html
from paribus.api.frames import of_records
from paribus.api.running import train
from paribus.auditing.assembling import audited
from paribus.auditing.plan import Settings
from paribus.auditing.sentences import opening
from paribus.cli.arguments import default_workspace
from paribus.cli.audit_data import examples_and_study, subject_of, subject_of_study
from paribus.cli.audit_text import audit_json
from paribus.cli.formatting import format_share
from paribus.execution.runner import prepare
from paribus.spec.study import Study
from paribus.store.workspace import Workspace
from paribus.training.cpu.compiling import skip_blas

if TYPE_CHECKING:
    import pandas as pd

    from paribus.auditing.examples import Examples
    from paribus.auditing.result import AuditResult, Suspect

SHOWN = 10
"""Suspects that a notebook shows."""


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found. `found` has everything as plain records, and a notebook shows the answer."""

    found: AuditResult
    examples: Examples

    @property
    def noise_rate(self) -> float:
        """The estimated share of wrong labels."""
        return self.found.noise.rate

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """The labels that are wrong with a probability of at least one half, the most suspicious first."""
        return self.found.suspects

    def answer(self) -> tuple[str, ...]:
        """In sentences: how many labels are suspects, how many are wrong by the estimate, how planted errors fared."""
        return opening(self.found)

    def table(self) -> pd.DataFrame:
        """Every example, the most suspicious first: row, label, proposed label, probability of being wrong."""
        return of_records(self.found.records())

    def cuts(self) -> pd.DataFrame:
        """What the list has that is cut at a probability: how many labels, how many of these and of all wrong ones.

        Columns: at_least, labels, expected_precision, expected_recall, false_alarm_rate. Shares are fractions.
        """
        names = ("at_least", "labels", "expected_precision", "expected_recall", "false_alarm_rate")
        return of_records([{name: cut[name] for name in names} for cut in self.json()["cuts"]])

    def json(self) -> dict[str, Any]:
        """All that was found as plain values, as `paribus audit --json` prints it."""
        return audit_json(self.found)

    def page(self, path: str | os.PathLike[str]) -> Path:
        """Write the page with the suspects, and its tables beside it."""
        from paribus.cli.audit_page import write_page

        return write_page(Path(path).expanduser(), self.found, self.examples)

    def clean(self, path: str | os.PathLike[str], *, relabel: bool = False) -> Path:
        """Write a copy of the data without the suspects, or with the proposed labels: .npz, or .csv of a CSV table.

        Raises UserError where a file of that name exists, and where no such copy can be made of the source.
        """
        from paribus.cli.audit_clean import check_clean, write_clean

        target = Path(path).expanduser()
        check_clean(target, self.examples, place="clean()")
        write_clean(target, self.found, self.examples, relabel=relabel)
        return target

    def __repr__(self) -> str:
        return "\n".join(self.answer())

    def _repr_html_(self) -> str:
        shown = self.suspects[:SHOWN]
        rows = [
            (str(one.rank), str(one.row), one.given, one.proposed, format_share(one.probability, 0)) for one in shown
        ]
        headings = ("rank", "row", "label", "proposed", "wrong with a probability of")
        below = html.table(headings, rows, f"The first {len(shown)} suspects") if shown else ""
        return "".join(html.paragraph(sentence) for sentence in self.answer()) + below


def audit(
    data: str | Study,
    *,
    target: str | None = None,
    split: str | None = None,
    groups: str | None = None,
    workspace: str | os.PathLike[str] | None = None,
    progress: bool = True,
    device: str = "cpu",
    **settings: Any,
) -> Audit:
    """Find labels that are probably wrong.

    Parameters
    ----------
    data : a source (a file, a folder, a built-in one, or what `paribus.source` gives), or a study, whose data, network
        and training are then used.
    target : the column or the array of the labels.
    split : which split of a source that has several. Its test examples are left alone.
    groups : a column; examples with one value of it stay in one fold.
    workspace : the folder of all that is recorded, as for `paribus.run`.
    settings : `folds`, `repetitions`, `planted`, `planted_arms`, `hidden`, `epochs`, `seed`, as on the command line.

    What is recorded is not trained again. Raises UserError for data without classes, or with a class that is too small.

    Examples
    --------
    >>> found = paribus.audit("sklearn:digits")  # doctest: +SKIP
    >>> found.table().head()  # doctest: +SKIP
    """
    subject = subject_of_study(data) if isinstance(data, Study) else subject_of(data, target, split)
    if subject.seed is not None:
        settings.setdefault("seed", subject.seed)
    examples, study = examples_and_study(subject, Settings(**settings), groups)
    folder = default_workspace() if workspace is None else Path(workspace).expanduser()
    prepared = prepare(study, device=device)
    skip_blas()
    with Workspace.open(folder, create=True, write=True) as opened:
        train(prepared, opened, progress=progress)
        return Audit(audited(load_results(opened, prepared.id), examples), examples)
