"""`.npy` and `.npz` files in disorder, through the reader that users meet: each is one line, and none costs memory."""

import io
import struct
import tracemalloc
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paribus.data import files

TWO_WAY = "file/train-test"


def npy(header, data=b"", version=b"\x01\x00", length=None):
    n = len(header) if length is None else length
    return b"\x93NUMPY" + version + n.to_bytes(2 if version[0] == 1 else 4, "little") + header + data


def head(descr="'|u1'", shape="(2, 2, 2)"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()


FACES = npy(head(), bytes(8))
NPY = {
    "text": (b"these are no faces\n" * 9, "npy format"),
    "one byte": (b"\x93", "npy format"),
    "magic only": (b"\x93NUMPY", "npy format"),
    "a version from the future": (npy(head(), bytes(8), version=b"\x09\x00"), "npy format"),
    "a zip archive": (b"PK\x03\x04" + bytes(60), "npy format"),
    "a pickle": (b"\x80\x04\x95" + bytes(60), "npy format"),
    "header cut off": (FACES[:30], "plain array"),
    "header too long": (npy(head() + b" " * 2000, bytes(8)), "plain array"),
    "header promised and absent": (npy(b"", length=60_000), "plain array"),
    "header with code": (npy(b"{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }\n"), "plain array"),
    "header nested deeply": (npy(b"(" * 900), "plain array"),
    "header without a shape": (npy(b"{'descr': '|u1', 'fortran_order': False, }\n", bytes(8)), "plain array"),
    "a negative length": (npy(head(shape="(-2, 2, 2)"), bytes(8)), "plain array"),
    "a length beyond measure": (npy(head(shape=f"({'9' * 300}, 2, 2)"), bytes(8)), "at most 536870912 values"),
    "a length that overflows": (npy(head(shape="(4294967296, 4294967296, 1)"), bytes(8)), "at most"),
    "a promise of a gibibyte": (npy(head(shape="(64, 4096, 2048)"), bytes(8)), "that its header declares"),
    "data cut off": (FACES[:-1], "that its header declares"),
    "data too long": (FACES + b"x", "that its header declares"),
    "objects in a pickle": (npy(head("'|O'"), b"\x80\x04N."), "Python objects"),
    "an unknown type": (npy(head("'<q9'"), bytes(8)), "plain numbers"),
    "a strange item size": (npy(head("'<f" + "9" * 90 + "'"), bytes(8)), "plain numbers"),
}


@pytest.mark.parametrize("name", NPY)
def test_npy_files_in_disorder_are_refused(name, tmp_path, refused):
    content, said = NPY[name]
    (tmp_path / "hw2_Q1.npy").write_bytes(content)
    refused("file/faces", tmp_path / "hw2_Q1.npy", said)


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
    """A good archive with `old` replaced by `new` at its occurrence number `at`."""
    content = archive(two_way_members())
    place = -1
    for _ in range(at + 1):
        place = content.index(old, place + 1)
    return content[:place] + new + content[place + len(old) :]


MEMBER = b"PK\x01\x02\x14\x03\x14\x00\x00\x00"  # how the directory's record of a member begins, flags last
BOMB = npy(head("'<f8'", "(1024, 1048576)")) + bytes(2**26)
NPZ = {
    "text": (b"no archive\n" * 20, "npz archive"),
    "an npy file": (FACES, "npz archive"),
    "cut off": (archive(two_way_members())[:-30], "npz archive"),
    "cut in the end record": (archive(two_way_members())[:-5], "npz archive"),
    "its first half only": (archive(two_way_members())[:200], "npz archive"),
    "an empty archive": (archive([]), "arr_0 to arr_3"),
    "other names": (archive([(f"../../{name}", c) for name, c in two_way_members()]), "arr_0 to arr_3"),
    "absolute names": (archive([(f"/etc/{name}", c) for name, c in two_way_members()]), "arr_0 to arr_3"),
    "names with control characters": (archive([("a\x1b[2J\nb", b"")] * 1), "arr_0 to arr_3"),
    "a member that is no array": (archive(edited(1, b"labels")), "arr_1 (training labels)"),
    "an empty member": (archive(edited(0, b"")), "arr_0 (training images)"),
    "a member with objects": (archive(edited(3, npy(head("'|O'", "(2,)"), b"\x80\x04N."))), "Python objects"),
    "a member cut off": (archive(edited(2, npy(head(shape="(4, 2)"), bytes(5)))), "arr_2 (test images)"),
    "a bomb by its header": (archive(edited(0, BOMB)), "at most 536870912 values"),
    "a bomb by its bulk": (archive(edited(0, npy(head(shape="(4, 2)"), bytes(2**26)))), "its header declares"),
    "packed with bzip2": (archive(two_way_members(), zipfile.ZIP_BZIP2), "stored or deflated"),
    "packed with lzma": (archive(two_way_members(), zipfile.ZIP_LZMA), "stored or deflated"),
    "a directory of thousands": (archive([(f"arr_{i}.npy", b"") for i in range(2000)]), "a few arrays"),
    "encrypted": (damaged(0, MEMBER, MEMBER[:-2] + b"\x01\x00"), "encrypted"),
    "spoiled content": (damaged(0, b"arr_0.npy", b"arr_9.npy"), "npz archive"),
    "a zip64 locator": (damaged(0, b"PK\x05\x06", b"PK\x06\x07" + bytes(16) + b"PK\x05\x06"), "a few arrays"),
    "a directory that lies far off": (damaged(0, b"PK\x05\x06" + bytes(4) + struct.pack("<HH", 4, 4),
                                              b"PK\x05\x06" + bytes(4) + struct.pack("<HH", 9, 9) + b"\xff"), "npz"),
}  # fmt: skip


@pytest.mark.parametrize("name", NPZ)
def test_npz_files_in_disorder_are_refused(name, tmp_path, refused):
    content, said = NPZ[name]
    (tmp_path / "hw2_Q4_data.npz").write_bytes(content)
    refused(TWO_WAY, tmp_path / "hw2_Q4_data.npz", said)


def test_the_undamaged_archive_is_fine(tmp_path):
    (tmp_path / "good.npz").write_bytes(archive(two_way_members()))
    assert files.load(TWO_WAY, str(tmp_path / "good.npz")).classes == 2


def test_bombs_cost_no_memory(tmp_path, refused):
    (tmp_path / "bomb.npz").write_bytes(archive(edited(0, BOMB)))
    tracemalloc.start()
    refused(TWO_WAY, tmp_path / "bomb.npz", "at most")
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
    read_or_refused(TWO_WAY, bytes(content))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_array_is_read_right_or_refused(data, read_or_refused):
    content = bytearray(FACES)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    read_or_refused("file/faces", bytes(content))
