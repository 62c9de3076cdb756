"""Curves as TensorBoard's event files: a folder for each run, a scalar for each metric and epoch."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.export.needs import needed


def write_tensorboard(results: Results, folder: Path) -> None:
    """`ARM/replicate-N/events.out.tfevents...`, of every run that has trained an epoch.

    A step is an epoch, from 1. Tags are the metrics' names; what was measured at a selected snapshot has the tag
    `RULE/METRIC` and the step of its epoch. Numbers are float32, as TensorBoard has them.
    """
    needed("tensorboard", "export", "tensorboard")
    writer: Any = importlib.import_module("tensorboard.summary.writer.event_file_writer")
    event: Any = importlib.import_module("tensorboard.compat.proto.event_pb2").Event
    summary: Any = importlib.import_module("tensorboard.compat.proto.summary_pb2").Summary
    for run in results.runs:
        if not run.epochs_done:
            continue
        file = writer.EventFileWriter(str(folder / run.arm / f"replicate-{run.replicate}"))
        at = _seconds(run)
        for tag, step, value in _scalars(results, run):
            told = summary(value=[summary.Value(tag=tag, simple_value=value)])
            file.add_event(event(wall_time=at, step=step, summary=told))
        file.close()


def _scalars(results: Results, run: Run) -> Iterator[tuple[str, int, float]]:
    """(tag, step, value) of everything finite that is recorded over epochs and at selected snapshots."""
    for name, curve in run.curves.items():
        for epoch, value in enumerate(curve.tolist(), start=1):
            if math.isfinite(value):
                yield name, epoch, value
    for rule in results.rules(run.arm):
        epoch = run.epoch(rule) if run.state == "done" else None
        if epoch is not None:
            for (of, name), value in run.measurements.items():
                if of == rule and math.isfinite(value):
                    yield f"{rule}/{name}", epoch, value


def _seconds(run: Run) -> float:
    """When the run ended, or began: single epochs have no time of their own."""
    moment = run.finished_at or run.started_at
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0
