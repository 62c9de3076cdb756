"""Splits that a user gives: a column of split names, or files of row numbers."""

import numpy as np
import pytest

from paribus.data.given_splits import by_column, by_index
from paribus.errors import UserError
from paribus.spec.split import IndexFiles, Split

COLUMN = Split(by="given", column="part")


def test_a_column_names_the_splits_in_any_spelling():
    found = by_column(COLUMN, np.array(["train", "Test", "val", "TRAIN", " validation ", "training", "dev"]))
    np.testing.assert_array_equal(found.train, [0, 3, 5])
    np.testing.assert_array_equal(found.validation, [2, 4, 6])
    np.testing.assert_array_equal(found.test, [1])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array(["train", "trian", "test"]), "'trian' in row 1 of column part"),
        (np.array(["train", "", ""]), "nothing in row 1 of column part .*1 more"),
        (np.array(["train", None], object), "nothing in row 1"),
        (np.array([0, 1, 2]), "0 in row 0"),
        (np.array(["test", "val"]), "train in at least one row"),
    ],
)
def test_other_values_are_refused(values, words):
    with pytest.raises(UserError, match=words) as caught:
        by_column(COLUMN, values)
    assert caught.value.place == "data.split.column"


def index(tmp_path, **contents):
    for part, content in contents.items():
        (tmp_path / f"{part}.csv").write_text(content, encoding="utf-8")
    files = IndexFiles(**{part: f"{part}.csv" for part in contents})
    return by_index(files, 10, tmp_path)


def test_index_files_list_rows(tmp_path):
    found = index(tmp_path, train="row\n7\n1\n\n2\n", validation="3\r\n4\r\n", test="\ufeff9\n")
    np.testing.assert_array_equal(found.train, [1, 2, 7])
    np.testing.assert_array_equal(found.validation, [3, 4])
    np.testing.assert_array_equal(found.test, [9])


def test_without_a_training_file_the_other_rows_are_for_training(tmp_path):
    found = index(tmp_path, test="0\n9\n")
    np.testing.assert_array_equal(found.train, np.arange(1, 9))
    assert not len(found.validation)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({"train": "1\n2\n", "test": "2\n3\n"}, "data.split.index.test: must list no row that is for train, got row 2"),
        ({"train": "1\n1\n"}, "1 in lines 1 and 2"),
        ({"train": "1\n10\n"}, "from 0 to 9 .*'10' in line 2"),
        ({"train": "row\n1\n-1\n"}, "'-1' in line 3"),
        ({"train": "1\n2.0\n"}, "'2.0' in line 2"),
        ({"train": "1\n99999999999999999999\n"}, "in line 2"),
        ({"train": "row\n"}, "at least one row"),
        ({"test": "".join(f"{row}\n" for row in range(10))}, "leave at least one row for training"),
        ({"test": "1,2,3\n1,2\n"}, "'1,2' in line 2"),
    ],
)
def test_wrong_index_files_are_refused(tmp_path, contents, words):
    with pytest.raises(UserError, match=words) as caught:
        index(tmp_path, **contents)
    assert str(caught.value).isprintable()


def test_a_missing_index_file_is_named_with_its_key(tmp_path):
    with pytest.raises(UserError, match=r"none\.csv") as caught:
        by_index(IndexFiles(test="none.csv"), 10, tmp_path)
    assert "data.split.index.test" in caught.value.remedy
