"""Terminals and locales whose encoding lacks characters that paribus prints, or that names hold."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path

import pytest

from paribus.cli.terminal import ASCII_FORMS
from paribus.spec.study import load
from paribus.store.workspace import Workspace
from tests.cli.conftest import outcome, registered
from tests.cli.installed import command, environment

ARM = "fünf ± 1 − 0 × 2…"
IN_ASCII = r"f\xfcnf +/- 1 - 0 x 2..."
IN_LATIN_1 = "fünf ± 1 - 0 × 2..."
SETTINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.fixture
def study(course: Path) -> Path:
    """The small study with an arm and a title that no ASCII terminal can show."""
    text = course.read_text(encoding="utf-8").replace('name = "slow"', f'name = "{ARM}"')
    course.write_text(text.replace("question", f'title = "{ARM}"\nquestion', 1), encoding="utf-8")
    return course


@pytest.fixture
def workspace(mini: Path, tmp_path: Path) -> Path:
    file = tmp_path / "named.toml"
    file.write_text(mini.read_text(encoding="utf-8").replace('"fixed"', f'"{ARM}"'), encoding="utf-8")
    with Workspace.open(tmp_path / "named", create=True, write=True) as opened:
        runs = registered(opened, load(file))
        opened.finish([outcome(run, replicate) for (_, replicate), run in runs.items()])
    return tmp_path / "named"


def run(setting: str, *argv: object) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(command(*argv), capture_output=True, env=environment(**SETTINGS[setting]), check=False)
    assert b"Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("argv", [("status", "mini"), ("table", "mini"), ("table", "mini", "--csv")])
def test_what_an_encoding_lacks_is_printed_in_ascii(workspace: Path, setting: str, argv: tuple[str, ...]) -> None:
    done = run(setting, *argv, "--workspace", workspace)
    assert done.returncode == 0
    text = done.stdout.decode("latin-1" if setting == "latin-1" else "ascii")
    assert (IN_LATIN_1 if setting == "latin-1" else IN_ASCII) in text


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("argv", [("status", "mini"), ("table", "mini"), ("studies",), ("verify",)])
def test_json_is_ascii_in_every_encoding(workspace: Path, setting: str, argv: tuple[str, ...]) -> None:
    done = run(setting, *argv, "--json", "--workspace", workspace)
    assert done.returncode == 0
    data = json.loads(done.stdout.decode("ascii"))
    if argv == ("table", "mini"):
        assert data["rows"][0]["arm"] == ARM
    if argv == ("status", "mini"):
        assert data[0]["arm"] == ARM


def test_a_whole_study_in_ascii(study: Path) -> None:
    for argv, code in [
        (("plan", study), 0),
        (("run", study), 0),
        (("status",), 0),
        (("report",), 0),
        (("new", "faces"), 0),
        (("plan", study, "--set", f"arms.{ARM}.optimizer.lr=-1"), 2),
        (("run", f"{ARM}.toml"), 2),
        (("--help",), 0),
    ]:
        done = run("C locale", *argv)
        assert done.returncode == code, (argv, done.stderr)
        assert done.stdout.isascii()
        assert done.stderr.isascii()
    assert IN_ASCII.encode() in run("C locale", "table", "course").stdout


def test_csv_in_latin_1_is_read_back(workspace: Path) -> None:
    done = run("latin-1", "table", "mini", "--csv", "--workspace", workspace)
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode("latin-1"))))
    assert rows[0]["arm"] == IN_LATIN_1


def test_every_replacement_is_ascii() -> None:
    assert all(len(character) == 1 and not character.isascii() for character in ASCII_FORMS)
    assert all(form.isascii() and form.isprintable() for form in ASCII_FORMS.values())
