"""TensorBoard and MLflow read back what was written for them."""

from __future__ import annotations

import os

import numpy as np
import pytest

from paribus.analysis.results import load
from paribus.export.formats import export


def test_tensorboard_reads_curves_and_measurements(workspace, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    export(workspace, workspace.study("classes"), "tensorboard", tmp_path / "out")
    run = load(workspace, "classes").run("wide", 1)
    read = EventAccumulator(str(tmp_path / "out" / "wide" / "replicate-1"))
    read.Reload()
    scalars = read.Scalars("val_loss")
    assert [event.step for event in scalars] == [1, 2, 3]
    np.testing.assert_array_equal([event.value for event in scalars], run.curves["val_loss"].astype(np.float32))
    [accuracy] = read.Scalars("last/test_accuracy")
    assert (accuracy.step, accuracy.value) == (3, pytest.approx(run.value("last", "test_accuracy")))
    assert len(list((tmp_path / "out").glob("*/*/events.out.tfevents.*"))) == 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow_reads_runs_with_their_recipes_and_curves(workspace, tmp_path, monkeypatch):
    before = dict(os.environ)
    export(workspace, workspace.study("classes"), "mlflow", tmp_path / "out")
    assert dict(os.environ) == before
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = MlflowClient(tracking_uri=(tmp_path / "out").as_uri())
    experiment = client.get_experiment_by_name("classes")
    found = client.search_runs([experiment.experiment_id], filter_string="tags.arm = 'wide' and tags.replicate = '1'")
    [theirs] = found
    ours = load(workspace, "classes").run("wide", 1)
    assert theirs.data.tags["paribus.run"] == ours.id
    assert theirs.data.params["optimizer.lr"] == "0.01"
    assert theirs.info.status == "FINISHED"
    history = sorted(client.get_metric_history(theirs.info.run_id, "val_loss"), key=lambda metric: metric.step)
    assert [metric.value for metric in history] == ours.curves["val_loss"].tolist()
    assert len(client.search_runs([experiment.experiment_id])) == 4
