"""Measuring the reference lines that a study asks for, once its runs have ended.

Runs of one replicate and one configuration of the data share their splits, and so their references: these are fitted
once and recorded with each of the runs. They are later measurements: no run's identity or training depends on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from paribus.data.pool import Purpose, Split
from paribus.execution.environment import environment
from paribus.execution.worker import now
from paribus.spec.references import REFERENCES, Reference
from paribus.store.records import LaterMeasurement, TestRead
from paribus.store.workspace import Workspace
from paribus.training.devices import Device
from paribus.training.plan import PlannedRun
from paribus.training.references import Evaluated, fit_and_evaluate, missing_references, reads_test

PURPOSE: Final[Purpose] = "reference line"


def measure_references(runs: Sequence[PlannedRun], workspace: Workspace, device: Device) -> int:
    """Fit the references that recorded `runs` lack, and record them; how many runs lacked some.

    Reads of the test set are logged for every run that has its references measured there. Kill it at any time: what is
    recorded stays, and the next call does the rest.
    """
    measured: set[str] = set()
    for alike in _with_equal_splits(runs):
        lacking = {run: missing for run in alike if (missing := _missing(run, workspace))}
        if lacking:
            evaluated = list(_held_out(list(lacking), workspace))
            for reference in REFERENCES:
                runs = [run for run, missing in lacking.items() if reference in missing]
                if runs:
                    _measure(runs, reference, evaluated, workspace, device)
        measured |= {run.id for run in lacking}
    return len(measured)


def _held_out(runs: Sequence[PlannedRun], workspace: Workspace) -> Iterator[tuple[str, Split]]:
    """The splits on which references are evaluated. The test set is opened where some of the `runs` read theirs."""
    splits = runs[0].splits
    if splits.validation is not None:
        yield "val", splits.validation
    tested = [run for run in runs if reads_test(run.spec)]
    if tested and splits.test is not None:
        examples = splits.test.examples
        workspace.log_test_reads(TestRead(run.id, "", None, examples, PURPOSE, now()) for run in tested)
        yield "test", splits.test.open(PURPOSE)


def _measure(
    runs: Sequence[PlannedRun], reference: Reference, evaluated: Evaluated, workspace: Workspace, device: Device
) -> None:
    """Fit a reference once and record it with each of `runs`: on test data, with those that read theirs."""
    first, where = runs[0], environment(device.model)
    found, at = fit_and_evaluate(first.spec, first.splits, reference, evaluated), now()
    of_test = {name for name in found if name.rpartition("/")[2].startswith("test_")}
    for run in runs:
        known = _names(run, workspace)
        names = [name for name in found if name not in known and (reads_test(run.spec) or name not in of_test)]
        items = [LaterMeasurement(run.id, "", name, found[name], None, PURPOSE, at, where) for name in names]
        workspace.add_measurements(run.id, items)


def _with_equal_splits(runs: Sequence[PlannedRun]) -> list[list[PlannedRun]]:
    """Runs that ask for references, those of equal splits and streams together."""
    groups: dict[tuple[object, ...], list[PlannedRun]] = {}
    for run in runs:
        if run.recipe.references:
            spec, streams = run.spec, run.spec.streams
            key = (spec.data_fingerprint, run.recipe.data.model_dump_json(), run.recipe.task, streams.split,
                   streams.label_noise, streams.references)  # fmt: skip
            groups.setdefault(key, []).append(run)
    return list(groups.values())


def _missing(run: PlannedRun, workspace: Workspace) -> tuple[Reference, ...]:
    """What a run lacks; nothing where it has not ended well."""
    record = workspace.run(run.id)
    if record is None or record.state != "done":
        return ()
    return missing_references(run.spec, _names(run, workspace))


def _names(run: PlannedRun, workspace: Workspace) -> set[str]:
    return {found.name for found in workspace.measurements(run.id) if not found.rule}
