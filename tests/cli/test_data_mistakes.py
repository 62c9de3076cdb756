"""Whatever is wrong with a user's data costs one line that names file, row, column or key, and leaves no trace."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

Paribus = Callable[..., Any]

STUDY = """
format = 1
name = "own"
question = "Does it train?"
replicates = 1
[data]
source = {source!r}
split = "all"
{data}
[network]
kind = {network!r}
hidden = [4]
[optimizer]
kind = "sgd"
lr = 0.01
[training]
epochs = 1
batch_size = 2
[[arms]]
name = "one"
"""
TABLE = """\
id,site,age,weight,when,y
1,north,40,80.5,2026-01-02,ill
2,south,50,70.5,2026-01-03,well
3,north,60,61,2026-01-04,ill
"""
FEATURES = {"target": "y", "inputs": {"drop": ["id", "when"], "categorical": ["site"]}}


def refused(paribus: Paribus, source: str, words: tuple[str, ...], network: str = "mlp", **data: Any) -> None:
    """A study of `source` is refused by a line with all of `words`; nothing is written."""
    lines = [f"{key} = {toml(value)}" for key, value in data.items()]
    Path("own.toml").write_text(STUDY.format(source=source, data="\n".join(lines), network=network), encoding="utf-8")
    before = sorted(str(path) for path in Path().rglob("*"))
    result = paribus("run", "own.toml", "--workspace", "none")
    assert result.code == 2, result
    assert result.out == ""
    assert len(result.lines) == 1, result.err
    assert result.lines[0].isprintable()
    for word in words:
        assert word in result.err
    assert sorted(str(path) for path in Path().rglob("*")) == before


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(inner) for inner in value) + "]"
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def changed(old: str, new: str) -> bytes:
    assert old in TABLE
    return TABLE.replace(old, new, 1).encode()


_TEXTS: list[tuple[str, bytes, tuple[str, ...]]] = [
    ("empty", b"", ("t.csv", "at least one byte")),
    ("a header alone", b"id,site,age,weight,when,y\n", ("t.csv", "at least one row below its header")),
    ("blank lines alone", b"\n\n\n", ("t.csv", "header of names")),
    ("no header", TABLE.split("\n", 1)[1].replace("north", "1").encode(), ("t.csv", "name each column once")),
    ("numbers for a header", b"1,2,3\n4,5,6\n", ("t.csv", "header of names", "numbers: 1, 2, 3")),
    ("a column without name", changed("age", ""), ("t.csv", "no name for column 2", "index=False")),
    ("one name twice", changed("weight", "age"), ("t.csv", "name each column once", "'age' 2 times")),
    ("one name twice with spaces", changed("weight", " age "), ("t.csv", "name each column once", "'age' 2 times")),
    ("a name of control characters", changed("weight", "a\x1b[2Jb"), ("t.csv", "printable characters")),
    ("a name too long", changed("weight", "w" * 201), ("t.csv", "at most 200")),
    ("a field too few", changed("2,south,50", "2,south"), ("t.csv", "6 fields in each row", "5 fields in row 1")),
    ("a field too many", changed("3,north,60", "3,north,6,0"), ("t.csv", "6 fields in each row", "7 fields in row 2")),
    ("decimal commas", changed("70.5", '"70,5"'), ("t.csv", "column weight", "'70,5' in row 1", "decimal point")),
    ("a word among numbers", changed("50,", "many,"), ("t.csv", "column age", "'many' in row 1", "leave it empty")),
    ("a question mark", changed("50,", "?,"), ("t.csv", "column age", "'?' in row 1", "leave it empty")),
    ("infinity", changed("70.5", "inf"), ("t.csv", "column weight", "inf in row 1", "finite")),
    ("too large a number", changed("70.5", "1e39"), ("t.csv", "column weight", "1e+39 in row 1", "32 bits")),
    ("a column of nothing", TABLE.replace("40", "").replace("50", "").replace("60", "").encode(),
     ("t.csv", "column age", "a value in some row", "data.inputs.drop = ['age']")),
    ("an empty target", changed("well", ""), ("t.csv", "column y", "none in row 1", "never imputed")),
    ("NaN for a target", changed("well", "NaN"), ("t.csv", "column y", "none in row 1", "never imputed")),
    ("one class", changed("well", "ill"), ("t.csv", "column y", "at least two classes", "'ill' for every")),
    ("numbers for classes", TABLE.replace("ill", "0.5").replace("well", "1.5").encode(),
     ("t.csv", "column y", "0.5 in row 0", 'data.task to "regression"')),
    ("a class of control characters", changed("well", "\x1b[31mred"), ("t.csv", "column y", "printable")),
    ("a class too long", changed("well", "w" * 101), ("t.csv", "column y", "1 to 100")),
    ("latin-1", changed("well", "caf\xe9").replace(b"\xc3\xa9", b"\xe9"), ("t.csv", "UTF-8", "in line 3")),
    ("UTF-16", TABLE.encode("utf-16"), ("t.csv", "UTF-8")),
    ("zero bytes", TABLE.encode("utf-16-le"), ("t.csv", "UTF-8")),
    ("an open quote", changed("well", '"well'), ("t.csv", "close every quote")),
    ("an open quote in the header", changed("weight", '"weight'), ("t.csv",)),
    ("a zip archive", b"PK\x03\x04" + bytes(200), ("t.csv", "UTF-8")),
    ("a picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), ("t.csv", "UTF-8")),
    ("tabs", TABLE.replace(",", "\t").replace("north", "1").encode() + b"x\n", ("t.csv", "6 fields in each row")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "content", "words"), _TEXTS)
def test_a_wrong_text_file(paribus: Paribus, what: str, content: bytes, words: tuple[str, ...]) -> None:
    Path("t.csv").write_bytes(content)
    refused(paribus, "t.csv", words, **FEATURES)


_KEYS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("no target", {}, ("t.csv", "must have a target", "data.target = 'y'")),
    ("another target", FEATURES | {"target": "z"}, ("t.csv", "data.target", "'z'")),
    ("a target nearly right", FEATURES | {"target": "wieght"}, ("t.csv", "data.target", "did you mean weight?")),
    ("the same target twice", FEATURES | {"target": ["y", "y"]}, ("data.target", "names 'y' 2 times")),
    ("a target among the inputs", {"target": "y", "inputs": ["age", "y"]}, ("t.csv", "'y' in data.inputs.keep")),
    ("a target left out", {"target": "y", "inputs": {"drop": ["y"]}}, ("t.csv", "'y' in data.inputs.drop")),
    ("a number for a target", FEATURES | {"target": 1.5}, ("data.target", "a name, or a list of names")),
    ("a position for a target", FEATURES | {"target": 1}, ("t.csv", "data.target", "'arr_1'")),
    ("text as numbers", {"target": "y", "inputs": ["site"]},
     ("t.csv", "column site", "'north' in row 0", "data.inputs.categorical = ['site']")),
    ("dates as numbers", {"target": "y", "inputs": ["when"]}, ("t.csv", "column when")),
    ("another category", {"target": "y", "inputs": {"keep": ["age"], "categorical": ["sit"]}},
     ("t.csv", "data.inputs.categorical", "did you mean site?")),
    ("a category that is not kept", {"target": "y", "inputs": {"keep": ["age"], "categorical": ["site"]}},
     ("t.csv", "an input to be categorical", "'site'")),
    ("a column to drop that is not there", {"target": "y", "inputs": {"drop": ["idd"]}}, ("t.csv", "did you mean id?")),
    ("a column to keep that is not there", {"target": "y", "inputs": ["agee"]}, ("t.csv", "did you mean age?")),
    ("keep and drop", {"target": "y", "inputs": {"keep": ["age"], "drop": ["id"]}}, ("keep or drop, and not both",)),
    ("everything dropped", {"target": "y", "inputs": {"drop": ["id", "site", "age", "weight", "when"]}},
     ("t.csv", "a column besides the target")),
    ("an array's key", {"target": "y", "inputs": "age"}, ("t.csv", "data.inputs.key does not go with a table")),
    ("an array's layout", {"target": "y", "inputs": {"layout": "rows"}}, ("t.csv", "data.inputs.layout")),
    ("an image's size", {"target": "y", "inputs": {"resize": 32}}, ("t.csv", "data.inputs.resize")),
    ("no known key", {"target": "y", "inputs": {"dropp": ["id"]}}, ("did you mean drop?",)),
    ("no known layout", {"target": "y", "inputs": {"layout": "NHWC"}}, ("data.inputs.layout", "channels-last")),
    ("true for inputs", {"target": "y", "inputs": True}, ("data.inputs", "a name or a table")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data", "words"), _KEYS)
def test_a_wrong_use_of_a_table(paribus: Paribus, what: str, data: dict[str, Any], words: tuple[str, ...]) -> None:
    Path("t.csv").write_text(TABLE, encoding="utf-8")
    refused(paribus, "t.csv", words, **data)


def _parquet(**changes: Any) -> bytes:
    frame = pd.DataFrame({"age": [40.0, 50, 60], "y": ["ill", "well", "ill"]}).assign(**changes)
    frame.to_parquet("made.parquet")
    content = Path("made.parquet").read_bytes()
    Path("made.parquet").unlink()
    return content


_PARQUET: list[tuple[str, Callable[[], bytes], tuple[str, ...]]] = [
    ("text", TABLE.encode, ("t.parquet", "undamaged Parquet file")),
    ("cut off", lambda: _parquet()[:-20], ("t.parquet", "undamaged Parquet file")),
    ("its end alone", lambda: _parquet()[-40:], ("t.parquet", "undamaged Parquet file")),
    ("a damaged footer", lambda: _parquet()[:-8] + b"\xff\xff\xff\x7fPAR1", ("t.parquet", "Parquet file")),
    ("lists", lambda: _parquet(age=[[1, 2], [3], [4]]), ("t.parquet", "column age", "list")),
    ("dates", lambda: _parquet(age=pd.to_datetime(["2026-01-01"] * 3)), ("t.parquet", "column age", "dates")),
    ("no rows", lambda: _parquet_of(pd.DataFrame({"age": [1.0], "y": ["a"]}).iloc[:0]), ("t.parquet", "one row")),
    ("infinity", lambda: _parquet(age=[1, np.inf, 2]), ("t.parquet", "column age", "inf in row 1")),
    ("NaN for targets", lambda: _parquet(y=[1, np.nan, 2]), ("t.parquet", "column y", "none in row 1")),
]  # fmt: skip


def _parquet_of(frame: pd.DataFrame) -> bytes:
    frame.to_parquet("made.parquet")
    content = Path("made.parquet").read_bytes()
    Path("made.parquet").unlink()
    return content


@pytest.mark.parametrize(("what", "content", "words"), _PARQUET)
def test_a_wrong_parquet_file(
    paribus: Paribus, what: str, content: Callable[[], bytes], words: tuple[str, ...]
) -> None:
    Path("t.parquet").write_bytes(content())
    refused(paribus, "t.parquet", words, target="y")


def _archive(**changes: Any) -> dict[str, Any]:
    arrays = {"X": np.arange(24.0).reshape(8, 3), "y": np.arange(8) % 2}
    return {name: array for name, array in (arrays | changes).items() if array is not None}


_ARCHIVES: list[tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    ("no targets", _archive(y=None), {}, ("a.npz", "holds the targets", "data.target")),
    ("no inputs", _archive(X=None, y=np.arange(8)), {}, ("a.npz", "holds the inputs")),
    ("too few targets", _archive(y=np.arange(7) % 2), {}, ("a.npz", "X (inputs)", "7 targets, got shape 8 x 3")),
    ("NaN targets", _archive(y=np.array([0, 1, np.nan, 0, 1, 0, 1, 0])), {}, ("a.npz", "y (targets)", "none in row 2")),
    ("real targets", _archive(y=np.linspace(0, 1, 8)), {}, ("a.npz", "y (targets)", 'data.task to "regression"')),
    ("one class", _archive(y=np.zeros(8)), {}, ("a.npz", "y (targets)", "at least two classes")),
    ("two 1 in a row", _archive(y=np.ones((8, 3))), {}, ("a.npz", "y (targets)", "one-hot", "1.0, 1.0, 1.0 in row 0")),
    ("objects", _archive(y=np.array(["a", None] * 4, object)), {}, ("a.npz", "y (targets)", "Python objects")),
    ("infinity", _archive(X=np.full((8, 3), np.inf)), {}, ("a.npz", "X (inputs)", "inf in column 0, in row 0")),
    ("complex numbers", _archive(X=np.zeros((8, 3), complex)), {}, ("a.npz", "X (inputs)", "plain numbers")),
    ("a square", _archive(X=np.zeros((8, 8))), {}, ("a.npz", "X (inputs)", "on which axis", "data.inputs.layout")),
    ("five axes", _archive(X=np.zeros((8, 2, 2, 2, 2))), {}, ("a.npz", "X (inputs)", "one to four axes")),
    ("channels in doubt", _archive(X=np.zeros((8, 5, 5, 5))), {}, ("a.npz", "X (inputs)", "channels-last")),
    ("another target", _archive(), {"target": "z"}, ("a.npz", "data.target", "'z'")),
    ("another input", _archive(), {"inputs": "Z"}, ("a.npz", "data.inputs", "'Z'")),
    ("a position", _archive(), {"target": 1}, ("a.npz", "data.target", "'arr_1'")),
    ("two targets of one classification", _archive(z=np.arange(8)), {"target": ["y", "z"]}, ("a.npz", "one-hot")),
    ("text for inputs", _archive(X=np.full((8, 3), "a")), {}, ("a.npz", "X (inputs)", "plain numbers")),
    ("as many classes as examples", _archive(X=np.zeros((300, 2)), y=np.arange(300)), {},
     ("a.npz", "y (targets)", "300 different values in 300 examples")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "arrays", "data", "words"), _ARCHIVES)
def test_a_wrong_archive(
    paribus: Paribus, what: str, arrays: dict[str, Any], data: dict[str, Any], words: tuple[str, ...]
) -> None:
    np.savez("a.npz", **arrays)
    refused(paribus, "a.npz", words, **data)


IDX = struct.pack(">HBB3I", 0, 8, 3, 4, 2, 2) + bytes(16)
ZIPPED = gzip.compress(IDX, mtime=0)
_IDX: list[tuple[str, str, bytes, tuple[str, ...]]] = [
    ("cut off", "images-idx3-ubyte", IDX[:-1], ("images-idx3-ubyte", "16 bytes of values", "got 15")),
    ("too long", "images-idx3-ubyte", IDX + b"x", ("images-idx3-ubyte", "must end after")),
    ("no idx file", "images-idx3-ubyte", b"hello", ("images-idx3-ubyte", "idx format")),
    ("a corrupt gzip file", "images-idx3-ubyte.gz", ZIPPED[:-12], ("ubyte.gz", "undamaged gzip file")),
    ("no gzip file", "images-idx3-ubyte.gz", IDX, ("ubyte.gz", "undamaged gzip file")),
    ("no labels", "images-idx3-ubyte", IDX, ("images-idx3-ubyte", "labels beside the images")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "name", "content", "words"), _IDX)
def test_a_wrong_idx_file(paribus: Paribus, what: str, name: str, content: bytes, words: tuple[str, ...]) -> None:
    Path(name).write_bytes(content)
    refused(paribus, name, words)


def _image(path: str, *shape: int) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros(shape, np.uint8)).save(path)


_FOLDERS: list[tuple[str, Callable[[], object], tuple[str, ...]]] = [
    ("mixed sizes", lambda: _image("d/b/2.png", 5, 4), ("one size, got 4 x 4 in 1.png", "data.inputs.resize")),
    ("grey and colour", lambda: _image("d/b/2.png", 4, 4, 3), ("grey in 1.png and colour in 2.png", "colour")),
    ("no image", lambda: Path("d/b/2.png").write_bytes(b"<html>"), ("2.png", "image that can be read")),
    ("another file", lambda: Path("d/b/2.txt").write_bytes(b"x"), ("must be images", "'2.txt'")),
    ("an empty class", lambda: Path("d/c").mkdir(), ("images in each folder", "d/c")),
    ("images beside classes", lambda: _image("d/1.png", 4, 4), ("folders of their classes only", "'1.png'")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "change", "words"), _FOLDERS)
def test_a_wrong_folder_of_images(
    paribus: Paribus, what: str, change: Callable[[], object], words: tuple[str, ...]
) -> None:
    _image("d/a/1.png", 4, 4)
    _image("d/b/1.png", 4, 4)
    change()
    refused(paribus, "d", words)


_OTHERS: list[tuple[str, str, tuple[str, ...]]] = [
    ("an empty folder", "empty", ("images in each folder",)),
    ("a folder that is not there", "nowhere/", ("data.source", "must be a folder")),
    ("a table that is not there", "none.csv", ("none.csv", "file not found")),
    ("a sheet", "t.xlsx", ("data.source", ".csv", ".parquet")),
    ("another bundled set", "sklearn:irsi", ("data.source", "did you mean sklearn:iris?")),
    ("numbers as classes", "sklearn:diabetes", ("data sklearn:diabetes", 'data.task to "regression"')),
    ("what no program handed in", "python:handed-in-by-nobody", ("data.source", "handed in")),
    ("tables that are no splits", "tables", ("tables", "one table for each split", "'other.csv'")),
]


@pytest.mark.parametrize(("what", "source", "words"), _OTHERS)
def test_a_wrong_source(paribus: Paribus, what: str, source: str, words: tuple[str, ...]) -> None:
    Path("empty").mkdir()
    Path("tables").mkdir()
    Path("tables/other.csv").write_text(TABLE, encoding="utf-8")
    refused(paribus, source, words)
