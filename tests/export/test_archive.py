"""An archive opened elsewhere is the study with everything recorded; a changed one is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile

import pytest

from paribus.analysis.results import load
from paribus.analysis.verdicts import claim_outcomes
from paribus.errors import UserError
from paribus.execution.runner import prepare, run_study
from paribus.export.archive import unpack, write_archive
from paribus.export.formats import export
from paribus.store.verify import verify
from paribus.store.workspace import Workspace
from tests.export.conftest import studies


@pytest.fixture(scope="module")
def archive(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "classes.zip"
    with Workspace.open(trained / "w") as workspace:
        export(workspace, workspace.study("classes"), "archive", path)
    return path


def test_an_archive_is_opened_elsewhere_with_the_same_results(workspace, archive, tmp_path):
    found = unpack(archive, tmp_path / "there")
    assert verify(found.workspace).problems == ()
    ours = load(workspace, "classes")
    with Workspace.open(found.workspace) as opened:
        assert [record.name for record in opened.studies()] == ["classes"]
        theirs = load(opened, "classes")
        assert theirs.study_id == ours.study_id
        assert [run.id for run in theirs.runs] == [run.id for run in ours.runs]
        for one, other in zip(ours.runs, theirs.runs, strict=True):
            assert one.curves["val_loss"].tobytes() == other.curves["val_loss"].tobytes()
            assert (one.measurements, one.artifacts) == (other.measurements, other.artifacts)
            assert one.started_at == other.started_at
        assert [(case.label, case.effect) for case in claim_outcomes(theirs)] == [
            (case.label, case.effect) for case in claim_outcomes(ours)
        ]
        assert theirs.test_reads == ours.test_reads
        assert theirs.registrations == ours.registrations
        assert sum(used.energy_j for used in theirs.usage) == pytest.approx(sum(used.energy_j for used in ours.usage))


def test_an_archive_says_what_it_was_made_with_and_when_claims_were_registered(archive, tmp_path):
    found = unpack(archive, tmp_path / "there")
    [entry] = found.registration.values()
    assert entry["registered_at"] <= entry["first_epoch_at"]
    assert [json.loads(claim["text"])["statement"] for claim in entry["claims"]] == ["Wider is better."]
    assert "numpy==" in (found.folder / "requirements.txt").read_text()
    assert found.manifest["environments"][0]["system"]
    assert (found.folder / "studies" / "classes.toml").read_text().startswith("name")


def test_equal_workspaces_give_equal_bytes(workspace, archive, tmp_path):
    write_archive(workspace, [workspace.study("classes")], tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_a_study_goes_on_in_an_unpacked_workspace_without_training_again(trained, archive, tmp_path):
    found = unpack(archive, tmp_path / "there")
    copy = tmp_path / "data"
    copy.mkdir()
    for name in ("images.npz", "houses.csv"):
        shutil.copy(trained / name, copy / name)
    study = studies(copy)["classes"]
    with Workspace.open(found.workspace, write=True) as opened:
        outcome = run_study(prepare(study), opened)
    assert (outcome.trained, outcome.reused) == (0, 4)


def rewritten(archive, target, change):
    """The archive with `change` made to its files; the manifest stays as it is unless it is changed, too."""
    with zipfile.ZipFile(archive) as source:
        files = {entry.filename: source.read(entry) for entry in source.infolist()}
    change(files)
    with zipfile.ZipFile(target, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return target


def renewed(files):
    """The manifest made to fit what is there."""
    manifest = json.loads(files["manifest.json"])
    others = {name: content for name, content in files.items() if name != "manifest.json"}
    manifest["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in others.items()}
    files["manifest.json"] = json.dumps(manifest).encode()


def flip(files):
    name = next(name for name in files if name.endswith(".safetensors"))
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])


def flip_and_renew(files):
    flip(files)
    renewed(files)


def escape(files):
    files["../outside.txt"] = b"x"
    renewed(files)


def add(files):
    files["workspace/more.txt"] = b"x"


def drop(files):
    files.pop("requirements.txt")


def newer(files):
    manifest = json.loads(files["manifest.json"])
    files["manifest.json"] = json.dumps({**manifest, "format": 99}).encode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flip, "another content than its manifest says of workspace/"),
        (flip_and_renew, "problems in its workspace"),
        (escape, "a file named"),
        (add, "other files than its manifest names"),
        (drop, "other files than its manifest names"),
        (newer, "format 99"),
        (lambda files: files.pop("manifest.json"), "no manifest.json"),
    ],
)
def test_a_changed_archive_is_refused_in_one_line_and_leaves_nothing(archive, tmp_path, change, words):
    changed = rewritten(archive, tmp_path / "changed.zip", change)
    with pytest.raises(UserError) as caught:
        unpack(changed, tmp_path / "there")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["changed.zip"]


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(UserError, match="must be a whole archive"):
        unpack(tmp_path / "a.zip", tmp_path / "there")
    with pytest.raises(UserError, match="file not found"):
        unpack(tmp_path / "none.zip", tmp_path / "there")
