from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paribus.analysis.results import load
from paribus.errors import UserError
from paribus.export.formats import export
from paribus.store.workspace import Workspace


def exported(workspace: Workspace, form: str, to: Path, name: str = "classes") -> Path:
    export(workspace, workspace.study(name), form, to)
    return to


@pytest.mark.parametrize(("form", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_pandas_reads_the_tables(workspace, tmp_path, form, read):
    folder = exported(workspace, form, tmp_path / "out")
    results = load(workspace, "classes")
    curves = read(folder / f"curves.{form}")
    run = results.run("wide", 1)
    theirs = curves[(curves.arm == "wide") & (curves.replicate == 1)]
    assert theirs.epoch.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(theirs.val_loss.to_numpy(), run.curves["val_loss"])
    runs = read(folder / f"runs.{form}")
    assert runs.run.tolist() == [run.id for run in results.runs]
    assert runs["epoch at last"].tolist() == [3.0] * 4
    claims = read(folder / f"claims.{form}")
    assert claims.statement.tolist() == ["Wider is better."]
    reads = read(folder / f"test-reads.{form}")
    assert (reads.purpose == "selected snapshot").all()
    costs = read(folder / f"costs.{form}")
    assert (costs.low_j <= costs.energy_j).all()
    table = read(folder / f"results.{form}")
    row = table[(table.arm == "wide") & (table.rule == "last") & (table.metric == "val_loss")].iloc[0]
    assert row["replicate 1"] == run.curves["val_loss"][-1]


def test_what_is_there_is_never_replaced(workspace, tmp_path):
    folder = exported(workspace, "csv", tmp_path / "out")
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(UserError, match="must not be there yet"):
        exported(workspace, "parquet", folder)
    assert sorted(path.name for path in folder.iterdir()) == before
    (tmp_path / "empty").mkdir()
    exported(workspace, "csv", tmp_path / "empty")


def test_an_export_that_fails_leaves_nothing(workspace, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.csv.write_csv", fail)
    with pytest.raises(OSError, match="No space"):
        exported(workspace, "csv", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_and_a_choice_that_does_not_fit_are_refused(workspace, tmp_path):
    with pytest.raises(UserError, match="did you mean parquet"):
        exported(workspace, "parqet", tmp_path / "out")
    from paribus.export.weights import Choice

    with pytest.raises(UserError, match="--arm: does not go with csv"):
        export(workspace, workspace.study("classes"), "csv", tmp_path / "out", Choice(arms=("wide",)))
    choices = {"--arm": Choice(arms=("wid",)), "--rule": Choice(rules=("lst",)), "--replicate": Choice(replicates=(7,))}
    for option, choice in choices.items():
        with pytest.raises(UserError, match=option):
            export(workspace, workspace.study("classes"), "safetensors", tmp_path / "out", choice)
    assert list(tmp_path.iterdir()) == []


def test_the_index_of_weights_says_which_is_which(workspace, tmp_path):
    folder = exported(workspace, "safetensors", tmp_path / "out")
    index = json.loads((folder / "weights.json").read_text())
    last = index["wide_r1_0003.safetensors"]
    assert (last["arm"], last["replicate"], last["epoch"]) == ("wide", 1, 3)
    assert "last" in last["rules"]
