"""Whatever a user gets wrong costs one line and exit code 2, and leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Paribus = Callable[..., Any]


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(paribus: Paribus, recorded: Path, *argv: object) -> str:
    """Run a wrong command without a workspace and with one; the one line that it says."""
    here = everything_in(Path())
    before = everything_in(recorded)
    for workspace in ("none", recorded):
        result = paribus(*argv, "--workspace", workspace)
        assert result.code == 2, result
        assert result.out == ""
        assert len(result.lines) == 1, result.err
        assert result.err.startswith("paribus: ")
        assert result.lines[0].isprintable()
        assert "Traceback" not in result.err
    assert everything_in(recorded) == before
    assert everything_in(Path()) == here
    return result.err


_COMMANDS: list[tuple[list[str], str]] = [
    ([], "COMMAND"),
    (["rnu"], "invalid choice"),
    (["run"], "STUDY"),
    (["plan"], "STUDY"),
    (["plan", "course.toml", "course.toml"], "unrecognized"),
    (["table"], "STUDY"),
    (["new"], "STUDY"),
    (["new", "facets"], "did you mean faces?"),
    (["new", "../faces"], "built-in"),
    (["new", "faces", "--to", "."], "overwrites nothing"),
    (["new", "faces", "--to", "no/such/folder.toml"], "no/such: folder not found"),
    (["new", "faces", "--to", ""], "--to: must be a path"),
    (["report", "--to", ""], "--to: must be a path"),
    (["new", "faces", "--to", "x" * 300], "File name too long"),
    (["run", "course.toml", "--frobnicate"], "--frobnicate"),
    (["run", "--json=yes", "course.toml"], "--json"),
    (["run", "selectoin"], "did you mean selection?"),
    (["run", "\x1b[31mred"], "\\x1b"),
    (["run", "none.toml"], "file not found"),
    (["run", "./"], "Is a directory"),
    (["run", "course.toml/x.toml"], "Not a directory"),
    (["run", ""], "built-in study or the path"),
    (["run", "course.npz"], "UTF-8"),
    (["run", "course.toml", "--set", "training.epochs"], "KEY=VALUE"),
    (["run", "course.toml", "--set", "=3"], "KEY=VALUE"),
    (["run", "course.toml", "--set", ".=3"], "dotted key"),
    (["run", "course.toml", "--set"], "expected one argument"),
    (["run", "course.toml", "--set", "seed=1", "--set", "seed=2"], "set once"),
    (["run", "course.toml", "--set", "replicates=1", "--replicates", "2"], "set once"),
    (["run", "course.toml", "--set", "trainign.epochs=3"], "did you mean training?"),
    (["run", "course.toml", "--set", "arms.fsat.training.epochs=3"], "did you mean fast?"),
    (["run", "course.toml", "--set", "training.epochs=many"], "whole number"),
    (["run", "course.toml", "--set", "training.epochs=" + "9" * 5000], "epochs"),
    (["run", "course.toml", "--set", "data.source=/dev/null"], "/dev/null"),
    (["run", "course.toml", "--set", "data.source=none.npz"], "none.npz"),
    (["run", "course.toml", "--set", "data.source=course.toml"], "course.toml"),
    (["run", "course.toml", "--set", 'data.source="a\\u0000b"'], "printable"),
    (["run", "course.toml", "--set", "training.batch_size=1000"], "training examples"),
    (["run", "course.toml", "--set", "network.hidden=[99999999]"], "network.hidden"),
    (["run", "course.toml", "--replicates", "0"], "--replicates"),
    (["run", "course.toml", "--replicates", "-1"], "--replicates"),
    (["run", "course.toml", "--replicates", "2.5"], "--replicates"),
    (["run", "course.toml", "--replicates", "three"], "--replicates"),
    (["run", "course.toml", "--replicates", "³"], "--replicates"),
    (["run", "course.toml", "--replicates", "1" * 5000], "--replicates"),
    (["run", "course.toml", "--replicates", "99999"], "replicates"),
    (["plan", "course.toml", "--set", "optimizer.lr=-1"], "above 0"),
    (["table", "nothing"], "paribus"),
    (["table", "none.toml"], "paribus"),
    (["table", "mini", "--json", "--csv"], "not allowed with"),
    (["status", "nothing"], "paribus"),
    (["report", "nothing"], "paribus"),
]


_CHANGES: list[tuple[list[str], str]] = [
    (["--set", "optimizer.lr=-1"],
     "course.toml, key optimizer.lr: must be above 0, got -1; change it in --set optimizer.lr"),
    (["--set", "seed=-1"], "course.toml, key seed: must be at least 0, got -1; change it in --set seed"),
    (["--replicates", "99999"],
     "course.toml, key replicates: must be at most 10000, got 99999; change it in --set replicates"),
    (["--set", "trainign.epochs=3"],
     ("course.toml, key trainign: must be a known key, got 'trainign'; did you mean training? "
     "(in --set trainign.epochs)")),
    (["--set", "arms.fast.optimizer.lr=x"],
     ("course.toml, arms[1] (fast), key optimizer.lr: must be a number, got 'x'; "
     "change it in --set arms.fast.optimizer.lr")),
    (["--set", "training.epochs=4", "--set", "training.batch_size=0", "--set", "seed=2"],
     "course.toml, key training.batch_size: must be at least 1, got 0; change it in --set training.batch_size"),
    (["--set", "training.batch_size=0", "--set", "training.epochs=0"],
     "course.toml, key training.epochs: must be at least 1, got 0; change it in --set training.epochs"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "line"), _CHANGES)
def test_a_wrong_change_is_named_by_its_option(
    paribus: Paribus, recorded: Path, course: Path, changes: list[str], line: str
) -> None:
    for command in ("run", "plan"):
        assert refused(paribus, recorded, command, course, *changes) == f"paribus: {line}\n"


def test_a_mistake_of_the_file_stays_one_of_the_file(paribus: Paribus, recorded: Path, course: Path) -> None:
    course.write_text(course.read_text(encoding="utf-8").replace("lr = 0.01", "lr = -1"), encoding="utf-8")
    line = refused(paribus, recorded, "run", course, "--set", "training.epochs=4", "--replicates", "3")
    assert line == "paribus: course.toml, key optimizer.lr: must be above 0, got -1; change it there\n"


@pytest.mark.parametrize(("argv", "words"), _COMMANDS)
def test_a_wrong_command(paribus: Paribus, recorded: Path, course: Path, argv: list[str], words: str) -> None:
    assert words in refused(paribus, recorded, *argv)


_FILES: list[tuple[str, str, str]] = [
    ("name", '"course"', "course"),
    ("name", '"course"', '"Course"'),
    ("name", '"course"', '"a/b"'),
    ("name", '"course"', '""'),
    ("name", '"course"', f'"{"x" * 61}"'),
    ("name", '"course"', '"ünïcode"'),
    ("format", "format = 1", "format = 2"),
    ("format", "format = 1", "format = '1'"),
    ("format", "format = 1", "format = 1\nformat = 1"),
    ("question", 'question = "Does it train?"', ""),
    ("replicates", "replicates = 2", "replicates = 0"),
    ("replicates", "replicates = 2", "replicates = 2.0"),
    ("replicates", "replicates = 2", "replicate = 2"),
    ("replicates", "replicates = 2", "replicates = 2024-01-01"),
    ("split", 'split = "given"', 'split = "scarce"'),
    ("split", 'split = "given"', ""),
    ("source", 'source = "course.npz"', ""),
    ("source", 'source = "course.npz"', 'source = ""'),
    ("source", 'source = "course.npz"', "source = 3"),
    ("hidden", "[4]", "4"),
    ("hidden", "[4]", "[-4]"),
    ("hidden", "[4]", "[4.0]"),
    ("hidden", "[4]", "[99999999]"),
    ("hidden", "[4]", "[[4]]"),
    ("hidden", "hidden = [4]", "layers = [784, 4, 10]"),
    ("lr", "lr = 0.01", "lr = nan"),
    ("lr", "lr = 0.01", "lr = 1e400"),
    ("lr", "lr = 0.01", "lr = 1e7"),
    ("lr", "lr = 0.01", "lr = true"),
    ("lr", "lr = 0.01", "learning_rate = 0.01"),
    ("kind", 'kind = "sgd"', 'kind = "SGD"'),
    ("kind", 'kind = "sgd"', ""),
    ("epochs", "epochs = 3", "epochs = 0"),
    ("epochs", "epochs = 3", "epochs = 10000000"),
    ("epochs", "epochs = 3", "epochs = inf"),
    ("batch_size", "batch_size = 32", "batch_size = -32"),
    ("batch_size", "batch_size = 32", ""),
    ("rules", '["last", "max-val-accuracy"]', '"last"'),
    ("rules", '["last", "max-val-accuracy"]', '["last", "max-val-acuracy"]'),
    ("rules", '["last", "max-val-accuracy"]', '["epoch:9"]'),
    ("read_at", 'read_at = ["last"]', 'read_at = ["min-val-loss"]'),
    ("read_at", 'read_at = ["last"]', "monitor_every = -1"),
    ("arms", 'name = "fast"', 'name = "slow"'),
    ("arms", 'name = "fast"', 'name = ""'),
    ("arms", 'name = "fast"', 'name = " fast"'),
    ("arms", 'name = "fast"', 'name = "fast\\u202e"'),
    ("arms", 'name = "fast"', "name = 'fast'\nnames = 'quick'"),
    ("arms", 'name = "fast"', ""),
    ("arms", "[[arms]]", "[arms]"),
    ("arms", '[[arms]]\nname = "slow"\n', "[factors]\nseed = [1, 2]\n"),
    ("syntax", "[network]", "[network"),
    ("syntax", "[network]", "[data]"),
    ("syntax", "hidden = ", "hidden : "),
]


@pytest.mark.parametrize(("what", "right", "wrong"), _FILES)
def test_a_wrong_study_file(paribus: Paribus, recorded: Path, course: Path, what: str, right: str, wrong: str) -> None:
    text = course.read_text(encoding="utf-8")
    assert right in text
    course.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    line = refused(paribus, recorded, "run", course)
    assert str(course) in line or f".{what}: " in line or f".{what}." in line


def _columns(images: int, **changes: Any) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for place, key in enumerate(("arr_0", "arr_2", "arr_4")):
        arrays[key] = np.zeros((784, images), np.uint8)
        arrays[f"arr_{2 * place + 1}"] = np.arange(images) % 10
    return {**arrays, **changes}


_ARRAYS: list[tuple[str, dict[str, Any]]] = [
    ("no arrays", {}),
    ("one array missing", {k: v for k, v in _columns(64).items() if k != "arr_5"}),
    ("no images", _columns(0)),
    ("one label too few", _columns(64, arr_1=np.zeros(63, np.int64))),
    ("label out of range", _columns(64, arr_1=np.full(64, 10**9))),
    ("label below zero", _columns(64, arr_3=np.full(64, -1))),
    ("labels with fractions", _columns(64, arr_1=np.full(64, 0.5))),
    ("pictures of one pixel", _columns(64, arr_0=np.zeros((1, 64), np.uint8))),
    ("pictures of another size", _columns(64, arr_2=np.zeros((100, 64), np.uint8))),
    ("one dimension", _columns(64, arr_0=np.zeros(784, np.uint8))),
    ("text", _columns(64, arr_0=np.full((784, 64), "a"))),
    ("not finite", _columns(64, arr_0=np.full((784, 64), np.nan))),
    ("complex numbers", _columns(64, arr_0=np.zeros((784, 64), np.complex128))),
]


@pytest.mark.parametrize(("what", "arrays"), _ARRAYS)
def test_a_wrong_data_file(
    paribus: Paribus, recorded: Path, course: Path, what: str, arrays: dict[str, np.ndarray]
) -> None:
    np.savez("course.npz", **arrays)
    assert "course.npz" in refused(paribus, recorded, "run", course)


def test_a_data_file_of_objects_is_never_loaded(paribus: Paribus, recorded: Path, course: Path) -> None:
    np.savez("course.npz", **_columns(64, arr_0=np.full((784, 64), None, dtype=object)))
    assert "course.npz" in refused(paribus, recorded, "run", course)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.99])
def test_a_data_file_that_ends_early(paribus: Paribus, recorded: Path, course: Path, kept: float) -> None:
    content = Path("course.npz").read_bytes()
    Path("course.npz").write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    assert "course.npz" in refused(paribus, recorded, "run", course)


@pytest.mark.parametrize("command", ["status", "verify", "report", "table"])
@pytest.mark.parametrize("what", ["absent", "file", "empty folder", "other folder"])
def test_a_folder_that_is_no_workspace(paribus: Paribus, tmp_path: Path, command: str, what: str) -> None:
    place = tmp_path / "place"
    if what == "file":
        place.write_text("precious")
    elif what != "absent":
        place.mkdir()
    if what == "other folder":
        (place / "thesis.txt").write_text("precious")
    before = everything_in(tmp_path)
    argv = [command, "mini"] if command == "table" else [command]
    result = paribus(*argv, "--workspace", place)
    assert (result.code, result.out) == (2, "")
    assert len(result.lines) == 1
    assert "place" in result.err
    assert everything_in(tmp_path) == before


def test_nothing_is_recorded_in_a_folder_of_other_things(paribus: Paribus, course: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "thesis.txt").write_text("precious")
    result = paribus("run", course, "--workspace", place)
    assert result.code == 2
    assert len(result.lines) == 1
    assert list(place.iterdir()) == [place / "thesis.txt"]


_PIECES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "[data]",
        "[[arms]]",
        "name = ",
        '"',
        "=",
        "\n",
        "{",
        "]",
        "format = 1",
        "1e999",
        "\x00",
        "'''",
        "#",
        "kind = 'sgd'",
    ]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.lists(_PIECES, max_size=12).map("".join))
def test_any_text_that_is_no_study(paribus: Paribus, text: str) -> None:
    Path("any.toml").write_text(text, encoding="utf-8", newline="")
    result = paribus("plan", "any.toml")
    assert result.code == 2
    assert len(result.lines) == 1
    assert result.lines[0].isprintable()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    line=st.integers(0, 30),
    piece=st.sampled_from(
        ["-1", "nan", "true", '"x"', "[]", "{}", "1e400", "0x" + "f" * 400, "2020-01-01", "[[1]]", "''"]
    ),
)
def test_a_study_with_any_one_value_wrong_never_shows_a_traceback(
    paribus: Paribus, mini: Path, line: int, piece: str
) -> None:
    lines = mini.read_text(encoding="utf-8").splitlines()
    key, equals, _ = lines[line % len(lines)].partition("=")
    lines[line % len(lines)] = f"{key}= {piece}" if equals else piece
    Path("any.toml").write_text("\n".join(lines), encoding="utf-8")
    result = paribus("table", "any.toml", "--workspace", "none")
    assert result.code == 2
    assert len(result.lines) == 1
