"""Auditing labels from Python, with progress where a person watches."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.analysis.results import load as load_results
from paribus.api.frames import frame
from paribus.api.running import display
from paribus.auditing.assembling import audited
from paribus.auditing.plan import Settings
from paribus.cli.arguments import default_workspace
from paribus.cli.audit_data import examples_and_study, subject_of, subject_of_study
from paribus.cli.audit_text import audit_json
from paribus.cli.run import progress_before
from paribus.execution.events import silent
from paribus.execution.runner import prepare, run_study
from paribus.spec.study import Study
from paribus.store.workspace import Workspace
from paribus.training.cpu.compiling import skip_blas

if TYPE_CHECKING:
    import pandas as pd

    from paribus.auditing.examples import Examples
    from paribus.auditing.result import AuditResult


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found. `found` has everything as plain records."""

    found: AuditResult
    examples: Examples

    @property
    def noise_rate(self) -> float:
        """The estimated share of wrong labels."""
        return self.found.noise.rate

    def table(self) -> pd.DataFrame:
        """Every example, the most suspicious first: row, label, proposed label, probability of being wrong."""
        records = self.found.records()
        return frame({name: [record[name] for record in records] for name in records[0]})

    def json(self) -> dict[str, Any]:
        """All that was found as plain values, as `paribus audit --json` prints it."""
        return audit_json(self.found)

    def page(self, path: str | os.PathLike[str]) -> Path:
        """Write the page with the suspects, and its tables beside it."""
        from paribus.cli.audit_page import write_page

        return write_page(Path(path).expanduser(), self.found, self.examples)


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
        counted = progress_before(prepared, opened)
        shows = progress and counted.runs_done < len(prepared.runs)
        with display(counted) if shows else nullcontext(silent) as shown:
            run_study(prepared, opened, shown)
        return Audit(audited(load_results(opened, prepared.id), examples), examples)
