"""Whole audits of small data: what is wrong is found, what is right is left alone, and a kill changes no bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import cleanlab.rank
import numpy as np
import pytest
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict

import paribus
from paribus.auditing.examples import examples_of
from paribus.auditing.plan import Settings, planned
from paribus.errors import UserError
from paribus.store.workspace import Workspace

QUICK = {"folds": 4, "epochs": 15, "hidden": (32,)}
RATE = 0.12


def digits():
    found = datasets.load_digits()
    return found.data[:900] / 16, found.target[:900].astype(np.int64)


def with_errors(labels, seed=0):
    random = np.random.default_rng(seed)
    wrong = random.random(len(labels)) < RATE
    return np.where(wrong, (labels + random.integers(1, 10, len(labels))) % 10, labels), wrong


def audited(folder, x, y, name="digits", **settings):
    source = paribus.source(name, X=x, y=y)
    return paribus.audit(source, workspace=folder, progress=False, **{**QUICK, **settings})


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """An audit of digits with errors, which labels are wrong, and the workspace."""
    folder = tmp_path_factory.mktemp("noisy")
    x, right = digits()
    y, wrong = with_errors(right)
    return audited(folder, x, y), wrong, folder, x, y, right


def test_wrong_labels_are_found_at_least_as_well_as_by_cleanlab(noisy):
    audit, wrong, _, x, y, _ = noisy
    outside = cross_val_predict(LogisticRegression(max_iter=200), x, y, cv=5, method="predict_proba")
    theirs = average_precision_score(wrong, -cleanlab.rank.get_label_quality_scores(y, outside))
    ours = average_precision_score(wrong, audit.found.suspicion)
    assert ours > 0.9
    assert ours > theirs


def test_the_estimates_hold(noisy):
    audit, wrong, *_ = noisy
    found = audit.found
    assert found.noise.interval.low < wrong.mean() < found.noise.interval.high
    listed = found.probabilities >= 0.5
    assert -0.05 < wrong[listed].mean() - found.probabilities[listed].mean() < 0.2  # too low rather than too high
    half = next(cut for cut in found.cuts if cut.at_least == 0.5)
    assert half.suspects == listed.sum() == len(found.suspects)
    assert half.recall == pytest.approx(listed[wrong].mean(), abs=0.15)


def test_suspects_are_given_and_proposed_by_name(noisy):
    audit, wrong, _, _, y, right = noisy
    table = audit.table()
    assert list(table["rank"]) == list(range(1, len(y) + 1))
    top = audit.found.suspects[: wrong.sum() // 2]
    assert [one.given for one in top] == [str(y[one.row]) for one in top]
    assert np.mean([one.proposed == str(right[one.row]) for one in top]) > 0.9
    assert all(one.row not in one.neighbours and len(one.neighbours) == 3 for one in top)


def test_data_without_errors_do_not_cry_wolf(tmp_path):
    found = audited(tmp_path, *digits(), name="clean").found
    assert len(found.suspects) <= 4
    assert found.noise.rate < 0.02
    assert all(cut.false_alarms < 0.005 for cut in found.cuts if cut.at_least >= 0.5)


def test_what_is_recorded_is_not_trained_again(noisy):
    audit, _, folder, x, y, _ = noisy
    with Workspace.open(folder) as workspace:
        before = [(run.id, run.finished_at) for *_, run in workspace.runs_of(audit.found.study_id)]
    again = audited(folder, x, y)
    with Workspace.open(folder) as workspace:
        assert [(run.id, run.finished_at) for *_, run in workspace.runs_of(again.found.study_id)] == before
    assert again.found.suspicion.tobytes() == audit.found.suspicion.tobytes()


def test_every_read_of_a_fold_is_logged(noisy):
    audit, _, folder, *_ = noisy
    with Workspace.open(folder) as workspace:
        runs = [run.id for *_, run in workspace.runs_of(audit.found.study_id)]
        reads = workspace.test_reads(runs)
    assert sorted(read.run_id for read in reads) == sorted(runs)


def test_two_classes_rows_and_groups(tmp_path):
    """A table with a group of rows that belong together; its labels are text."""
    cancer = datasets.load_breast_cancer(as_frame=True)
    table = cancer.data.iloc[:300, :8].assign(
        patient=np.arange(300) // 3, kind=np.where(cancer.target[:300] == 1, "benign", "malignant")
    )
    flipped = table.index % 20 == 7
    table.loc[flipped, "kind"] = np.where(table.loc[flipped, "kind"] == "benign", "malignant", "benign")
    source = paribus.source("cancer", table)
    audit = paribus.audit(
        source, target="kind", groups="patient", workspace=tmp_path, progress=False, folds=3, epochs=15, hidden=(16,)
    )
    assert average_precision_score(flipped, audit.found.suspicion) > 0.6
    with Workspace.open(tmp_path) as workspace:
        for _, _, record in workspace.runs_of(audit.found.study_id)[:3]:
            (held,) = (a for a in workspace.artifacts(record.id) if a.name == "targets/test")
            rows = np.asarray(workspace.tensors.get(held.tensors)["rows"])
            assert set(np.bincount(rows // 3)) <= {0, 3}


STUDY = """\
name = "own"
question = "?"
[data]
source = "digits.npz"
scale = "none"
split = { by = "stratified", validation = 0.2, test = 0.2 }
[network]
hidden = [12]
[optimizer]
kind = "sgd"
lr = 0.2
momentum = 0.9
[training]
epochs = 15
batch_size = 32
[[arms]]
name = "one"
"""


@pytest.fixture
def own(tmp_path):
    x, right = digits()
    np.savez(tmp_path / "digits.npz", X=x[:400], y=with_errors(right)[0][:400])
    (tmp_path / "own.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path


def test_a_study_says_the_network_and_its_test_examples_stay_locked(own):
    study = paribus.load(own / "own.toml")
    audit = paribus.audit(study, workspace=own / "there", progress=False, folds=3, planted_arms=1)
    assert audit.found.examples == 320
    locked = study.arms[0].recipe.data.split.test
    assert locked == 0.2
    with Workspace.open(own / "there") as workspace:
        record = workspace.study(audit.found.study_id)
        assert "hidden = [\n    12,\n]" in record.document
        rows = {
            row
            for *_, run in workspace.runs_of(record.id)
            for artifact in workspace.artifacts(run.id)
            if artifact.name.startswith("targets/")
            for row in np.asarray(workspace.tensors.get(artifact.tensors)["rows"]).tolist()
        }
    assert rows == set(audit.found.rows.tolist())


def test_an_audit_that_was_killed_ends_with_the_same_bits(own):
    command = [sys.executable, "-m", "paribus", "audit", "own.toml", "--folds", "2", "--csv"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(paribus.__file__).parent.parent),
        "PARIBUS_CHECKPOINT_S": "1e-6",  # every epoch, so that the steps of writing are the same in every process
    }

    def audited(workspace: str, fault: str = "") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*command, "--workspace", workspace],
            cwd=own,
            env={**environment, "PARIBUS_FAULT": fault},
            capture_output=True,
            check=False,
        )

    whole = audited("whole", f"count@{own / 'points'}")
    assert whole.returncode == 0, whole.stderr
    points = (own / "points").read_text().splitlines()
    saved = [number for number, name in enumerate(points, 1) if name == "after commit"]
    assert audited("cut", f"kill@{saved[len(saved) // 2]}").returncode == -signal.SIGKILL
    ended = audited("cut")
    assert ended.returncode == 0, ended.stderr
    assert b"resumed" in ended.stderr
    assert ended.stdout == whole.stdout


def test_the_generated_study_says_what_it_does(own):
    table = {"source": "digits.npz", "scale": "none"}
    examples = examples_of(table, own, folds=5)
    study = planned("audit-digits", examples, Settings(repetitions=2), own)
    assert study.replicates.count == 10
    assert [arm.name for arm in study.arms] == ["given", "planted-1", "planted-2"]
    first, second = (arm.recipe.data.planted for arm in study.arms[1:])
    assert (first.after, second.after) == (0.0, 0.05)
    assert first.seed == second.seed
    assert study.arms[0].recipe.data.planted is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folds": 1}, "folds: must be from 2 to 100"),
        ({"planted": 0.3}, "planted: must be above 0, and at most a half"),
        ({"epochs": 0}, "epochs: must be from 1"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(UserError, match=message):
        Settings(**settings)
