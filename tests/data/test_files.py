"""Where data files are looked for, and how they are named by their content."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from paribus.data import files
from paribus.data.loading import fingerprint
from paribus.data.registry import find
from paribus.errors import UserError
from paribus.spec.data import Data

GREY = np.zeros((2, 4, 4), np.uint8)


def faces(source):
    return Data.model_validate({"source": source, "split": "all"})


def test_a_relative_path_begins_at_the_folder_given(tmp_path, monkeypatch):
    (tmp_path / "beside/data").mkdir(parents=True)
    np.save(tmp_path / "beside/data/a.npy", GREY)
    monkeypatch.chdir(tmp_path)
    assert files.found("data/a.npy", Path("beside")).path == tmp_path / "beside/data/a.npy"
    assert files.found("../beside/data/a.npy", tmp_path / "beside").n_bytes == 160
    assert files.found(str(tmp_path / "beside/data/a.npy"), Path("/")).n_bytes == 160


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "a.npy", GREY)
    assert files.found("~/a.npy", Path("/")).path == tmp_path / "a.npy"


def test_the_error_names_the_folder_that_was_looked_in(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", GREY)
    (tmp_path / "beside").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        files.found("a.npy", Path("beside"))
    line = str(caught.value)
    assert line.startswith("a.npy: file not found; ")
    assert str(tmp_path / "beside") in line


@pytest.mark.parametrize("file", ["gone.npy", "folder.npy", "a\0b.npy", "x" * 5000 + ".npy", "empty.npy", "pipe.npy",
                                  "~nobody-of-this-name/a.npy"])  # fmt: skip
def test_paths_without_a_file_are_refused(file, tmp_path):
    (tmp_path / "empty.npy").touch()
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(UserError) as caught:
        files.found(file, tmp_path)
    assert str(caught.value).isprintable()
    assert "data.source" in caught.value.remedy


def test_a_file_beyond_the_size_limit_is_not_opened(tmp_path, refused):
    with (tmp_path / "large.npy").open("wb") as stream:
        stream.truncate(2**32)
    refused(tmp_path / "large.npy", "at most 4 GiB")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path, refused):
    np.save(tmp_path / "a.npy", GREY)
    (tmp_path / "a.npy").chmod(0)
    refused(tmp_path / "a.npy", "can be read", "the right to read it")


def test_the_fingerprint_is_that_of_the_bytes_whatever_the_name(tmp_path):
    for name in ("a.npy", "ö ü.npy"):
        np.save(tmp_path / name, GREY)
    expected = hashlib.sha256((tmp_path / "a.npy").read_bytes()).hexdigest()
    assert fingerprint(faces("a.npy"), tmp_path) == fingerprint(faces("ö ü.npy"), tmp_path) == expected


def test_a_changed_file_is_read_anew_and_named_anew(tmp_path, parts):
    path = tmp_path / "a.npy"
    np.save(path, GREY)
    first, name = parts(path).train, find("a.npy", tmp_path).fingerprint()
    assert parts(path).train is first
    assert first.fingerprint == name
    np.save(path, np.full((2, 4, 4), 255, np.uint8))
    os.utime(path, ns=(1, 1))
    assert parts(path).train.values.min() == 255
    assert find("a.npy", tmp_path).fingerprint() != name


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", GREY)
    file = files.found("a.npy", tmp_path)

    def read():
        with files.opened(file) as stream:
            stream.read(10)
            os.utime(file.path, ns=(1, 1))

    with pytest.raises(UserError, match="must not change while it is read"):
        read()
