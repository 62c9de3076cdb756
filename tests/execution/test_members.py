"""Which arms and replicates share a run, and what replicates vary."""

from __future__ import annotations

import pytest

from paribus.errors import UserError
from paribus.execution.runner import prepare
from paribus.store.workspace import Workspace
from tests.execution.conftest import recorded, runs_in, tiny, trained

EQUAL = """
[[arms]]
name = "a"

[[arms]]
name = "b"
"""


def test_equal_recipes_under_two_names_are_one_run(workspace, data):
    study = tiny(data, EQUAL)
    outcome = trained(study, workspace)
    runs = runs_in(workspace, study)
    assert outcome.trained == 2
    assert [runs["a", i].id for i in (0, 1)] == [runs["b", i].id for i in (0, 1)]
    again = trained(study, workspace)
    assert (again.trained, again.reused) == (0, 2)


def test_a_run_that_diverged_counts_once_for_all_its_arms(workspace, data):
    study = tiny(data, EQUAL, replicates="1", **{"optimizer.lr": "1e6", "optimizer.weight_decay": "1"})
    outcome = trained(study, workspace)
    assert (outcome.trained, outcome.diverged) == (1, 1)


def test_arms_that_are_one_run_must_be_measured_alike(data):
    study = tiny(data, EQUAL + 'test.read_at = ["last"]\n')
    with pytest.raises(UserError, match="arm b, key test: must be the same as in arm a, because both arms train") as no:
        prepare(study)
    assert str(no.value).isprintable()


def test_an_arm_with_its_own_seed_has_its_own_runs(workspace, data):
    study = tiny(data, EQUAL + "seed = 5\n")
    assert trained(study, workspace).trained == 4
    results = recorded(workspace, study)
    assert len({run.id for run in runs_in(workspace, study).values()}) == 4
    assert len({result["curves"]["train_loss"] for result in results.values()}) == 4


@pytest.mark.parametrize("varied", ["split", "init", "order"])
def test_replicates_vary_what_the_study_says(workspace, data, varied):
    """`first` shifts the indices: what does not vary stays at replicate 0, so no two replicates are equal."""
    study = tiny(data, **{"replicates": f'{{ count = 2, first = 7, vary = ["{varied}"] }}', "snapshots.every": "5",
                          "data.limit.train": "40"})  # fmt: skip
    trained(study, workspace)
    runs = runs_in(workspace, study)
    assert list(runs) == [("only", 7), ("only", 8)]
    starts, rows, curves = [], [], []
    for run in runs.values():
        starts.append(workspace.snapshots(run.id)[0].tensors)
        targets = next(a.tensors for a in workspace.artifacts(run.id) if a.name == "targets/train")
        rows.append(workspace.tensors.get(targets)["rows"].tobytes())
        curves.append(workspace.curves(run.id)["train_loss"].tobytes())
    assert len(set(starts)) == (2 if varied == "init" else 1)
    assert len(set(rows)) == (2 if varied == "split" else 1)
    assert len(set(curves)) == 2


def test_another_study_uses_the_runs_that_it_shares(tmp_path, data):
    with Workspace.open(tmp_path / "w", create=True, write=True) as workspace:
        trained(tiny(data), workspace)
        wider = tiny(data, '[[arms]]\nname = "narrow"\n[[arms]]\nname = "wide"\nnetwork = { hidden = [24] }\n')
        outcome = trained(wider, workspace)
    assert (outcome.trained, outcome.reused) == (2, 2)
