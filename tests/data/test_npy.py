"""Damaged `.npy` and `.npz` files, through the sources that read them: each is one line, and none costs memory."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paribus.data.npy import read_npy


def npy(header, data=b"", version=b"\x01\x00", length=None):
    n = len(header) if length is None else length
    return b"\x93NUMPY" + version + n.to_bytes(2 if version[0] == 1 else 4, "little") + header + data


def head(descr="'|u1'", shape="(2, 2, 2)"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()


IMAGES = npy(head(), bytes(8))
NPY = {
    "text": (b"these are no images\n" * 9, "npy format"),
    "one byte": (b"\x93", "npy format"),
    "magic only": (b"\x93NUMPY", "npy format"),
    "a version from the future": (npy(head(), bytes(8), version=b"\x09\x00"), "npy format"),
    "a zip archive": (b"PK\x03\x04" + bytes(60), "npy format"),
    "a pickle": (b"\x80\x04\x95" + bytes(60), "npy format"),
    "header cut off": (IMAGES[:30], "plain array"),
    "header too long": (npy(head() + b" " * 2000, bytes(8)), "plain array"),
    "header declared and missing": (npy(b"", length=60_000), "plain array"),
    "header with code": (npy(b"{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }\n"), "plain array"),
    "header nested deeply": (npy(b"(" * 900), "plain array"),
    "header without a shape": (npy(b"{'descr': '|u1', 'fortran_order': False, }\n", bytes(8)), "plain array"),
    "a negative length": (npy(head(shape="(-2, 2, 2)"), bytes(8)), "plain array"),
    "a length far too large": (npy(head(shape=f"({'9' * 300}, 2, 2)"), bytes(8)), "at most 1073741824 values"),
    "a length that overflows": (npy(head(shape="(4294967296, 4294967296, 1)"), bytes(8)), "at most"),
    "a gibibyte declared": (npy(head(shape="(64, 4096, 2048)"), bytes(8)), "that its header declares"),
    "data cut off": (IMAGES[:-1], "that its header declares"),
    "data too long": (IMAGES + b"x", "that its header declares"),
    "objects in a pickle": (npy(head("'|O'"), b"\x80\x04N."), "Python objects"),
    "an unknown type": (npy(head("'<q9'"), bytes(8)), "plain numbers"),
    "a strange item size": (npy(head("'<f" + "9" * 90 + "'"), bytes(8)), "plain numbers"),
}


@pytest.mark.parametrize("name", NPY)
def test_damaged_npy_files_are_refused(name, tmp_path, refused):
    content, rule = NPY[name]
    (tmp_path / "hw2_Q1.npy").write_bytes(content)
    refused(tmp_path / "hw2_Q1.npy", rule)


def test_a_file_of_the_other_kind_is_recognised(tmp_path, refused):
    (tmp_path / "a.npy").write_bytes(archive(two_way_members()))
    refused(tmp_path / "a.npy", "got a zip archive", "name it .npz")
    (tmp_path / "a.npz").write_bytes(IMAGES)
    refused(tmp_path / "a.npz", "got a single array", "name it .npy")


@pytest.mark.parametrize("shape", ["(2L, 2L, 2L)", "(2L, 2, 2L,)"])
def test_headers_written_by_python_2_are_read(shape, tmp_path, parts):
    (tmp_path / "a.npy").write_bytes(npy(head(shape=shape), bytes(range(8))))
    np.testing.assert_array_equal(parts(tmp_path / "a.npy").train.values, np.arange(8).reshape(2, 4))


@pytest.mark.parametrize("shape", ["(2 2 2)", "(2LL, 2, 2)", "(L, 2, 2)", "(2,, 2, 2)", "2, 2, 2", "(2.0, 2, 2)"])
def test_shapes_that_numpy_does_not_write_are_refused(shape, tmp_path, refused):
    (tmp_path / "a.npy").write_bytes(npy(head(shape=shape), bytes(8)))
    refused(tmp_path / "a.npy", "plain array")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    kind=st.sampled_from(["?", "u1", ">i2", "<f4", ">f8"]),
    seed=st.integers(0),
)
def test_arrays_are_read_as_numpy_reads_them(shape, kind, seed, tmp_path):
    array = (np.random.default_rng(seed).random(shape) * 2).astype(kind)
    for order in "CF":
        np.save(tmp_path / "a.npy", np.asarray(array, order=order))
        with (tmp_path / "a.npy").open("rb") as stream:
            found = read_npy(stream, (tmp_path / "a.npy").stat().st_size)
        np.testing.assert_array_equal(found, np.load(tmp_path / "a.npy"))
        assert found.dtype == array.dtype


def test_bytes_of_a_damaged_boolean_array_are_0_and_1(tmp_path, parts):
    (tmp_path / "a.npy").write_bytes(npy(head("'|b1'"), bytes([0, 1, 7, 255, 0, 1, 1, 0])))
    np.testing.assert_array_equal(parts(tmp_path / "a.npy").train.values, [[0, 1, 1, 1], [0, 1, 1, 0]])


def archive(members, compression=zipfile.ZIP_DEFLATED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as zipped:
        for name, content in members:
            zipped.writestr(name, content)
    return packed.getvalue()


def two_way_members():
    images, labels = npy(head(shape="(4, 2)"), bytes(8)), npy(head(shape="(2,)"), b"\x00\x01")
    return [("arr_0.npy", images), ("arr_1.npy", labels), ("arr_2.npy", images), ("arr_3.npy", labels)]


def edited(index, content):
    return [(name, content if i == index else old) for i, (name, old) in enumerate(two_way_members())]


def damaged(at, old, new):
    """An archive with `old` replaced by `new` at its occurrence number `at`."""
    content = archive(two_way_members())
    place = -1
    for _ in range(at + 1):
        place = content.index(old, place + 1)
    return content[:place] + new + content[place + len(old) :]


def changed_content():
    """A stored archive, one byte of whose first array has changed: its checksum is wrong."""
    content = archive(two_way_members(), zipfile.ZIP_STORED)
    return content.replace(head(shape="(4, 2)") + b"\x00", head(shape="(4, 2)") + b"\x01", 1)


def twice():
    with pytest.warns(UserWarning, match="Duplicate name"):
        return archive([*two_way_members(), ("arr_3.npy", b"")])


MEMBER = b"PK\x01\x02\x14\x03\x14\x00\x00\x00"  # how the directory's record of a member begins, flags last
BOMB = npy(head("'<f8'", "(2048, 1048576)")) + bytes(2**26)
NPZ = {
    "text": (b"no archive\n" * 20, "npz archive"),
    "an npy file": (IMAGES, "npz archive"),
    "cut off": (archive(two_way_members())[:-30], "npz archive"),
    "cut in the end record": (archive(two_way_members())[:-5], "npz archive"),
    "its first half only": (archive(two_way_members())[:200], "npz archive"),
    "an empty archive": (archive([]), "inputs and targets, got no array"),
    "other names": (archive([(f"../../{name}", c) for name, c in two_way_members()]), "which array holds the inputs"),
    "absolute names": (archive([(f"/etc/{name}", c) for name, c in two_way_members()]), "which array holds the inputs"),
    "names with control characters": (archive([("a\x1b[2J\nb", b"")] * 1), "a\\x1b[2J\\nb"),
    "a member that is no array": (archive(edited(1, b"labels")), "arr_1 (training targets)"),
    "an empty member": (archive(edited(0, b"")), "arr_0 (training inputs)"),
    "a member with objects": (archive(edited(3, npy(head("'|O'", "(2,)"), b"\x80\x04N."))), "Python objects"),
    "a member cut off": (archive(edited(2, npy(head(shape="(4, 2)"), bytes(5)))), "arr_2 (test inputs)"),
    "a bomb by its header": (archive(edited(0, BOMB)), "at most 1073741824 values"),
    "a bomb by its size": (archive(edited(0, npy(head(shape="(4, 2)"), bytes(2**26)))), "its header declares"),
    "packed with bzip2": (archive(two_way_members(), zipfile.ZIP_BZIP2), "stored or deflated"),
    "packed with lzma": (archive(two_way_members(), zipfile.ZIP_LZMA), "stored or deflated"),
    "a directory of thousands": (archive([(f"arr_{i}.npy", b"") for i in range(2000)]), "a few arrays"),
    "encrypted": (damaged(0, MEMBER, MEMBER[:-2] + b"\x01\x00"), "encrypted"),
    "two names of one member": (damaged(0, b"arr_0.npy", b"arr_9.npy"), "npz archive"),
    "changed content": (changed_content(), "npz archive"),
    "one name twice": (twice(), "each array once"),
    "a zip64 locator": (damaged(0, b"PK\x05\x06", b"PK\x06\x07" + bytes(16) + b"PK\x05\x06"), "a few arrays"),
    "a directory at a wrong offset": (damaged(0, b"PK\x05\x06" + bytes(4) + struct.pack("<HH", 4, 4),
                                              b"PK\x05\x06" + bytes(4) + struct.pack("<HH", 9, 9) + b"\xff"), "npz"),
}  # fmt: skip


@pytest.mark.parametrize("name", NPZ)
def test_damaged_npz_files_are_refused(name, tmp_path, refused):
    content, rule = NPZ[name]
    (tmp_path / "hw2_Q4_data.npz").write_bytes(content)
    refused(tmp_path / "hw2_Q4_data.npz", rule)


def test_the_undamaged_archive_is_fine(tmp_path, parts):
    (tmp_path / "good.npz").write_bytes(archive(two_way_members()))
    assert parts(tmp_path / "good.npz").classes == ("0", "1")


def test_bombs_cost_no_memory(tmp_path, refused):
    (tmp_path / "bomb.npz").write_bytes(archive(edited(0, BOMB)))
    tracemalloc.start()
    refused(tmp_path / "bomb.npz", "at most")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_is_read_right_or_refused(data, read_or_refused):
    content = bytearray(archive(two_way_members()))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    read_or_refused(".npz", bytes(content))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_array_is_read_right_or_refused(data, read_or_refused):
    content = bytearray(IMAGES)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    read_or_refused(".npy", bytes(content))
