"""Arrays find their roles by their names, by their positions, or by what the study says."""

import itertools

import numpy as np
import pytest

SIZES = {"train": 6, "val": 4, "test": 2}


def save(path, names, **more):
    """An archive with inputs (example, 3) and targets in {0, 1} under the names of each split."""
    arrays = {}
    for number, (inputs, targets, size) in enumerate(names):
        arrays[inputs] = np.random.default_rng(number).normal(size=(size, 3))
        arrays[targets] = np.arange(size) % 2
    np.savez(path, **arrays, **more)
    return arrays


@pytest.mark.parametrize(
    "names",
    [
        ("X_{}", "y_{}"), ("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("{}_x", "{}_y"), ("x{}", "y{}"),
        ("data_{}", "target_{}"), ("{}-features", "{}-labels"), ("X.{}", "Y.{}"),
    ],
)  # fmt: skip
def test_splits_are_given_by_names(names, tmp_path, parts):
    arrays = save(tmp_path / "a.npz", [(names[0].format(s), names[1].format(s), n) for s, n in SIZES.items()])
    found = parts(tmp_path / "a.npz")
    for split, pool in (("train", found.train), ("val", found.validation), ("test", found.test.read())):
        np.testing.assert_array_equal(pool.values, arrays[names[0].format(split)].astype(np.float32))
        np.testing.assert_array_equal(pool.labels, arrays[names[1].format(split)])
    assert not found.undivided


@pytest.mark.parametrize("names", [("X", "y"), ("data", "target"), ("images", "labels"), ("features", "classes")])
def test_two_arrays_are_undivided(names, tmp_path, parts):
    arrays = save(tmp_path / "a.npz", [(*names, 8)])
    found = parts(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.train.values, arrays[names[0]].astype(np.float32))
    assert (found.undivided, found.validation, found.test) == (True, None, None)


def test_the_study_names_what_the_names_do_not_tell(tmp_path, parts):
    arrays = save(tmp_path / "a.npz", [("embeddings", "species", 8)], X=np.zeros((8, 9)), other=np.zeros(8))
    found = parts(tmp_path / "a.npz", inputs="embeddings", target="species")
    np.testing.assert_array_equal(found.train.values, arrays["embeddings"].astype(np.float32))
    assert found.classes == ("0", "1")


def test_the_study_names_splits_by_their_stem(tmp_path, parts):
    arrays = save(tmp_path / "a.npz", [(f"emb_{s}", f"species_{s}", n) for s, n in SIZES.items()])
    found = parts(tmp_path / "a.npz", inputs="emb", target="species")
    np.testing.assert_array_equal(found.validation.values, arrays["emb_val"].astype(np.float32))


def test_positions_may_be_named(tmp_path, parts):
    arrays = [np.arange(8) % 2, np.random.default_rng(0).normal(size=(8, 3)), np.arange(8.0)]
    np.savez(tmp_path / "a.npz", *arrays)
    found = parts(tmp_path / "a.npz", target=0, inputs=1)
    np.testing.assert_array_equal(found.train.labels, arrays[0])
    found = parts(tmp_path / "a.npz", target=2, inputs=1, task="regression")
    np.testing.assert_array_equal(found.train.numbers, arrays[2].reshape(-1, 1))
    np.savez(tmp_path / "b.npz", *arrays[:2])
    assert parts(tmp_path / "b.npz", target=0).train.shape == (3,)


def test_several_targets_are_numbers_of_one_regression(tmp_path, parts):
    save(tmp_path / "a.npz", [("X", "y", 8)], a=np.arange(8.0), b=np.arange(8.0).reshape(8, 1) ** 2)
    found = parts(tmp_path / "a.npz", target=["a", "b"], task="regression")
    np.testing.assert_array_equal(found.train.numbers, np.stack([np.arange(8), np.arange(8) ** 2], axis=1))
    assert found.targets == ("a", "b")


@pytest.mark.parametrize("shape", [(8,), (8, 1), (1, 8), (8, 2), (2, 8)])
def test_numbers_of_a_regression_have_any_shape(shape, tmp_path, parts):
    numbers = np.random.default_rng(1).normal(size=shape)
    np.savez(tmp_path / "a.npz", X=np.zeros((8, 3)), y=numbers)
    found = parts(tmp_path / "a.npz", task="regression")
    expected = numbers.reshape(8, -1) if shape != (2, 8) else numbers.T
    np.testing.assert_array_equal(found.train.numbers, expected.astype(np.float32))
    assert found.targets == (("y",) if expected.shape[1] == 1 else ("y[0]", "y[1]"))


def test_names_of_features_and_classes_may_be_in_the_archive(tmp_path, parts):
    names = {"feature_names": np.array(["a", "b", "c"]), "class_names": np.array(["no", "yes"])}
    save(tmp_path / "a.npz", [("X", "y", 8)], **names)
    found = parts(tmp_path / "a.npz")
    assert (found.feature_names, found.classes) == (("a", "b", "c"), ("no", "yes"))


@pytest.mark.parametrize("layout", [None, "rows", "columns"])
def test_examples_may_be_rows_or_columns(layout, tmp_path, parts):
    data = np.random.default_rng(0).normal(size=(8, 3))
    np.savez(tmp_path / "a.npz", X=data if layout == "rows" else data.T, y=np.arange(8) % 2)
    inputs = {} if layout is None else {"layout": layout}
    np.testing.assert_array_equal(parts(tmp_path / "a.npz", inputs=inputs).train.values, data.astype(np.float32))


def test_a_folder_of_arrays_is_the_same_as_an_archive(tmp_path, parts):
    (tmp_path / "folder").mkdir()
    arrays = save(tmp_path / "a.npz", [(f"X_{s}", f"y_{s}", n) for s, n in SIZES.items()])
    for name, array in arrays.items():
        np.save(tmp_path / "folder" / f"{name}.npy", array)
    one, other = parts(tmp_path / "a.npz"), parts(tmp_path / "folder")
    np.testing.assert_array_equal(one.train.values, other.train.values)
    np.testing.assert_array_equal(one.test.read().labels, other.test.read().labels)
    assert one.classes == other.classes


def test_bytes_in_a_square_number_of_columns_are_a_table_unless_the_study_says_so(tmp_path, parts, caplog):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 64), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", X=pixels, y=np.arange(8) % 2)
    table = parts(tmp_path / "a.npz").train
    assert (table.shape, table.divisor) == ((64,), 1)
    assert "data.inputs.shape = [8, 8]" in caplog.text
    images = parts(tmp_path / "a.npz", inputs={"shape": [8, 8]}).train
    assert (images.shape, images.divisor) == ((8, 8), 255)


WRONG = {
    "no inputs": ({"a": 1, "b": 2}, {"target": "b", "inputs": "c"}, "data.inputs names, got none called 'c'"),
    "no targets": ({"X": 1, "b": 2}, {}, "which array holds the targets"),
    "another target": ({"X": 1, "y": 2}, {"target": "z"}, "array that data.target names, got none called 'z'"),
    "the target as inputs": ({"X": 1, "y": 2}, {"inputs": "y", "target": "y"}, "the target among the inputs"),
    "two inputs": ({"X": 1, "data": 1, "y": 2}, {}, "which array data.inputs is"),
    "two targets": ({"X": 1, "y": 2, "labels": 2}, {}, "which array data.target is"),
    "no training": ({"X_val": 1, "X_test": 1, "y_val": 2, "y_test": 2}, {}, "arrays for training"),
    "targets of some splits": ({"X_train": 1, "X_test": 1, "y_train": 2}, {}, "for the same splits"),
    "whole and split": ({"X": 1, "X_train": 1, "y_train": 2, "y": 2}, {}, "which array data.inputs is"),
    "keys of a table": ({"X": 1, "y": 2}, {"inputs": {"drop": ["a"]}}, "data.inputs.drop does not go with arrays"),
    "a wrong shape": ({"X": 1, "y": 2}, {"inputs": {"shape": [2, 2]}}, "2 x 2 values for each example"),
    "a wrong layout": ({"X": 1, "y": 2}, {"inputs": {"layout": "columns"}}, "one example for each of the 8 targets"),
    "channels of a table": ({"X": 1, "y": 2}, {"inputs": {"layout": "channels-last"}}, "four axes to have channels"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_arrays_in_doubt_are_refused(what, tmp_path, refused):
    kinds, fields, rule = WRONG[what]
    made = {1: np.random.default_rng(0).normal(size=(8, 3)), 2: np.arange(8) % 2}
    np.savez(tmp_path / "a.npz", **{name: made[kind] for name, kind in kinds.items()})
    refused(tmp_path / "a.npz", rule, **fields)


def test_a_square_matrix_is_refused_until_the_study_says_its_layout(tmp_path, parts, refused):
    data = np.random.default_rng(0).normal(size=(4, 4))
    np.savez(tmp_path / "a.npz", X=data, y=[0, 1, 0, 1])
    refused(tmp_path / "a.npz", "on which axis the examples are, got shape 4 x 4", 'data.inputs.layout = "rows"')
    for layout, expected in (("rows", data), ("columns", data.T)):
        found = parts(tmp_path / "a.npz", inputs={"layout": layout})
        np.testing.assert_array_equal(found.train.values, expected.astype(np.float32))


@pytest.mark.parametrize(("kind", "order"), list(itertools.product(["<f2", ">f4", ">f8", ">i2", "u1", "?"], "CF")))
def test_every_type_byte_order_and_order_of_axes_is_read(kind, order, tmp_path, parts):
    data = np.asarray((np.random.default_rng(0).random((8, 3)) * 2).astype(kind), order=order)
    np.savez(tmp_path / "a.npz", X=data, y=np.arange(8).astype(kind) % 2 if kind != "?" else np.arange(8) % 2 == 1)
    found = parts(tmp_path / "a.npz")
    np.testing.assert_array_equal(found.train.values, data.astype(np.float32))
    assert found.train.values.dtype in (np.float32, np.uint8)
    assert found.classes == (("false", "true") if kind == "?" else ("0", "1"))
