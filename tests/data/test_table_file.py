"""Tables: read as pandas and scikit-learn read them, whatever their types look like."""

import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from sklearn.preprocessing import OneHotEncoder

from paribus.data import table_file

PATIENTS = pd.DataFrame({
    "id": [11, 12, 13, 14, 15, 16],
    "site": ["north", "south", "east", None, "south", "north"],
    "age": [40.5, np.nan, 62, 71, 55, 38],
    "smoker": [True, False, False, True, True, False],
    "visits": [3, 1, 4, 1, 5, 9],
    "diagnosis": ["well", "ill", "ill", "well", "well", "ill"],
})  # fmt: skip
WAYS = {
    "patients.csv": lambda frame, path: frame.to_csv(path, index=False),
    "patients.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "patients.parquet": lambda frame, path: frame.to_parquet(path),
    "semicolons.csv": lambda frame, path: frame.to_csv(path, index=False, sep=";"),
    "windows.CSV": lambda frame, path: frame.to_csv(path, index=False, lineterminator="\r\n", encoding="utf-8-sig"),
    "quoted.csv": lambda frame, path: frame.to_csv(path, index=False, quoting=2),
}
INPUTS = {"drop": ["id"], "categorical": ["site"]}


@pytest.fixture(params=WAYS)
def patients(request, tmp_path):
    """The same table in each format."""
    path = tmp_path / request.param
    WAYS[request.param](PATIENTS, path)
    return path


def test_features_are_those_of_pandas_and_scikit_learn(patients, parts):
    found = parts(patients, target="diagnosis", inputs=INPUTS)
    encoded = OneHotEncoder(sparse_output=False).fit_transform(PATIENTS[["site"]].fillna("x"))[:, :3]
    encoded[3] = np.nan  # the missing site
    expected = np.column_stack([encoded, PATIENTS[["age", "smoker", "visits"]].astype(float)])
    np.testing.assert_array_equal(found.train.values, expected.astype(np.float32))
    assert found.train.values.dtype == np.float32
    assert found.feature_names == ("site=east", "site=north", "site=south", "age", "smoker", "visits")
    assert found.categorical == (slice(0, 3),)
    assert (found.train.shape, found.train.divisor, found.undivided) == ((6,), 1, True)
    assert found.train.fingerprint == hashlib.sha256(patients.read_bytes()).hexdigest()


def test_classes_are_sorted_names(patients, parts):
    found = parts(patients, target="diagnosis", inputs=INPUTS)
    assert found.classes == ("ill", "well")
    np.testing.assert_array_equal(found.train.labels, (PATIENTS["diagnosis"] == "well").astype(int))
    assert (found.targets, found.train.numbers) == ((), None)


def test_a_regression_has_numbers_with_names(patients, parts):
    found = parts(patients, target=["visits", "id"], task="regression", inputs=["age", "smoker"])
    np.testing.assert_array_equal(found.train.numbers, PATIENTS[["visits", "id"]].astype(np.float32))
    assert (found.targets, found.feature_names, found.classes) == (("visits", "id"), ("age", "smoker"), ())
    assert found.train.labels is None


def test_a_reconstruction_needs_no_target(patients, parts):
    found = parts(patients, task="reconstruction", inputs=["visits", "id"])
    np.testing.assert_array_equal(found.train.values, PATIENTS[["visits", "id"]].astype(np.float32))
    assert (found.classes, found.targets) == ((), ())


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_numbers_may_be_categories_and_classes(name, tmp_path, parts):
    frame = pd.DataFrame({"ward": [10, 9, 10, 2], "level": [0.5, 1.0, 0.5, 1.0], "y": [30, 4, 4, 30]})
    WAYS["patients.parquet" if name.endswith("parquet") else "patients.csv"](frame, tmp_path / name)
    found = parts(tmp_path / name, target="y", inputs={"categorical": ["ward", "level"]})
    assert found.feature_names == ("ward=2", "ward=9", "ward=10", "level=0.5", "level=1")
    np.testing.assert_array_equal(found.train.values[:, :3], [[0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert found.classes == ("4", "30")
    np.testing.assert_array_equal(found.train.labels, [1, 0, 0, 1])


def test_several_columns_of_one_1_are_classes_called_as_the_columns(tmp_path, parts):
    (tmp_path / "a.csv").write_text("x,cat,dog,ant\n1,0,1,0\n2,1,0,0\n3,0,0,1\n")
    found = parts(tmp_path / "a.csv", target=["cat", "dog", "ant"])
    assert found.classes == ("cat", "dog", "ant")
    np.testing.assert_array_equal(found.train.labels, [1, 0, 2])


def test_a_frames_own_categories_are_features_without_being_declared(tmp_path, parts):
    frame = PATIENTS.assign(site=PATIENTS["site"].astype("category"))
    frame.to_parquet(tmp_path / "a.parquet")
    found = parts(tmp_path / "a.parquet", target="diagnosis", inputs={"drop": ["id"]})
    assert found.feature_names[:3] == ("site=east", "site=north", "site=south")
    assert np.isnan(found.train.values[3, :3]).all()


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint16(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.decimal128(9, 2)]
)
def test_parquet_columns_of_any_number_are_read(kind, tmp_path, parts):
    values = np.array([1, 2, 7, 100])
    source = values.astype(np.float16) if kind == pa.float16() else values
    table = pa.table(
        {
            "x": pa.array(source.astype(float) if pa.types.is_decimal(kind) else source).cast(kind),
            "y": ["a", "b", "a", "b"],
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    np.testing.assert_array_equal(parts(tmp_path / "a.parquet", target="y").train.values[:, 0], values)


def test_the_frames_index_is_no_feature(tmp_path, parts):
    frame = pd.DataFrame({"x": [1, 2, 3], "y": [0, 1, 0]}, index=[5, 6, 9])
    frame.to_parquet(tmp_path / "a.parquet")
    assert parts(tmp_path / "a.parquet", target="y").feature_names == ("x",)


def test_missing_fields_are_nan_and_text_in_quotes_is_text(tmp_path, parts):
    (tmp_path / "a.csv").write_text('x,c,y\n1,"NA",0\n,NA,1\nNA,b,1\n n/a, b ,0\nnan,,0\n')
    found = parts(tmp_path / "a.csv", target="y", inputs={"categorical": ["c"]})
    np.testing.assert_array_equal(found.train.values[:, 0], [1, *[np.nan] * 4])
    assert found.feature_names == ("x", "c=NA", "c=b")
    np.testing.assert_array_equal(found.train.values[:, 1], [1, np.nan, 0, 0, np.nan])


def test_one_folder_holds_a_table_for_each_split(tmp_path, parts):
    for name, rows in (("train", slice(0, 3)), ("val", slice(3, 5)), ("test", slice(5, 6))):
        PATIENTS.iloc[rows].to_csv(tmp_path / f"{name}.csv", index=False)
    found = parts(tmp_path, target="diagnosis", inputs=INPUTS)
    whole = np.concatenate([found.train.values, found.validation.values, found.test.read().values])
    assert [len(found.train), len(found.validation), found.test.examples] == [3, 2, 1]
    assert found.feature_names[:3] == ("site=east", "site=north", "site=south")
    np.testing.assert_array_equal(whole[:, 3], PATIENTS["age"].astype(np.float32))
    assert (found.classes, found.undivided) == (("ill", "well"), False)


def test_a_table_is_read_once_for_each_use(tmp_path, parts):
    PATIENTS.to_csv(tmp_path / "a.csv", index=False)
    first = parts(tmp_path / "a.csv", target="diagnosis", inputs=INPUTS)
    assert parts(tmp_path / "a.csv", target="diagnosis", inputs=INPUTS) is first
    assert parts(tmp_path / "a.csv", target="visits", task="regression", inputs=["age"]) is not first


def test_numbers_that_float32_makes_equal_are_warned_of(tmp_path, parts, caplog):
    (tmp_path / "a.csv").write_text("id,big,y\n16777216,33554432,0\n16777217,99999999,1\n")
    parts(tmp_path / "a.csv", target="y")
    (record,) = caplog.records
    assert "column id" in record.getMessage()
    assert "data.inputs.drop = ['id']" in record.getMessage()


FIELDS = st.one_of(
    st.integers(-(10**6), 10**6).map(str), st.floats(-1e6, 1e6, width=32).map(str), st.just(""), st.just("NA")
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(FIELDS, FIELDS, st.sampled_from("ab")), min_size=2, max_size=12))
def test_any_table_of_numbers_is_read_as_pandas_reads_it(rows, tmp_path, parts):
    rows = [*rows, ("1", "2", "a"), ("3", "4", "b")]
    (tmp_path / "a.csv").write_text("p,q,y\n" + "\n".join(",".join(row) for row in rows) + "\n")
    expected = pd.read_csv(tmp_path / "a.csv", dtype=str)
    table_file._parts.cache_clear()
    found = parts(tmp_path / "a.csv", target="y")
    np.testing.assert_array_equal(found.train.values, expected[["p", "q"]].astype(float).astype(np.float32))
    np.testing.assert_array_equal(found.train.labels, (expected["y"] == "b").astype(int))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode()),
                         st.binary(max_size=60).map(lambda tail: b"x,y\n1,a\n2,b\n" + tail)))  # fmt: skip
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_any_bytes_are_read_or_refused(content, suffix, read_or_refused):
    read_or_refused(suffix, content or b"\n", target="y")
