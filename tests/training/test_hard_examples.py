from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from paribus.data.pool import Pool, whole
from paribus.training import hard_examples
from paribus.training.cohort import architecture
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.evaluation import Snapshot, measure_snapshot
from paribus.training.hard_examples import KEPT, log_losses, record_hard_examples
from paribus.training.measurements import Measurements
from tests.training.conftest import active, recipe
from tests.training.oracle import plain_outputs


def test_the_examples_of_the_highest_loss_are_kept_as_the_source_has_them():
    of = active(recipe(data={"limit": {"test": 400}}, test={"read_at": ["last"]}))
    test = of.splits.test.open("selected snapshot")
    snapshot = Snapshot("last", 1, of.state.tensors)
    found = measure_snapshot(of.spec, of.splits, snapshot, CompiledEngine(), lambda *_: test)
    arrays = {name: arrays for rule, name, arrays in found.artifacts if rule == "last"}
    assert "hardest/train" not in arrays
    for name, split in (("test", test), ("validation", of.splits.validation)):
        kept = arrays[f"hardest/{name}"]
        logits = torch.tensor(plain_outputs(architecture(of.spec), of.state.tensors, split.inputs)[0])
        losses = torch.nn.functional.cross_entropy(logits, torch.tensor(split.labels), reduction="none").numpy()
        order = np.argsort(-losses, kind="stable")[:KEPT]
        assert set(kept["rows"]) == set(split.rows[order])
        np.testing.assert_allclose(kept["loss"], losses[order], rtol=1e-4)
        assert kept["values"].dtype == np.uint8
        assert (kept["values"] == split.pool.values[kept["rows"]]).all()
        assert kept["divisor"] == 255


def test_outputs_that_are_not_kept_leave_no_examples():
    of = active(recipe(snapshots={"outputs": False}))
    found = measure_snapshot(of.spec, of.splits, Snapshot("last", 1, of.state.tensors), CompiledEngine(), None)
    assert not [name for _, name, _ in found.artifacts if name.startswith("hardest/")]


def test_rows_are_those_of_the_source_where_a_pool_is_a_part_of_it():
    values = np.arange(4, dtype=np.float32)[:, None]
    pool = Pool("p", values, 1.0, np.zeros(4, np.int64), (1,), "f", source_rows=np.array([10, 20, 30, 40]))
    kept = Measurements()
    outputs = np.array([[0, 1], [0, 9], [0, 5], [0, 7]], np.float32)
    record_hard_examples("last", "validation", whole(pool), outputs, kept)
    arrays = kept.artifacts[0][2]
    assert arrays["rows"].tolist() == [20, 40, 30, 10]
    assert arrays["values"].tolist() == [[1], [3], [2], [0]]


def test_of_large_examples_fewer_are_kept(monkeypatch):
    values = np.zeros((5, 100), np.float32)
    split = whole(Pool("p", values, 1.0, np.zeros(5, np.int64), (100,), "f"))
    outputs = np.arange(10, dtype=np.float32).reshape(5, 2)
    monkeypatch.setattr(hard_examples, "MAX_BYTES", 1000)
    kept = Measurements()
    record_hard_examples("last", "validation", split, outputs, kept)
    assert kept.artifacts[0][2]["values"].shape == (2, 100)
    monkeypatch.setattr(hard_examples, "MAX_BYTES", 399)
    none = Measurements()
    record_hard_examples("last", "validation", split, outputs, none)
    record_hard_examples("last", "validation", replace(split, labels=None), outputs, none)
    assert not none.artifacts


def test_losses_are_pytorchs_for_one_output_and_for_many():
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 3, 40), rng.normal(0, 30, (40, 3)).astype(np.float32)
    theirs = torch.nn.functional.cross_entropy(torch.tensor(logits).double(), torch.tensor(labels), reduction="none")
    np.testing.assert_allclose(log_losses(logits, labels), theirs, rtol=1e-12, atol=1e-12)
    binary = labels % 2
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.tensor(logits[:, 0]).double(), torch.tensor(binary).double(), reduction="none"
    )
    assert log_losses(logits[:, :1], binary) == pytest.approx(theirs.numpy(), rel=1e-9)
