"""`paribus new --data` writes a study of the user's data that plans and runs as it is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from paribus.cli.draft_text import slug, study_name
from paribus.spec.study import load

Paribus = Callable[..., Any]
QUICK = ("--set", "training.epochs=2", "--replicates", "2", "--workspace", "there")


def table() -> pd.DataFrame:
    """60 patients: an identifier, numbers, categories, free text, dates, a missing value; classes and a number."""
    rng = np.random.default_rng(0)
    age = rng.integers(20, 80, 60)
    found = pd.DataFrame(
        {
            "id": range(1000, 1060),
            "age": age,
            "site": rng.choice(["north", "south"], 60),
            "note": [f"text {row}" for row in range(60)],
            "day": pd.date_range("2024-01-01", periods=60).astype(str),
            "dose, mg": rng.normal(5, 2, 60).round(2),
            "price": (1000 * age + rng.normal(0, 500, 60)).round(1),
            "sick": np.where(age > 50, "yes", "no"),
        }
    )
    found.loc[3, "dose, mg"] = np.nan
    return found


def written(paribus: Paribus, *argv: str) -> tuple[Path, dict[str, Any]]:
    result = paribus("new", *argv)
    assert result.code == 0, result.err
    path = Path(result.out.strip())
    return path, tomllib.loads(path.read_text(encoding="utf-8"))


def assert_runs(paribus: Paribus, path: Path) -> None:
    assert paribus("plan", path).code == 0
    result = paribus("run", path, *QUICK)
    assert result.code == 0, result.err
    assert "trained 4 runs" in result.err


def with_claim(path: Path) -> str:
    """The study with its example of a claim uncommented."""
    text = path.read_text(encoding="utf-8")
    start = text.index("# [[claims]]")
    return text[:start] + re.sub("^# ", "", text[start:], flags=re.MULTILINE)


def test_a_table_with_classes(paribus: Paribus) -> None:
    table().to_csv("Patients 2024.csv", index=False)
    path, study = written(paribus, "--data", "Patients 2024.csv", "--target", "sick")
    assert path == Path("patients-2024.toml")
    assert study["data"] == {
        "source": "Patients 2024.csv",
        "task": "classification",
        "target": "sick",
        "inputs": {"drop": ["id", "note", "day"], "categorical": ["site"]},
        "missing": "median",
        "split": {"by": "stratified", "validation": 0.2, "test": 0.2},
        "scale": "standardise",
    }
    text = path.read_text(encoding="utf-8")
    assert "id, because it counts the rows" in text
    assert 'task = "classification"  # the target sick has 2 different values' in text
    for line in text.splitlines():
        assert not line or line.startswith(("[", "#")) or "  # " in line, line
    assert [arm["name"] for arm in study["arms"]] == ["linear", "network"]
    path.write_text(with_claim(path), encoding="utf-8")
    assert load(path).claims[0].metric == "test_accuracy"
    assert_runs(paribus, path)


def test_a_table_with_numbers_to_be_predicted(paribus: Paribus) -> None:
    table().drop(columns=["sick"]).to_csv("houses.csv", index=False)
    path, study = written(paribus, "--data", "houses.csv", "--target", "price")
    assert study["data"]["task"] == "regression"
    assert study["data"]["split"] == {"by": "random", "validation": 0.2, "test": 0.2}
    assert study["data"]["scale_target"] == "standardise"
    assert study["references"] == ["constant", "linear", "gradient-boosting"]
    path.write_text(with_claim(path), encoding="utf-8")
    (claim,) = load(path).claims
    assert (claim.metric, claim.by) == ("test_rmse", 900.0)
    assert_runs(paribus, path)


def test_an_archive_of_arrays(paribus: Paribus) -> None:
    rng = np.random.default_rng(0)
    np.savez("moons.npz", X=rng.normal(size=(200, 2)), y=rng.integers(0, 2, (200, 1)))
    path, study = written(paribus, "--data", "moons.npz", "--target", "y")
    assert study["data"]["split"]["by"] == "stratified"
    assert_runs(paribus, path)


def test_a_folder_of_images(paribus: Paribus) -> None:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        Path("pets", name).mkdir(parents=True)
        for number in range(20):
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(f"pets/{name}/{number}.png")
    path, study = written(paribus, "--data", "pets/")
    assert path == Path("pets.toml")
    assert study["data"]["scale"] == "unit"
    assert "40 examples of 3 x 8 x 8 pixels" in path.read_text(encoding="utf-8")
    assert_runs(paribus, path)


def test_a_study_elsewhere_finds_its_data(paribus: Paribus) -> None:
    Path("data").mkdir()
    Path("studies").mkdir()
    table().to_csv("data/t.csv", index=False)
    path, study = written(paribus, "--data", "data/t.csv", "--target", "sick", "--to", "studies/mine.toml")
    assert study["data"]["source"] == "../data/t.csv"
    assert study["name"] == "t"
    assert paribus("plan", path).code == 0


def test_data_with_splits_of_their_own(paribus: Paribus) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (16, 60), dtype=np.uint8), np.arange(60) % 3
    np.savez("course.npz", images, labels, images[:, :30], labels[:30])
    path, study = written(paribus, "--data", "course.npz")
    assert study["data"]["split"] == {"by": "given", "validation": 0.2}
    assert paribus("plan", path).code == 0


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["new"], "needs STUDY or --data"),
        (["new", "faces", "--data", "t.csv"], "not both"),
        (["new", "faces", "--target", "sick"], "--target: goes with --data"),
        (["new", "--data", "t.csv"], "--target: must name the column of t.csv"),
        (["new", "--data", "t.csv", "--target", "sik"], "did you mean sick?"),
        (
            ["new", "--data", "t.csv", "--target", "day"],
            "--target day: must be a column of classes or numbers, got 60 different texts",
        ),
        (["new", "--data", "t.csv", "--target", "note"], "got 60 different texts"),
        (["new", "--data", "none.csv", "--target", "sick"], "correct --data"),
        (["new", "--data", "t.txt", "--target", "sick"], "--data: must be a folder, or a data file"),
        (["new", "--data", "t.csv", "--target", "sick", "--to", "t.csv"], "overwrites nothing"),
        (["new", "--data", ""], "--data"),
    ],
)
def test_mistakes_cost_one_line_and_write_nothing(paribus: Paribus, argv: list[str], words: str) -> None:
    table().to_csv("t.csv", index=False)
    result = paribus(*argv)
    assert (result.code, result.out, len(result.lines)) == (2, "", 1), result
    assert words in result.err
    assert [path.name for path in Path().iterdir()] == ["t.csv"]


def test_names_of_studies() -> None:
    assert study_name("data/House Prices (2).csv") == "house-prices-2"
    assert study_name("sklearn:breast_cancer") == "breast-cancer"
    assert study_name("pets/") == "pets"
    assert slug("§§§") == "study"
    assert slug("x" * 100) == "x" * 60
