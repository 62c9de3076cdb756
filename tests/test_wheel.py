"""What is in the wheel: everything that the program reads while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from benchmarks.packaging import lowest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the source, so that nothing is left beside it."""
    folder = tmp_path_factory.mktemp("wheel")
    import shutil

    source = folder / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "-w", str(folder), str(source)], check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_has_every_file_that_is_read(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "paribus"
    read = [
        path for path in package.rglob("*") if path.suffix in (".css", ".html", ".js", ".toml", ".typ", ".py", ".md")
    ]
    missing = [str(path) for path in read if f"paribus/{path.relative_to(package).as_posix()}" not in names]
    assert not missing


def test_the_program_runs_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    code = "import paribus; print(paribus.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert where.stdout.startswith(str(tmp_path))
    command = [sys.executable, "-m", "paribus", "explain", "cohort"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "cohort: runs that train together as one batched program\n"


def test_every_dependency_declares_its_lowest_version() -> None:
    found = dict(line.split("==") for line in lowest())
    assert {"numpy", "numba", "scipy", "pydantic"} <= set(found)
    assert all(version[0].isdigit() for version in found.values())
