from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load

from paribus.errors import Exit, StorageError
from paribus.store.tensors import TensorFolder, _bytes


@pytest.fixture
def folder(tmp_path: Path) -> TensorFolder:
    path = tmp_path / "tensors"
    return TensorFolder(path, lambda: path.mkdir(exist_ok=True))


def plant(folder: TensorFolder, content: bytes) -> str:
    """A hostile file under the name that its bytes deserve."""
    name = hashlib.sha256(content).hexdigest()
    folder.folder.mkdir(exist_ok=True)
    folder.path(name).write_bytes(content)
    return name


def header(fields: object, data: bytes = b"") -> bytes:
    text = json.dumps(fields).encode()
    return struct.pack("<Q", len(text)) + text + data


kinds = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="="),
    arrays.unsigned_integer_dtypes(endianness="="),
    arrays.floating_dtypes(endianness="=", sizes=(16, 32, 64)),
)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda key: key != "__metadata__"),
        arrays.arrays(kinds, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
        max_size=3,
    )
)
def test_any_arrays_come_back_bit_for_bit(tensors) -> None:
    back = load(_bytes(tensors))
    assert back.keys() == tensors.keys()
    for key, array in tensors.items():
        assert back[key].dtype == array.dtype
        assert back[key].shape == np.shape(array)
        assert back[key].tobytes() == np.asarray(array).tobytes()


def test_a_file_is_named_by_the_hash_of_its_bytes_and_read_back(folder: TensorFolder) -> None:
    tensors = {"b": np.arange(6, dtype=np.float32).reshape(2, 3).T, "a": np.array(np.nan)}
    name = folder.put(tensors)
    assert hashlib.sha256(folder.path(name).read_bytes()).hexdigest() == name
    assert folder.names() == [name]
    back = folder.get(name)
    np.testing.assert_array_equal(back["b"], tensors["b"])
    assert back["a"].shape == ()


def test_the_same_arrays_are_stored_once_whatever_their_order_or_layout(folder: TensorFolder) -> None:
    a, b = np.arange(6.0).reshape(2, 3), np.ones(4, np.uint8)
    name = folder.put({"a": a, "b": b})
    before = folder.path(name).stat().st_mtime_ns
    assert folder.put({"b": b, "a": np.asfortranarray(a)}) == name
    assert folder.put({"b": b, "a": a.astype(">f8")}) == name
    assert folder.path(name).stat().st_mtime_ns == before
    assert len(list(folder.folder.iterdir())) == 1


def test_other_objects_are_refused_and_nothing_is_written(folder: TensorFolder) -> None:
    for array in (np.array(["x"]), np.array([object()]), np.zeros(2, complex)):
        with pytest.raises(TypeError, match="tensor 'w' must hold"):
            folder.put({"w": array})
    assert folder.names() == []


def test_a_missing_file_is_named(folder: TensorFolder) -> None:
    with pytest.raises(StorageError, match="file not found") as error:
        folder.get("0" * 64)
    assert str(folder.path("0" * 64)) in str(error.value)
    assert error.value.exit_code == Exit.FAILURE


@pytest.mark.parametrize("change", ["flip", "tear", "empty", "grow"])
def test_a_damaged_file_is_named(folder: TensorFolder, change: str) -> None:
    name = folder.put({"w": np.arange(9.0)})
    path = folder.path(name)
    content = bytearray(path.read_bytes())
    content[-3] ^= 16
    damaged = {"flip": bytes(content), "tear": bytes(content[:50]), "empty": b"", "grow": bytes(content) + b"!"}
    path.write_bytes(damaged[change])
    with pytest.raises(StorageError, match=r"safetensors: damaged \(") as error:
        folder.get(name)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_damaged_file_is_made_whole_when_its_content_is_put_again(tmp_path: Path) -> None:
    tensors = {"w": np.arange(9.0)}
    first = TensorFolder(tmp_path, lambda: None)
    name = first.put(tensors)
    first.path(name).write_bytes(b"damaged!")
    again = TensorFolder(tmp_path, lambda: None)
    assert again.put(tensors) == name
    np.testing.assert_array_equal(again.get(name)["w"], tensors["w"])


@pytest.mark.parametrize(
    "content",
    [
        b"12345678",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 3 << 20) + b" " * (3 << 20),
        header([]),
        header({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}, b"1234"),
        header({"w": {"dtype": "F32", "shape": [2**62, 8], "data_offsets": [0, 4]}}, b"1234"),
        header({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 400]}}, b"1234"),
        header({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}, b"1234"),
        header({"w": "F32"}),
    ],
)
def test_a_hostile_file_with_a_right_name_is_refused(folder: TensorFolder, content: bytes) -> None:
    name = plant(folder, content)
    with pytest.raises(StorageError, match=r"safetensors: damaged \("):
        folder.get(name)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", "٠" * 64])
def test_only_a_hash_can_be_a_name(folder: TensorFolder, name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        folder.get(name)


def test_sweeping_takes_leftovers_and_orphans_and_nothing_else(folder: TensorFolder) -> None:
    kept, orphan = folder.put({"w": np.zeros(1)}), folder.put({"w": np.ones(1)})
    leftover = folder.folder / f".{kept}.safetensors.1.tmp"
    leftover.write_bytes(b"half")
    foreign = folder.folder / "notes.txt"
    foreign.write_text("mine")
    folder.sweep({kept})
    assert folder.names() == [kept]
    assert foreign.exists()
    assert not leftover.exists()
    assert not folder.path(orphan).exists()


def test_discarding_spares_what_was_put_for_rows_still_to_come(folder: TensorFolder) -> None:
    name = folder.put({"w": np.zeros(1)})
    folder.discard([name])
    assert folder.names() == [name]
    folder.release([name])
    folder.discard([name])
    assert folder.names() == []
