"""A source lies in memory once, whether or not its images must be within [0, 1]; large arrays are checked in blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paribus.data import imputation, layouts
from paribus.data.imputation import missing_counts
from paribus.data.npy import BrokenFileError
from paribus.data.pool import Pool
from paribus.data.registry import find
from paribus.errors import UserError
from paribus.spec.data import Data


def saved(folder: Path, x: np.ndarray) -> Path:
    folder.mkdir()
    np.save(folder / "X.npy", x)
    np.save(folder / "y.npy", np.arange(len(x)) % 2)
    return folder


def read(folder: Path, scale: str) -> Pool:
    return (
        find(str(folder), Path())
        .read(Data.model_validate({"source": str(folder), "scale": scale, "split": "all"}))
        .train
    )


@pytest.mark.parametrize(
    "x",
    [
        np.arange(80, dtype=np.float32).reshape(20, 4),
        np.arange(180, dtype=np.uint8).reshape(20, 9),
        np.linspace(0, 1, 180, dtype=np.float32).reshape(20, 3, 3),
    ],
    ids=["table", "bytes", "images"],
)
def test_both_scalings_share_what_is_read(tmp_path: Path, x: np.ndarray) -> None:
    folder = saved(tmp_path / "data", x)
    assert read(folder, "unit") is read(folder, "standardise")


def test_images_that_must_be_within_0_and_1_still_must(tmp_path: Path) -> None:
    folder = saved(tmp_path / "data", np.linspace(0, 2, 180, dtype=np.float32).reshape(20, 3, 3))
    assert read(folder, "standardise").values.max() == 2
    with pytest.raises(UserError, match=r"must lie within \[0, 1\]"):
        read(folder, "unit")


def test_checks_in_blocks_name_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "_BLOCK_ROWS", 4)
    values = np.ones((10, 2), np.float32)
    values[9, 1] = np.inf
    with pytest.raises(BrokenFileError) as refused:
        layouts.table_values(values, "X")
    assert "inf in column 1, in row 9" in refused.value.given


def test_missing_values_are_counted_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imputation, "_BLOCK_ROWS", 4)
    values = np.ones((10, 2), np.float32)
    values[[0, 5, 9], 1] = np.nan
    assert missing_counts(Pool("made", values, 1.0, None, (2,), "f" * 64)).tolist() == [0, 3]
