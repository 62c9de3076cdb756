"""The wheel in empty environments: with the versions of the lock, and with the lowest that pyproject.toml declares.

    python -m benchmarks.packaging [--lowest | --locked] [--python PYTHON]

Each environment gets the wheel and what it needs, from the package index, and nothing else. In it a study is trained,
reported and exported. The environment of the lock may take 900 MB. Other Pythons are tried with --python.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.machine import ROOT

MOST_MB = 900
STUDY = """
name = "wine"
question = "Does it run?"
replicates = 2
data = { source = "sklearn:wine", scale = "standardise", split = { by = "stratified", validation = 0.2, test = 0.2 } }
network = { hidden = [8] }
optimizer = { kind = "adam", lr = 0.01 }
training = { epochs = 5, batch_size = 32 }
references = ["linear"]
arms = [{ name = "only" }]
"""
COMMANDS = (
    ("plan", "wine.toml"),
    ("run", "wine.toml"),
    ("table", "wine"),
    ("report", "wine", "--pdf", "--figures"),
    ("export", "wine", "--format", "parquet", "--to", "tables"),
    ("export", "wine", "--format", "archive", "--to", "wine.zip"),
    ("explain", "verdict"),
    ("verify",),
)


def lowest() -> Iterator[str]:
    """A constraint for each dependency: the lowest version that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        found = re.fullmatch(r"([\w.-]+)(?:>=|==)([\w.]+).*", requirement)
        if found is None:
            raise SystemExit(f"no lowest version in {requirement!r}")
        yield f"{found[1]}=={found[2]}"


def wheel(folder: Path) -> Path:
    """The wheel, built with what this environment has."""
    _run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(folder),
            str(ROOT),
        ]
    )
    (found,) = folder.glob("*.whl")
    return found


def tried(name: str, python: str, installs: Sequence[Sequence[str]], folder: Path) -> dict[str, object]:
    """Make an environment, install into it, step by step, and run a study in it."""
    environment = folder / name
    _run([python, "-m", "venv", "--without-pip", str(environment)])
    own = environment / "bin" / "python"
    for install in installs:
        _run([sys.executable, "-m", "pip", "--python", str(own), "install", "--quiet", "--no-compile", *install])
    work = folder / f"{name}-work"
    work.mkdir()
    (work / "wine.toml").write_text(STUDY, encoding="utf-8")
    for words in COMMANDS:
        _run([str(environment / "bin" / "paribus"), *words], cwd=work)
    size = sum(path.stat().st_size for path in environment.rglob("*") if path.is_file() and not path.is_symlink())
    version = subprocess.run([str(own), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return {"environment": name, "python": version, "megabytes": round(size / 1e6)}


def _run(command: Sequence[str], cwd: Path | None = None) -> None:
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # no package from elsewhere
    done = subprocess.run(command, cwd=cwd, env=outside, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with code {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-3000:]}"
        )


def main() -> int:
    """Try both environments, or one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--lowest", action="store_true", help="only the lowest versions")
    which.add_argument("--locked", action="store_true", help="only the versions of the lock")
    parser.add_argument("--python", default=sys.executable, help="the Python of the environments")
    options = parser.parse_args()
    results: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = wheel(folder)
        if not options.lowest:
            locked = ["--no-deps", "--require-hashes", "-r", str(ROOT / "requirements.lock")]
            results.append(tried("locked", options.python, [locked, ["--no-deps", str(built)]], folder))
        if not options.locked:
            (folder / "lowest.txt").write_text("\n".join(lowest()), encoding="utf-8")
            chosen = [str(built), "-c", str(folder / "lowest.txt")]
            results.append(tried("lowest", options.python, [chosen], folder))
    print(json.dumps(results, indent=1))
    return int(any(one["environment"] == "locked" and int(str(one["megabytes"])) > MOST_MB for one in results))


if __name__ == "__main__":
    raise SystemExit(main())
