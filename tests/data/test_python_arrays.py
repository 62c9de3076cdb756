"""What a Python program hands in: the same pools as a file of the same content."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import datasets

from paribus.data.python_arrays import ArraySource, FrameSource, arrays_of
from paribus.data.registry import find, register
from paribus.errors import UserError
from paribus.spec.data import Data


def read(source, **fields):
    name = register(source)
    assert find(name, None) is source
    return source.read(Data.model_validate({"source": name, "split": source.splits[0], **fields}))


def test_arrays_are_copied_and_named(tmp_path, parts):
    data, target = datasets.load_iris(return_X_y=True)
    source = ArraySource("iris", {"X": data, "y": target})
    np.savez(tmp_path / "a.npz", X=data, y=target)
    expected = parts(tmp_path / "a.npz")
    data[:] = 0
    found = read(source)
    np.testing.assert_array_equal(found.train.values, expected.train.values)
    np.testing.assert_array_equal(found.train.labels, expected.train.labels)
    assert (source.name, found.train.name, found.undivided) == ("python:iris", "python:iris", True)
    assert read(source) is found


@pytest.mark.parametrize("kind", [list, np.asarray, torch.tensor, pd.Series])
def test_anything_that_numpy_takes_is_an_array(kind):
    found = read(ArraySource("a", {"X": torch.rand(4, 3, 6, 5), "y": kind([3, 5, 3, 5])}))
    assert (found.train.shape, found.classes) == ((3, 6, 5), ("3", "5"))


def test_a_mapped_file_is_copied(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(0, 256, (6, 5, 5), dtype=np.uint8))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r+")
    found = read(ArraySource("a", {"X": mapped, "y": [0, 1] * 3}))
    expected = mapped.reshape(6, -1).copy()
    mapped[:] = 0
    np.testing.assert_array_equal(found.train.values, expected)


def test_splits_and_text_are_those_of_archives():
    arrays = {
        "X_train": np.zeros((4, 2)),
        "y_train": ["b", "a", "b", "a"],
        "X_test": np.ones((2, 2)),
        "y_test": ["a", "b"],
    }
    found = read(ArraySource("a", arrays))
    assert (found.classes, found.test.examples, found.undivided) == (("a", "b"), 2, False)


def test_the_fingerprint_is_of_the_content():
    def fingerprint(**changes):
        return ArraySource("a", {"X": np.zeros((2, 2)), "y": np.arange(2)} | changes).fingerprint()

    assert fingerprint() == ArraySource("b", {"y": np.arange(2), "X": np.zeros((2, 2))}).fingerprint()
    different = [fingerprint(), fingerprint(X=np.ones((2, 2))), fingerprint(X=np.zeros((2, 2), np.float32)),
                 fingerprint(y=np.array([1, 0])), fingerprint(z=np.zeros(1))]  # fmt: skip
    assert len(set(different)) == 5


def test_a_data_frame_is_read_as_a_table():
    frame = pd.DataFrame({"x": [1.0, np.nan, 3], "site": ["a", None, "b"], "y": ["u", "v", "u"]}, index=[7, 8, 9])
    source = FrameSource("frame", frame)
    found = read(source, target="y", inputs={"categorical": ["site"]})
    nan = np.nan
    np.testing.assert_array_equal(found.train.values, [[1, 1, 0], [nan, nan, nan], [3, 0, 1]])
    assert (found.feature_names, found.classes) == (("x", "site=a", "site=b"), ("u", "v"))
    assert source.fingerprint() == FrameSource("other", frame.copy()).fingerprint()
    assert source.fingerprint() != FrameSource("frame", frame.assign(x=1.0)).fingerprint()


def test_a_map_style_data_set_is_read_once_in_order():
    inputs, targets = torch.rand(6, 1, 4, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    arrays = arrays_of(torch.utils.data.TensorDataset(inputs, targets), "set")
    np.testing.assert_array_equal(arrays["X"], inputs)
    np.testing.assert_array_equal(arrays["y"], targets)
    assert read(ArraySource("set", arrays)).train.shape == (4, 4)
    assert list(arrays_of([np.zeros(3), np.ones(3)], "set")) == ["X"]
    assert read(ArraySource("set", arrays_of([(1.0, "a"), (2.0, "b")], "set"))).classes == ("a", "b")


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: ArraySource("", {}), "name of 1 to 100"),
        (lambda: ArraySource("a\n", {}), "name of 1 to 100"),
        (lambda: ArraySource("a", {"X": [[1, 2], [3]]}), "array of one shape"),
        (lambda: ArraySource("a", {"X": [object()]}), "numbers, booleans or text"),
        (lambda: ArraySource("a", {"X": np.array(["2026-11-25"], "datetime64[D]")}), "numbers, booleans or text"),
        (lambda: ArraySource("a", {"X": np.zeros(2, complex)}), "numbers, booleans or text"),
        (lambda: read(ArraySource("a", {"q": np.zeros((3, 4)), "y": [0, 1]})), "one example for each"),
        (lambda: read(ArraySource("a", {"X": np.zeros((3, 2))})), "holds the targets"),
        (lambda: FrameSource("a", 3), "data frame"),
        (lambda: FrameSource("a", pd.DataFrame({"x": [1, "a"]})), "one type each"),
        (lambda: FrameSource("a", pd.DataFrame([[1, 2]], columns=["x", "x"])), "Duplicate column names"),
        (lambda: read(FrameSource("a", pd.DataFrame({"x": [1.0], "y": [[1, 2]]})), target="y"), "numbers, booleans"),
        (lambda: arrays_of([], "a"), "at least one example"),
        (lambda: arrays_of([np.zeros(2), np.zeros(3)], "a"), "shape (2,) in each example, got (3,) in example 1"),
        (lambda: arrays_of([(np.zeros(2), 1), np.zeros(2)], "a"), "got none in example 1"),
    ],
)  # fmt: skip
def test_what_is_no_data_is_refused_in_one_line(make, rule):
    with pytest.raises(UserError) as caught:
        make()
    line = str(caught.value)
    assert rule in line
    assert "\n" not in line
    assert caught.value.remedy
