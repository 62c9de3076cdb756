"""Files of the idx format: NumPy's own numbers back, whatever their type, plain or gzipped."""

import gzip
import hashlib
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx(array, code=None):
    kind = array.dtype.newbyteorder(">") if array.dtype.itemsize > 1 else array.dtype
    code = code or CODES[kind.str.lstrip("|")]
    return (
        struct.pack(">HBB", 0, code, array.ndim)
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype(kind).tobytes()
    )


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
LABELS = np.array([3, 1, 3, 2, 1, 2], np.uint8)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"),
        ("images.idx", "labels.idx"),
    ],
)
def test_images_are_read_with_the_labels_beside_them(images, labels, tmp_path, parts):
    for name, array in ((images, IMAGES), (labels, LABELS)):
        content = idx(array)
        (tmp_path / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    found = parts(tmp_path / images)
    np.testing.assert_array_equal(found.train.values, IMAGES.reshape(6, -1))
    np.testing.assert_array_equal(found.train.labels, LABELS - 1)
    assert (found.classes, found.train.shape, found.train.divisor) == (("1", "2", "3"), (5, 4), 255)
    assert found.undivided
    digests = [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in (images, labels)]
    assert found.train.fingerprint == hashlib.sha256("".join(digests).encode()).hexdigest()


@pytest.mark.parametrize("kind", CODES)
def test_values_of_every_type_are_read(kind, tmp_path, parts):
    array = np.arange(1, 25).reshape(2, 3, 4).astype(kind)
    (tmp_path / "a.idx").write_bytes(idx(array))
    pool = parts(tmp_path / "a.idx", task="reconstruction", scale="none").train
    np.testing.assert_array_equal(pool.values, array.reshape(2, -1).astype(np.float32))


def test_a_folder_of_four_files_has_given_splits(tmp_path, parts):
    for prefix, rows in (("train", slice(0, 4)), ("t10k", slice(3, 6))):
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx(IMAGES[rows]))
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(LABELS[rows]))
    found = parts(tmp_path)
    np.testing.assert_array_equal(found.test.read().values, IMAGES[3:].reshape(3, -1))
    np.testing.assert_array_equal(found.train.labels, LABELS[:4] - 1)
    assert (found.classes, found.validation, found.undivided) == (("1", "2", "3"), None, False)


GOOD = idx(IMAGES)
WRONG = {
    "nothing of it": (b"\0", "idx format", "copy"),
    "text": (b"hello, world", "idx format", "copy"),
    "no type": (b"\0\0\x07\x03" + GOOD[4:], "idx format", "copy"),
    "no axes": (b"\0\0\x08\x00", "idx format", "copy"),
    "many axes": (b"\0\0\x08\x09" + bytes(40), "idx format", "copy"),
    "half a header": (GOOD[:9], "length of each axis", "copy"),
    "cut off": (GOOD[:-1], "must have the 120 bytes of values that its header declares, got 119", "copy"),
    "too long": (GOOD + b"\0", "must end after the 120 bytes", "copy"),
    "no images": (idx(IMAGES[:0]), "not be empty", "check"),
    "a bomb by its header": (b"\0\0\x08\x03" + b"\x7f\xff\xff\xff" * 3, "at most 1073741824 values", "fewer"),
    "gzipped under another name": (gzip.compress(GOOD, mtime=0), "idx format", "name it .gz"),
    "as many labels": (idx(IMAGES[:4]), "one example for each of the 6 targets", "correct"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_refused(what, tmp_path, refused):
    content, rule, remedy = WRONG[what]
    (tmp_path / "images-idx3-ubyte").write_bytes(content)
    (tmp_path / "labels-idx1-ubyte").write_bytes(idx(LABELS))
    refused(tmp_path / "images-idx3-ubyte", rule, remedy)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (gzip.compress(GOOD, mtime=0)[:-9], "undamaged gzip file"),
        (gzip.compress(GOOD, mtime=0)[:20] + b"x" + gzip.compress(GOOD, mtime=0)[21:], "undamaged gzip file"),
        (GOOD, "undamaged gzip file"),
        (gzip.compress(GOOD + bytes(2**20), mtime=0), "must end after"),
        (gzip.compress(GOOD, mtime=0)[:-8] + bytes(8), "undamaged gzip file"),
    ],
    ids=["cut off", "damaged", "plain", "too long", "wrong checksum"],
)
def test_a_wrong_gzip_file_is_refused(content, rule, tmp_path, refused):
    (tmp_path / "images-idx3-ubyte.gz").write_bytes(content)
    refused(tmp_path / "images-idx3-ubyte.gz", rule, task="reconstruction")


def test_classification_needs_labels(tmp_path, refused):
    (tmp_path / "images-idx3-ubyte").write_bytes(GOOD)
    refused(tmp_path / "images-idx3-ubyte", "labels beside the images", "labels-idx1")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(max_size=60), zipped=st.booleans())
def test_any_bytes_are_read_or_refused(tail, zipped, read_or_refused):
    content = b"\0\0\x08\x03" + tail
    read_or_refused(
        ".idx.gz" if zipped else ".idx", gzip.compress(content, mtime=0) if zipped else content, task="reconstruction"
    )
