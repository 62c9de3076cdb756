from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.numpy import load, save

from paribus.execution import external
from paribus.store.workspace import Workspace

Paribus = Callable[..., Any]


@pytest.fixture
def weights(paribus: Paribus, course: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of what arm `fast`, replicate 1, of the recorded study `course` chose by validation accuracy."""
    assert paribus("run", course).code == 0
    with Workspace.open(Path("paribus-workspace")) as workspace:
        study = workspace.study("course")
        run = next(r for arm, replicate, r in workspace.runs_of(study.id) if (arm, replicate) == ("fast", 1))
        chosen = next(s for s in workspace.selections(run.id) if s.rule == "max-val-accuracy")
        tensors = workspace.tensors.get(chosen.tensors)
    torch.save({name: torch.tensor(value) for name, value in tensors.items()}, "fast_0003.pt")
    # the child, which tests of its own try, takes seconds to start
    Path("weights").write_bytes(save(tensors))
    child = Path("child.py")
    child.write_text(f"import sys; sys.stdout.buffer.write(open({str(Path('weights').resolve())!r}, 'rb').read())")
    monkeypatch.setattr(external, "_CHILD", child.resolve())
    return Path("fast_0003.pt")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_network_is_compared_with_the_recorded_run(paribus: Paribus, weights: Path) -> None:
    before = contents(Path("paribus-workspace"))
    result = paribus("evaluate", weights, "--study", "course", "--arm", "fast", "--replicate", "1", "--json")
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    keys = "file sha256 study arm replicate run widths measured recorded test notes"
    assert list(found) == keys.split()
    assert found["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert found["widths"] == [784, 4, 10]
    recorded = found["recorded"]["max-val-accuracy"]
    for metric in ("parameters", "weights", "val_accuracy", "train_accuracy", "dead_units"):
        assert found["measured"][metric] == recorded[metric], metric
    assert found["measured"]["val_loss"] == pytest.approx(recorded["val_loss"], rel=1e-5)
    assert found["recorded"].keys() == {"last", "max-val-accuracy"}
    assert contents(Path("paribus-workspace")) == before


def test_the_test_set_stays_locked(paribus: Paribus, weights: Path) -> None:
    result = paribus("evaluate", weights, "--study", "course", "--arm", "fast", "--json")
    found = json.loads(result.out)
    assert found["test"] is None
    assert not any(metric.startswith("test") for metric in found["measured"])
    assert any("the test set stays locked" in note for note in found["notes"])


def test_outputs_that_overflow_are_named(paribus: Paribus, weights: Path) -> None:
    """Finite weights can give infinite outputs, and then a loss has no value. The sign makes dead units active."""
    large = {name: values * -1e36 for name, values in load(Path("weights").read_bytes()).items()}
    Path("large.safetensors").write_bytes(save(large))
    result = paribus("evaluate", "large.safetensors", "--study", "course", "--arm", "fast", "--json")
    found = json.loads(result.out)
    assert found["measured"]["val_loss"] is None
    assert any("too large for float32, so there is no" in note and "val_loss" in note for note in found["notes"])


def test_people_get_a_table(paribus: Paribus, weights: Path) -> None:
    result = paribus("evaluate", weights, "--study", "course.toml", "--arm", "fast", "--replicate", 1)
    assert result.code == 0
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0] == ["fast_0003.pt:", "784-4-10"]
    heading = next(line for line in result.out.splitlines() if line.startswith("metric"))
    assert [word in heading for word in ("the network", "recorded at last", "recorded at max-val-accuracy")] == [
        True
    ] * 3
    (accuracy,) = (line for line in lines if line[:1] == ["val_accuracy"])
    assert accuracy[1] == accuracy[3]
    assert "the test set stays locked" in result.err


def test_without_a_recorded_run_only_the_file_is_shown(paribus: Paribus, weights: Path, tmp_path: Path) -> None:
    result = paribus(
        "evaluate", weights, "--study", "course.toml", "--arm", "slow", "--workspace", tmp_path / "none", "--json"
    )
    assert result.code == 0
    found = json.loads(result.out)
    assert found["recorded"] is None
    assert any("not recorded" in note for note in found["notes"])
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("fast_0003.pt", "course", "fats"), "did you mean fast?"),
        (("fast_0003.pt", "coarse", "fast"), "must be a built-in study"),
        (("fast_0003.pt", "course", "fast", "--replicate", "2"), "from 0 to 1"),
        (("fast_0003.pt", "course", "fast", "--replicate", "-1"), "from 0 to 1"),
        (("fast_0003.pt", "course", "fast", "--replicate", "²"), "from 0 to 1"),
        (("none.pt", "course", "fast"), "none.pt: file not found"),
        ((".", "course", "fast"), "must be a file"),
        (("course.toml", "course", "fast"), "must be a state dict"),
        (("fast_0003.pt", "selection", "fixed"), "784-32-10"),
    ],
)
def test_mistakes_are_one_line(paribus: Paribus, weights: Path, argv: tuple[str, ...], says: str) -> None:
    before = contents(Path())
    named = ("--study", argv[1], "--arm", argv[2])
    result = paribus("evaluate", argv[0], *named, *(f"{a}={b}" for a, b in zip(argv[3::2], argv[4::2], strict=True)))
    assert (result.code, result.out) == (2, "")
    assert len(result.lines) == 1
    assert says in result.err
    assert contents(Path()) == before
