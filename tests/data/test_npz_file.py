"""Labelled images with their splits: read as they are, or refused in one line that says what to do."""

import hashlib
import io
import logging

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.float16, bool, np.int64])
def test_six_arrays_are_read_column_by_column(dtype, course_arrays, tmp_path, parts):
    path = tmp_path / "hw2_Q2_and_Q3_data.npz"
    for index in (0, 2, 4):
        images = course_arrays[index]
        course_arrays[index] = (images / 255).astype(dtype) if np.dtype(dtype).kind == "f" else images.astype(dtype)
    np.savez(path, *course_arrays)
    found = parts(path)
    assert found.classes == ("0", "1", "2")
    for index, pool in enumerate((found.train, found.validation, found.test.read())):
        images = course_arrays[2 * index].T
        np.testing.assert_array_equal(pool.values, images.astype(np.float32))
        np.testing.assert_array_equal(pool.labels, course_arrays[2 * index + 1])
        assert (pool.labels.dtype, pool.shape) == (np.int64, (4, 4))
        assert pool.values.dtype == (np.float32 if np.dtype(dtype).kind == "f" else np.uint8)
        assert pool.divisor == (255 if np.dtype(dtype).kind in "iu" else 1)
        assert pool.values.flags.c_contiguous
        assert pool.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_four_arrays_have_no_validation(save, course_arrays, tmp_path, parts):
    save(tmp_path / "hw2_Q4_data.npz", *course_arrays[:4])
    found = parts(tmp_path / "hw2_Q4_data.npz")
    assert (len(found.train), found.validation, found.test.examples) == (12, None, 6)


@pytest.mark.parametrize("form", [np.uint8, np.int32, np.float64, ">i2"])
@pytest.mark.parametrize("shape", [(-1,), (1, -1), (-1, 1)])
def test_labels_may_be_a_row_or_a_column_of_any_whole_numbers(form, shape, course_arrays, tmp_path, parts):
    course_arrays[1] = course_arrays[1].reshape(shape).astype(form)
    np.savez(tmp_path / "a.npz", *course_arrays[:4])
    np.testing.assert_array_equal(parts(tmp_path / "a.npz").train.labels, np.arange(12) % 3)


def test_a_class_that_training_does_not_have_is_warned_of_once(course_arrays, tmp_path, parts, caplog):
    course_arrays[1] = np.arange(12) % 2
    course_arrays[3] = course_arrays[3] + 3
    np.savez(tmp_path / "a.npz", *course_arrays[:4])
    with caplog.at_level(logging.WARNING, "paribus.data"):
        found = parts(tmp_path / "a.npz")
        parts(tmp_path / "a.npz")
    assert len(found.classes) == 6
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'a.npz'}: training has no example of 4 of the 6 classes (2, 3, 4, 5)"
    ]


# Wrong files with arrays that can be read. Each changes arr_0..arr_5 (16 pixels; 12, 6 and 8 columns; three classes).


def changed(index, change):
    def apply(arrays):
        arrays[index] = change(arrays[index])
        return arrays

    return apply


def with_value(value):
    def change(array):
        array = array.astype(np.float64)
        array.flat[3] = value
        return array

    return change


def floats_with(value):
    """All images as floats, and one value of the training images changed."""

    def apply(arrays):
        for index in (0, 2, 4):
            arrays[index] = arrays[index] / 255
        arrays[0].flat[3] = value
        return arrays

    return apply


def labels_from(first):
    def apply(arrays):
        for index in (1, 3, 5):
            arrays[index] = arrays[index] + first
        return arrays

    return apply


def texts(name):
    """All labels as text."""

    def apply(arrays):
        for index in (1, 3, 5):
            arrays[index] = np.array([name(label) for label in arrays[index]])
        return arrays

    return apply


ARRAYS = {
    "no array": (lambda a: [], "got no array", "numpy.savez"),
    "images alone": (lambda a: a[:1], "got arr_0", 'data.task = "reconstruction"'),
    "no test labels": (lambda a: a[:5], "got 5 arrays", "targets of the test examples as arr_5"),
    "no test labels of two": (lambda a: a[:3], "got 3 arrays", "targets of the test examples as arr_3"),
    "an array too many": (lambda a: [*a, a[0]], "got 7 arrays", "four or six"),
    "images NaN": (floats_with(np.nan), "finite", "replace"),
    "images infinite": (floats_with(-np.inf), "finite", "replace"),
    "images huge": (floats_with(1e300), "within [0, 1]", "images.max()"),
    "images just above 1": (floats_with(1.000001), "got 0.0 to 1.000001", "clip"),
    "images below 0": (floats_with(-1e-6), "got -1e-06 to 1.0", "clip"),
    "images as floats to 255": (changed(0, lambda x: x.astype(np.float32)), "within [0, 1]", "divide by 255"),
    "images int8": (changed(2, lambda x: x.astype(np.int8)), "arr_2 (validation inputs)", "scale"),
    "images complex": (changed(0, lambda x: x.astype(complex)), "plain numbers", "astype"),
    "images text": (changed(0, lambda x: x.astype(str)), "plain numbers", ""),
    "images long double": (changed(0, lambda x: x.astype(np.longdouble)), "plain numbers", "astype"),
    "images dates": (changed(0, lambda x: x.astype("datetime64[s]")), "plain numbers", "astype"),
    "images a structure": (changed(0, lambda x: x.astype([("a", "u1")])), "plain array", "numpy.save"),
    "images objects": (changed(0, lambda x: x.astype(object)), "Python objects", "astype"),
    "labels objects": (changed(5, lambda x: x.astype(object)), "arr_5 (test targets)", "astype"),
    "images of mixed kinds": (changed(2, lambda x: x / 255), "whole numbers and floating-point", "same dtype"),
    "images partly boolean": (changed(4, lambda x: x > 9), "whole numbers and booleans", "same dtype"),
    "images of mixed sizes": (changed(4, lambda x: x[:9]), "got 4 x 4 and 9", "one size"),
    "images not square": (changed(0, lambda x: x[:15]), "got 15 and 4 x 4", "one size"),
    "images in rows": (changed(0, lambda x: x.T.copy()), "must have its examples in columns, as arr_2", "transpose"),
    "images a row": (changed(0, np.ravel), "one example for each of the 12 targets, got shape 192", "belong together"),
    "images a number": (changed(0, lambda x: x[0, 0]), "not be empty", ""),
    "images none": (changed(0, lambda x: x[:, :0]), "not be empty", ""),
    "images without pixels": (changed(0, lambda x: x[:0]), "not be empty", ""),
    "images too large": (changed(0, lambda x: np.zeros((257**2, 12), np.uint8)), "at most 65536 pixels", "smaller"),
    "labels none": (changed(1, lambda x: x[:0]), "not be empty", ""),
    "labels too few": (changed(1, lambda x: x[:-1]), "one example for each of the 11 targets", "belong together"),
    "labels too many": (changed(3, lambda x: np.append(x, 1)), "for each of the 7 targets", "belong together"),
    "labels a table": (changed(1, lambda x: np.stack([x, x])), "one 1 among zeros", "one class"),
    "labels of other classes": (changed(1, lambda x: x + 2**62), "classes that training has, got '0'", "same classes"),
    "labels fractional": (changed(1, lambda x: x + 0.5), "whole numbers or booleans, got 0.5 in row 0", "regression"),
    "labels NaN": (changed(3, with_value(np.nan)), "there for every example, got none in row 3", "fill it in"),
    "labels infinite": (changed(3, with_value(np.inf)), "whole numbers or booleans, got inf in row 3", "regression"),
    "labels text here, numbers there": (changed(1, lambda x: x.astype(str)), "text and numbers", "text"),
    "labels long text": (texts(lambda i: "x" * 101), "class names of 1 to 100", "correct"),
    "labels without text": (texts(lambda i: " "), "class names of 1 to 100", "correct"),
    "labels controlling a terminal": (texts(lambda i: f"\x1b[2J{i}"), "printable", "correct"),
    "labels halves of characters": (texts(lambda i: f"\ud800{i}"), "printable", "correct"),
    "images and labels exchanged": (lambda a: [a[1], a[0], *a[2:]], "the features of each example", "exchange"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_break_a_rule_are_refused_with_a_remedy_that_fits(name, course_arrays, tmp_path, refused):
    change, rule, remedy = ARRAYS[name]
    path = tmp_path / "hw2_Q2_and_Q3_data.npz"
    np.savez_compressed(path, *change(course_arrays))
    refused(path, rule, remedy)


def one_hot(arrays):
    return [array if index % 2 == 0 else np.eye(3)[array] for index, array in enumerate(arrays)]


LABELS = {
    "from 1": (labels_from(1), ("1", "2", "3")),
    "from 5": (labels_from(5), ("5", "6", "7")),
    "below 0": (labels_from(-1), ("-1", "0", "1")),
    "large": (labels_from(2**40), tuple(str(2**40 + i) for i in range(3))),
    "text": (texts(lambda label: ("cat", "bird", "ant")[label]), ("ant", "bird", "cat")),
    "numbers as text": (texts(lambda label: str(label + 9)), ("9", "10", "11")),
    "one-hot": (one_hot, ("0", "1", "2")),
    "one-hot in columns": (lambda a: [x if i % 2 == 0 else x.T for i, x in enumerate(one_hot(a))], ("0", "1", "2")),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_other_forms_become_classes_from_0(name, course_arrays, tmp_path, parts):
    change, classes = LABELS[name]
    np.savez(tmp_path / "a.npz", *change(list(course_arrays)))
    found = parts(tmp_path / "a.npz")
    assert found.classes == classes
    order = [2, 1, 0] if name == "text" else [0, 1, 2]
    for index, pool in enumerate((found.train, found.validation, found.test.read())):
        np.testing.assert_array_equal(pool.labels, np.array(order)[course_arrays[2 * index + 1]])
        np.testing.assert_array_equal(pool.values, course_arrays[2 * index].T)
        assert (pool.shape, pool.divisor) == ((4, 4), 255)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    images=hnp.arrays(st.sampled_from([np.uint8, np.float32, np.int16, np.bool_]),
                      hnp.array_shapes(min_dims=2, max_dims=2)),
    labels=hnp.arrays(st.sampled_from([np.uint8, np.int64, np.float64]), hnp.array_shapes(max_dims=2, max_side=6)),
)  # fmt: skip
def test_any_images_and_labels_are_read_right_or_refused(images, labels, read_or_refused):
    saved = io.BytesIO()
    np.savez(saved, images, labels, images, labels)
    read_or_refused(".npz", saved.getvalue())
