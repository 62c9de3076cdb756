import numpy as np
import pytest

from paribus.data import faces, fashion_mnist
from paribus.data.loading import fingerprint
from paribus.data.registry import BUILT_IN, FORMATS, find
from paribus.data.source import Source
from paribus.errors import UserError
from paribus.spec.data import Data


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_sources_are_listed_under_their_names(name):
    source = BUILT_IN[name]
    assert isinstance(source, Source)
    assert source.name == name
    assert source.splits


@pytest.mark.parametrize("suffix", FORMATS)
def test_files_are_found_by_their_suffix_in_any_case(suffix, tmp_path):
    for name in (f"a{suffix}", f"b{suffix.upper()}"):
        (tmp_path / name).write_bytes(b"content")
        assert find(name, tmp_path).name == name


@pytest.mark.parametrize(
    ("name", "rule", "remedy"),
    [
        ("fashion-minst", "must be a built-in source", "did you mean fashion-mnist?"),
        ("face", "must be a built-in source", "did you mean faces?"),
        ("x", "must be a built-in source", "use one of fashion-mnist, faces"),
        ("iris", "must be a built-in source", "did you mean sklearn:iris?"),
        ("table.xls", "must be a folder, or a data file whose name ends in .npy", "source: fashion-mnist, faces"),
        ("folder/data", "must be a folder, or a data file", "built-in source"),
        ("~nobody/data", "must be a folder, or a data file", "built-in source"),
        ("python:never-handed-in", "data that this program has handed in", "hand the arrays in"),
    ],
)
def test_unknown_sources_are_refused_with_the_nearest_names(name, rule, remedy, tmp_path):
    with pytest.raises(UserError) as caught:
        find(name, tmp_path)
    assert caught.value.place == "data.source"
    assert rule in caught.value.rule
    assert remedy in caught.value.remedy


def test_built_in_sources_have_a_fingerprint_without_being_read(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "pool", lambda _: pytest.fail("read"))
    monkeypatch.setattr(faces, "pool", lambda: pytest.fail("read"))
    found = {fingerprint(Data.model_validate({"source": name, "split": "all"}), tmp_path) for name in BUILT_IN}
    assert len(found) == len(BUILT_IN)
    assert all(len(name) == 64 for name in found)


def test_fingerprints_are_those_of_the_pools():
    assert find("faces", None).fingerprint() == faces.pool().fingerprint
    assert find("fashion-mnist", None).fingerprint() == fashion_mnist.pool("t10k").fingerprint


def test_a_built_in_name_is_never_a_file(tmp_path):
    (tmp_path / "faces").mkdir()
    np.save(tmp_path / "faces" / "a.npy", np.zeros((2, 4, 4), np.uint8))
    assert find("faces", tmp_path) is faces.SOURCE
