from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from paribus.cli.main import run_command
from paribus.spec.dataset import Dataset
from paribus.spec.identity import RunSpec, study_id
from paribus.spec.study import Study, load
from paribus.store.records import Measurement, NewRun, Outcome, Selected
from paribus.store.workspace import Workspace

DATASET = Dataset(
    source="fashion-mnist",
    features=784,
    shape=(28, 28),
    classes=tuple("0123456789"),
    train=8_000,
    validation=2_000,
    test=60_000,
    held_out_of=10_000,
)


@dataclass(frozen=True)
class Result:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


Paribus = Callable[..., Result]


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    """What the command line does to the program's log ends with the test."""
    yield
    log = logging.getLogger("paribus")
    log.handlers.clear()
    log.setLevel(logging.NOTSET)


@pytest.fixture
def paribus(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Paribus:
    """Runs a command in an empty folder and returns its result."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PARIBUS_WORKSPACE", raising=False)

    def call(*argv: object) -> Result:
        capsys.readouterr()
        code = run_command([str(word) for word in argv])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def mini() -> Path:
    """The path of a small, valid study: two arms (`fixed`, `steps`), two replicates, three epochs."""
    return Path(__file__).parent.parent / "spec" / "mini.toml"


@pytest.fixture
def course(paribus: Paribus) -> Path:
    """The path of a study on a small file of noise beside it: it trains in a moment, offline."""
    random = np.random.default_rng(0)
    arrays: list[np.ndarray] = []
    for images in (96, 32, 32):
        arrays.append(random.integers(0, 256, (784, images), dtype=np.uint8))
        arrays.append(random.permutation(np.arange(images) % 10))  # every split has every class
    np.savez("course.npz", *arrays)
    text = (Path(__file__).parent / "course.toml").read_text(encoding="utf-8")
    path = Path("course.toml")
    path.write_text(text, encoding="utf-8")
    return path


def registered(workspace: Workspace, study: Study) -> dict[tuple[str, int], str]:
    """Register a study as a runner would, and return its runs."""
    runs: dict[tuple[str, int], NewRun] = {}
    for arm, replicate in study.members():
        spec = RunSpec(arm.recipe, DATASET, study.streams(arm, replicate), "0" * 64)
        recipe, dataset = arm.recipe.model_dump(mode="json"), DATASET.to_json()
        runs[arm.name, replicate] = NewRun(run_id=spec.id, identity=spec.text, recipe=recipe, dataset=dataset)
    identity = study_id(study, [run.run_id for run in runs.values()])
    workspace.register_study(identity, study.name, study.document, runs)
    return {member: run.run_id for member, run in runs.items()}


def outcome(run: str, replicate: int) -> Outcome:
    """An ended run of three epochs, its figures made up; it diverged where `replicate` is 1."""
    accuracy = np.array([0.7, 0.8, 0.75]) + replicate / 100
    return Outcome(
        run_id=run,
        state="diverged" if replicate else "done",
        epochs_done=3,
        curves={
            "train_loss": np.array([1.0, 0.5, 0.25]),
            "val_loss": np.array([0.9, 0.6, 0.7]),
            "val_accuracy": accuracy,
            "lr": np.full(3, 1e-3),
        },
        selections=[Selected("last", 3, None, None), Selected("max-val-accuracy", 2, float(accuracy[1]), None)],
        snapshots=[],
        measurements=[Measurement("", "parameters", 6370), Measurement("", "weights", 6352)],
        artifacts=[],
        test_reads=[],
        started_at="2025-03-01T09:00:00+00:00",
    )


@pytest.fixture
def recorded(tmp_path: Path, mini: Path) -> Path:
    """A workspace in which `mini` was run: replicate 0 done, replicate 1 diverged."""
    folder = tmp_path / "recorded"
    with Workspace.open(folder, create=True, write=True) as workspace:
        runs = registered(workspace, load(mini))
        workspace.finish([outcome(run, replicate) for (_, replicate), run in runs.items()])
    return folder
