"""Weight files, read back by safetensors and by PyTorch, and named as the reference's are."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

from paribus.analysis.results import load
from paribus.export.formats import export
from paribus.export.weights import NETWORKS, Choice, arm_names, kept_weights
from paribus.spec.builtin import text
from paribus.spec.study import parse


def test_safetensors_reads_the_weights_and_what_they_are_of(workspace, tmp_path):
    results = load(workspace, "classes")
    export(
        workspace,
        workspace.study("classes"),
        "safetensors",
        tmp_path / "out",
        Choice(arms=("narrow",), rules=("last",)),
    )
    path = tmp_path / "out" / "narrow_0003.safetensors"
    run = results.run("narrow", 0)
    theirs, ours = load_file(path), run.tensors.get(run.selections["last"].tensors)
    assert set(theirs) == set(ours)
    for name, array in ours.items():
        np.testing.assert_array_equal(theirs[name], array)
    with safe_open(path, "numpy") as opened:
        assert opened.metadata()["run"] == run.id
    index = json.loads((tmp_path / "out" / "weights.json").read_text())
    assert set(index) == {"narrow_0003.safetensors", "narrow_r1_0003.safetensors"}
    assert index[path.name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_pytorch_loads_the_state_dicts_without_executing_anything(workspace, tmp_path):
    """A plain module of PyTorch takes them, and gives the outputs that are recorded."""
    export(workspace, workspace.study("prices"), "pt", tmp_path / "out")
    run = load(workspace, "prices").run("prices", 0)
    state = torch.load(tmp_path / "out" / "prices_0003.pt", weights_only=True)

    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = torch.nn.Linear(3, 5), torch.nn.Linear(5, 1)

        def forward(self, x):
            return self.fc2(torch.relu(self.fc1(x)))

    module = Plain()
    module.load_state_dict(state)
    ours = run.tensors.get(run.selections["last"].tensors)
    for name, tensor in state.items():
        np.testing.assert_array_equal(tensor.numpy(), ours[name])


def test_files_of_the_reference_s_networks_have_the_reference_s_names(workspace, monkeypatch):
    """Its published file of the lowest validation accuracy's epoch is `ShallowMLP_FixedLR_0240.pt`."""
    selection = parse(text("selection"), place="selection")
    results = load(workspace, "classes")
    monkeypatch.setattr(type(results), "widths", lambda self, arm: (784, 32, 10))
    monkeypatch.setattr(type(results), "recipe", lambda self, arm: selection.arm("fixed").recipe)
    monkeypatch.setattr(type(results), "arms", ("fixed",))
    assert arm_names(results) == {"fixed": "ShallowMLP_FixedLR"}
    monkeypatch.setattr(type(results), "arms", ("fixed", "again"))
    assert arm_names(results) == {"fixed": "fixed", "again": "again"}  # one name for two arms tells nothing apart


def test_every_network_of_the_reference_has_a_name():
    capacity = parse(text("capacity"), place="capacity")
    widths = {(784, *arm.recipe.network.hidden, 10) for arm in capacity.arms}
    assert widths <= set(NETWORKS)


@pytest.mark.parametrize("rule", ["min-val-loss", "last"])
def test_rules_that_chose_one_epoch_share_a_file(workspace, rule):
    results = load(workspace, "classes")
    for one in kept_weights(results, Choice()):
        chosen = [r for r in results.rules(one.run.arm) if one.run.epoch(r) == one.epoch]
        assert list(one.rules) == chosen
    assert all(rule in one.rules for one in kept_weights(results, Choice(rules=(rule,))))
