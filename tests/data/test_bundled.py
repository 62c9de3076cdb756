"""scikit-learn's bundled data sets: its own arrays, whole, as classes or as numbers."""

import numpy as np
import pytest
from sklearn import datasets

from paribus.data import bundled
from paribus.data.registry import find
from paribus.errors import UserError
from paribus.spec.data import Data


def read(name, **fields):
    source = find(f"sklearn:{name}", None)
    return source.read(Data.model_validate({"source": source.name, "split": "all", **fields}))


@pytest.mark.parametrize("name", ["breast_cancer", "iris", "wine"])
def test_a_table_has_scikit_learns_numbers_labels_and_names(name):
    expected = getattr(datasets, f"load_{name}")()
    parts = read(name)
    np.testing.assert_array_equal(parts.train.values, expected.data.astype(np.float32))
    np.testing.assert_array_equal(parts.train.labels, expected.target)
    assert parts.classes == tuple(expected.target_names)
    assert parts.feature_names == tuple(expected.feature_names)
    assert parts.train.shape == (expected.data.shape[1],)
    assert parts.undivided
    assert (parts.validation, parts.test, parts.drawn_validation, parts.targets) == (None, None, 0, ())


def test_digits_are_grey_images_within_0_and_1():
    expected = datasets.load_digits()
    parts = read("digits")
    np.testing.assert_array_equal(parts.train.values.reshape(-1, 8, 8), (expected.images / 16).astype(np.float32))
    assert (parts.train.shape, parts.feature_names, parts.classes) == ((8, 8), (), tuple("0123456789"))


@pytest.mark.parametrize("name", ["diabetes", "linnerud"])
def test_regression_has_numbers_in_their_own_units(name):
    expected = getattr(datasets, f"load_{name}")()
    parts = read(name, task="regression")
    target = expected.target.reshape(len(expected.target), -1)
    np.testing.assert_array_equal(parts.train.numbers, target.astype(np.float32))
    assert parts.targets == tuple(expected.get("target_names", ["target"]))
    assert (parts.train.labels, parts.classes) == (None, ())


@pytest.mark.parametrize("name", ["diabetes", "linnerud"])
def test_numbers_are_no_classes(name):
    with pytest.raises(UserError, match="regression"):
        read(name)
    assert read(name, task="reconstruction").train.labels is None


@pytest.mark.parametrize("name", bundled.NAMES)
def test_the_fingerprint_is_of_the_content(name):
    assert find(f"sklearn:{name}", None).fingerprint() == read(name, task="regression").train.fingerprint
    others = [find(f"sklearn:{other}", None).fingerprint() for other in bundled.NAMES if other != name]
    assert find(f"sklearn:{name}", None).fingerprint() not in others


@pytest.mark.parametrize(("name", "remedy"), [("iirs", "sklearn:iris"), ("", "sklearn:"), ("california", "sklearn")])
def test_another_name_is_refused(name, remedy):
    with pytest.raises(UserError, match="comes with scikit-learn") as caught:
        find(f"sklearn:{name}", None)
    assert remedy in caught.value.remedy


def test_a_target_is_refused():
    with pytest.raises(UserError, match=r"data\.target: must not be given"):
        read("iris", target="species")


def test_features_are_chosen_by_name():
    parts = read("iris", inputs=["petal width (cm)", "petal length (cm)"])
    np.testing.assert_array_equal(parts.train.values, datasets.load_iris().data[:, [3, 2]].astype(np.float32))
    assert parts.feature_names == ("petal width (cm)", "petal length (cm)")
    assert read("iris", inputs={"drop": ["sepal width (cm)"]}).train.shape == (3,)


@pytest.mark.parametrize(
    ("name", "inputs", "words"),
    [
        ("iris", ["petal widht (cm)"], "did you mean petal width"),
        ("iris", {"categorical": ["petal width (cm)"]}, "data.inputs.categorical does not go with"),
        ("digits", ["pixel_0_0"], "data.inputs.keep does not go with images"),
        ("linnerud", {"drop": ["Chins", "Situps", "Jumps"]}, "a feature besides those left out"),
    ],
)
def test_features_that_are_not_there_are_refused(name, inputs, words):
    with pytest.raises(UserError) as caught:
        read(name, task="reconstruction", inputs=inputs)
    assert words in str(caught.value)


@pytest.mark.parametrize("source", ["faces", "fashion-mnist"])
@pytest.mark.parametrize(("key", "value"), [("target", "y"), ("inputs", "X"), ("inputs", {"resize": 8})])
def test_built_in_sources_have_their_own_targets_and_inputs(source, key, value):
    data = Data.model_validate({"source": source, "split": find(source, None).splits[0], key: value})
    with pytest.raises(UserError, match=rf"data\.{key}: must not be given"):
        find(source, None).read(data)
