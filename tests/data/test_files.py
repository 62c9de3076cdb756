"""The course's own files: read as they are, or refused in one line."""

import hashlib
import io
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paribus.data import files
from paribus.errors import UserError

THREE_WAY = "file/train-val-test"
TWO_WAY = "file/train-test"


# Good files


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.float16])
def test_three_way_files_are_read_column_by_column(dtype, course_arrays, tmp_path):
    path = tmp_path / "hw2_Q2_and_Q3_data.npz"
    for index in (0, 2, 4):
        course_arrays[index] = course_arrays[index] if dtype == np.uint8 else (course_arrays[index] / 255).astype(dtype)
    np.savez(path, *course_arrays)
    content = files.load(THREE_WAY, str(path))
    assert content.classes == 3
    for index, split in enumerate(("training", "validation", "test")):
        pool = content.pools[split]
        images = course_arrays[2 * index].T
        expected = images.astype(np.float32) / (np.float32(255) if dtype == np.uint8 else np.float32(1))
        np.testing.assert_array_equal(pool.inputs, expected)
        np.testing.assert_array_equal(pool.labels, course_arrays[2 * index + 1])
        assert (pool.inputs.dtype, pool.labels.dtype, pool.shape) == (np.float32, np.int64, (4, 4))
        assert pool.inputs.flags.c_contiguous
        assert pool.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_two_way_files_are_read_packed_or_not(save, course_arrays, tmp_path):
    save(tmp_path / "hw2_Q4_data.npz", *course_arrays[:4])
    content = files.load(TWO_WAY, str(tmp_path / "hw2_Q4_data.npz"))
    assert list(content.pools) == ["training", "test"]


@pytest.mark.parametrize("form", [np.uint8, np.int32, np.float64, ">i2"])
@pytest.mark.parametrize("shape", [(-1,), (1, -1), (-1, 1)])
def test_labels_may_be_a_row_or_a_column_of_any_whole_numbers(form, shape, course_arrays, tmp_path):
    course_arrays[1] = course_arrays[1].reshape(shape).astype(form)
    np.savez(tmp_path / "a.npz", *course_arrays[:4])
    labels = files.load(TWO_WAY, str(tmp_path / "a.npz")).pools["training"].labels
    np.testing.assert_array_equal(labels, np.arange(12) % 3)


def test_faces_are_flattened_row_by_row(tmp_path):
    faces = np.random.default_rng(0).integers(0, 256, (5, 6, 6), dtype=np.uint8)
    np.save(tmp_path / "hw2_Q1.npy", faces)
    content = files.load("file/faces", str(tmp_path / "hw2_Q1.npy"))
    np.testing.assert_array_equal(content.pools["training"].inputs, faces.reshape(5, 36) / np.float32(255))
    assert (content.classes, content.pools["training"].shape) == (0, (6, 6))


def test_arrays_in_fortran_order_and_big_endian_are_read_rightly(tmp_path):
    faces = np.asfortranarray(np.random.default_rng(0).random((5, 6, 6)).astype(">f4"))
    np.save(tmp_path / "hw2_Q1.npy", faces)
    inputs = files.load("file/faces", str(tmp_path / "hw2_Q1.npy")).pools["training"].inputs
    np.testing.assert_array_equal(inputs, faces.reshape(5, 36))
    assert inputs.dtype.isnative


def test_a_changed_file_is_read_anew_and_named_anew(tmp_path):
    path = tmp_path / "hw2_Q1.npy"
    np.save(path, np.zeros((2, 4, 4), np.uint8))
    first, name = files.load("file/faces", str(path)), files.fingerprint(str(path))
    assert files.load("file/faces", str(path)) is first
    np.save(path, np.full((2, 4, 4), 255, np.uint8))
    os.utime(path, ns=(1, 1))
    assert files.load("file/faces", str(path)).pools["training"].inputs.min() == 1
    assert files.fingerprint(str(path)) != name


def test_one_files_name_does_not_matter_but_its_bytes(tmp_path):
    for name in ("a.npy", "ö ü.npy"):
        np.save(tmp_path / name, np.zeros((2, 4, 4), np.uint8))
    assert files.fingerprint(str(tmp_path / "a.npy")) == files.fingerprint(str(tmp_path / "ö ü.npy"))


# Wrong files with arrays that can be read. Each edits arr_0..arr_5 (16 pixels; 12, 6 and 8 columns; three classes).


def spoiled(index, change):
    def apply(arrays):
        arrays[index] = change(arrays[index])
        return arrays

    return apply


def with_value(value, dtype=np.float64):
    def change(array):
        changed = (array / 255 if array.ndim == 2 else array).astype(dtype)
        changed.flat[3] = value
        return changed

    return change


def floats_with(value):
    """All images as floats, and one of the training images spoiled."""

    def apply(arrays):
        for index in (0, 2, 4):
            arrays[index] = arrays[index] / 255
        arrays[0].flat[3] = value
        return arrays

    return apply


ARRAYS = {
    "no array": (lambda a: [], "arr_0 to arr_5 and no other"),
    "an array missing": (lambda a: a[:5], "arr_0 to arr_5 and no other"),
    "the two-way file": (lambda a: a[:4], "arr_0 to arr_5 and no other"),
    "an array too many": (lambda a: [*a, a[0]], "arr_0 to arr_5 and no other"),
    "images NaN": (floats_with(np.nan), "finite"),
    "images infinite": (floats_with(-np.inf), "finite"),
    "images huge": (floats_with(1e300), "within [0, 1]"),
    "images just above 1": (floats_with(1.001), "within [0, 1]"),
    "images below 0": (floats_with(-1e-6), "within [0, 1]"),
    "images as floats to 255": (spoiled(0, lambda x: x.astype(np.float32)), "within [0, 1]"),
    "images int64": (spoiled(0, lambda x: x.astype(np.int64)), "uint8 or floating-point"),
    "images int8": (spoiled(2, lambda x: x.astype(np.int8)), "arr_2 (validation images)"),
    "images bool": (spoiled(0, lambda x: x > 9), "plain numbers"),
    "images complex": (spoiled(0, lambda x: x.astype(complex)), "plain numbers"),
    "images text": (spoiled(0, lambda x: x.astype(str)), "plain numbers"),
    "images long double": (spoiled(0, lambda x: x.astype(np.longdouble)), "plain numbers"),
    "images dates": (spoiled(0, lambda x: x.astype("datetime64[s]")), "plain numbers"),
    "images a structure": (spoiled(0, lambda x: x.astype([("a", "u1")])), "plain array"),
    "images objects": (spoiled(0, lambda x: x.astype(object)), "Python objects"),
    "labels objects": (spoiled(5, lambda x: x.astype(object)), "arr_5 (test labels)"),
    "images of mixed dtypes": (spoiled(2, lambda x: x / 255), "same dtype"),
    "images of mixed sizes": (spoiled(4, lambda x: x[:9]), "same number of pixels"),
    "images not square": (spoiled(0, lambda x: x[:15]), "square number of pixels"),
    "images in rows": (spoiled(0, lambda x: np.ascontiguousarray(x.T[:9])), "one label for each"),
    "images a stack": (spoiled(0, lambda x: x.reshape(4, 4, 12)), "shape (pixel, image)"),
    "images a row": (spoiled(0, np.ravel), "shape (pixel, image)"),
    "images a number": (spoiled(0, lambda x: x[0, 0]), "not be empty"),
    "images none": (spoiled(0, lambda x: x[:, :0]), "not be empty"),
    "images without pixels": (spoiled(0, lambda x: x[:0]), "not be empty"),
    "images too wide": (spoiled(0, lambda x: np.zeros((257**2, 12), np.uint8)), "at most 256 pixels wide"),
    "labels none": (spoiled(1, lambda x: x[:0]), "not be empty"),
    "labels too few": (spoiled(1, lambda x: x[:-1]), "one label for each"),
    "labels too many": (spoiled(3, lambda x: np.append(x, 1)), "one label for each"),
    "labels one-hot": (spoiled(1, lambda x: np.eye(3)[x]), "one row of labels"),
    "labels negative": (spoiled(1, lambda x: x - 1), "between 0 and 999"),
    "labels from 1": (spoiled(1, lambda x: x + 1), "every class from 0"),
    "labels with a gap": (spoiled(1, lambda x: x * 2), "none of class 1"),
    "labels huge": (spoiled(1, lambda x: x + 2**62), "between 0 and 999"),
    "labels fractional": (spoiled(1, lambda x: x + 0.5), "whole numbers"),
    "labels NaN": (spoiled(3, with_value(np.nan)), "whole numbers"),
    "labels infinite": (spoiled(3, with_value(np.inf)), "whole numbers"),
    "labels as text": (spoiled(1, lambda x: np.array([f"class {i}" for i in x])), "plain numbers"),
    "labels of a stray class": (spoiled(1, lambda x: np.where(np.arange(12) == 4, 255, x)), "none of class 3"),
    "validation labels of another class": (spoiled(3, lambda x: x + 1), "validation labels"),
    "test labels of another class": (spoiled(5, lambda x: x + 7), "test labels"),
    "images and labels exchanged": (lambda a: [a[1], a[0], *a[2:]], "shape (pixel, image)"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_break_a_rule_are_refused(name, course_arrays, tmp_path, refused):
    change, said = ARRAYS[name]
    path = tmp_path / "hw2_Q2_and_Q3_data.npz"
    np.savez_compressed(path, *change(course_arrays))
    refused(THREE_WAY, path, said)


@pytest.mark.parametrize(
    ("faces", "said"),
    [
        (np.zeros((3, 8, 6), np.uint8), "square images"),
        (np.zeros((8, 8), np.uint8), "square images"),
        (np.zeros((3, 8, 8, 1), np.uint8), "square images"),
        (np.zeros((0, 8, 8), np.uint8), "not be empty"),
        (np.zeros((1, 257, 257), np.uint8), "at most 256 pixels wide"),
        (np.full((3, 8, 8), 255.0), "within [0, 1]"),
        (np.full((3, 8, 8), np.nan), "finite"),
        (np.zeros((3, 8, 8), np.uint16), "uint8 or floating-point"),
        (np.full((3, 8, 8), None), "Python objects"),
    ],
    ids=["oblong", "one face", "with colour", "none", "too wide", "to 255", "NaN", "uint16", "objects"],
)
def test_faces_that_break_a_rule_are_refused(faces, said, tmp_path, refused):
    np.save(tmp_path / "hw2_Q1.npy", faces)
    refused("file/faces", tmp_path / "hw2_Q1.npy", said)


@pytest.mark.parametrize("file", ["gone.npy", ".", "a\0b.npy", "x" * 5000 + ".npy", "empty.npy", "pipe.npy"])
def test_paths_that_hold_no_file_are_refused(file, tmp_path):
    (tmp_path / "empty.npy").touch()
    os.mkfifo(tmp_path / "pipe.npy")
    for use in (lambda f: files.load("file/faces", f), files.fingerprint):
        with pytest.raises(UserError) as caught:
            use(str(tmp_path / file))
        assert str(caught.value).isprintable()
        assert "data.file" in caught.value.remedy


def test_a_file_beyond_the_size_limit_is_not_opened(tmp_path, refused):
    path = tmp_path / "large.npy"
    with path.open("wb") as stream:
        stream.truncate(2**31)
    refused("file/faces", path, "at most")


# Generated ones


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(array=hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
def test_any_array_is_read_right_or_refused(array, read_or_refused):
    saved = io.BytesIO()
    np.save(saved, array)
    read_or_refused("file/faces", saved.getvalue())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    images=hnp.arrays(st.sampled_from([np.uint8, np.float32, np.int16]), hnp.array_shapes(min_dims=2, max_dims=2)),
    labels=hnp.arrays(st.sampled_from([np.uint8, np.int64, np.float64]), hnp.array_shapes(max_dims=2, max_side=6)),
)
def test_any_images_and_labels_are_read_right_or_refused(images, labels, read_or_refused):
    saved = io.BytesIO()
    np.savez(saved, images, labels, images, labels)
    read_or_refused(TWO_WAY, saved.getvalue())
