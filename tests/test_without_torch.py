"""The CPU path works with what requirements.lock installs, and never imports torch where it is installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest

import paribus

ROOT = Path(__file__).parent.parent
RUNTIME = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE))
ABSENT = {
    "torch",
    *(
        module
        for module, distributions in packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", name).lower() for name in distributions} & {"paribus", *RUNTIME}
    ),
}
"""Packages that can be imported here, but not where only the runtime lock is installed."""
START = f"""
import io, json, sys
from contextlib import redirect_stdout

class Without:
    def __init__(self, finder):
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {ABSENT!r} else self._finder.find_spec(name, path, target)

torch, commands = sys.argv[1], json.loads(sys.argv[2])
if torch == "absent":
    sys.meta_path[:] = map(Without, sys.meta_path)
from paribus.cli.main import run_command
done = []
for words in commands:
    with redirect_stdout(io.StringIO()) as out:
        code = run_command(words)
    done.append((code, out.getvalue()))
print(json.dumps({{"done": done, "torch": "torch" in sys.modules}}))
"""
"""Runs commands in one process. Absent packages are not found, exactly as if they were not installed."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small classification study and its data."""
    random = np.random.default_rng(0)
    arrays: list[np.ndarray] = []
    for images in (96, 32, 32):
        arrays.append(random.integers(0, 256, (784, images), dtype=np.uint8))
        arrays.append(random.integers(0, 10, images, dtype=np.int64))
    np.savez(tmp_path / "course.npz", *arrays)
    (tmp_path / "course.toml").write_bytes((ROOT / "tests" / "cli" / "course.toml").read_bytes())
    return tmp_path


def commands(folder: Path, torch: str, *lines: str) -> tuple[list[tuple[int, str]], str]:
    """Exit code and output of each command, and the errors of all: in one process, torch "absent" or "present"."""
    start = [sys.executable, "-c", START, torch, json.dumps([line.split() for line in lines])]
    source = {"PYTHONPATH": str(Path(paribus.__file__).parent.parent)}
    ended = subprocess.run(start, cwd=folder, env={**os.environ, **source}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    assert answer["torch"] is False
    return [(code, out) for code, out in answer["done"]], ended.stderr


def test_studies_run_from_file_to_report_without_torch(folder: Path) -> None:
    """A classifier on a file, and autoencoders on the packaged faces: every kind of measurement and figure."""
    done, errors = commands(
        folder,
        "absent",
        "plan course.toml",
        "run course.toml faces --replicates 1 --set training.epochs=1",
        "table course --json",
        "table faces --json",
        "report faces",
        "verify",
    )
    assert [code for code, _ in done] == [0] * 6, errors
    _, _, course, faces, report, _ = [out for _, out in done]
    for table, runs in ((course, 2), (faces, 6)):
        epochs = [
            row["values"] for row in json.loads(table)["rows"] if (row["rule"], row["metric"]) == ("last", "epoch")
        ]
        assert epochs == [[1]] * runs
    assert (folder / report.strip()).is_file()


def test_torch_is_not_imported_where_it_is_installed(folder: Path) -> None:
    done, errors = commands(folder, "present", "plan course.toml", "run course.toml", "report course")
    assert [code for code, _ in done] == [0] * 3, errors


def test_a_missing_torch_is_one_line_that_names_the_extra(folder: Path) -> None:
    ((code, out),), errors = commands(folder, "absent", "run course.toml --device cuda")
    assert (code, out) == (2, "")
    (line,) = errors.splitlines()
    assert "paribus[torch]" in line
    assert not (folder / "paribus-workspace").exists()
