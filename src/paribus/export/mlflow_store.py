"""A study as an experiment in MLflow's file store: a run for each arm and replicate."""

from __future__ import annotations

import importlib
import logging
import math
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from paribus.analysis.pairs import flat
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.export.needs import needed

_BATCH: Final = 1000
"""Metrics that MLflow takes at once."""
_ALLOWED: Final = "MLFLOW_ALLOW_FILE_STORE"
"""MLflow 3 opens a file store only where this is set."""


def write_mlflow(results: Results, folder: Path) -> None:
    """An experiment of the study's name. A run has the recipe as parameters, curves by epoch, and measurements.

    `MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri FOLDER` shows it; `mlflow migrate-filestore` copies it
    into a database.
    """
    needed("mlflow", "export", "mlflow")
    with _quiet():
        tracking: Any = importlib.import_module("mlflow.tracking")
        entities: Any = importlib.import_module("mlflow.entities")
        client = tracking.MlflowClient(tracking_uri=folder.absolute().as_uri())
        experiment = client.create_experiment(results.study.name)
        client.set_experiment_tag(experiment, "mlflow.note.content", results.study.question)
        client.set_experiment_tag(experiment, "paribus.study", results.study_id)
        for run in results.runs:
            if run.epochs_done:
                _write_run(client, entities, experiment, results, run)


def _write_run(client: Any, entities: Any, experiment: str, results: Results, run: Run) -> None:
    began, ended = (_milliseconds(moment) for moment in (run.started_at, run.finished_at or run.started_at))
    name = f"{run.arm}, replicate {run.replicate}"
    tags = {"arm": run.arm, "replicate": str(run.replicate), "paribus.run": run.id}
    made = client.create_run(experiment, start_time=began, run_name=name, tags=tags)
    recipe = flat(results.recipe(run.arm).model_dump(mode="json"))
    parameters = [entities.Param(_key(key), str(value)[:6000]) for key, value in recipe]
    metrics = [
        entities.Metric(_key(name), value, ended, epoch)
        for name, curve in run.curves.items()
        for epoch, value in enumerate(curve.tolist(), start=1)
        if math.isfinite(value)
    ]
    for (rule, name), value in run.measurements.items():
        if math.isfinite(value):
            epoch = (run.epoch(rule) or 0) if rule else run.epochs_done
            metrics.append(entities.Metric(_key(f"{rule}/{name}" if rule else f"run/{name}"), value, ended, epoch))
    for at in range(0, len(parameters), 100):
        client.log_batch(made.info.run_id, params=parameters[at : at + 100])
    for at in range(0, len(metrics), _BATCH):
        client.log_batch(made.info.run_id, metrics=metrics[at : at + _BATCH])
    status = {"done": "FINISHED", "diverged": "FAILED"}.get(run.state, "KILLED")
    client.set_terminated(made.info.run_id, status=status, end_time=ended)


def _key(name: str) -> str:
    """A name of letters, digits and what else MLflow allows."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)


def _milliseconds(moment: str | None) -> int:
    return 0 if moment is None else round(1000 * datetime.fromisoformat(moment).timestamp())


@contextmanager
def _quiet() -> Generator[None]:
    """MLflow allowed to open a file store, and not telling about itself."""
    before = os.environ.get(_ALLOWED)
    log = logging.getLogger("mlflow")
    level = log.level
    os.environ[_ALLOWED] = "true"
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
        if before is None:
            del os.environ[_ALLOWED]
        else:
            os.environ[_ALLOWED] = before
