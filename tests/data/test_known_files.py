import gzip
import hashlib
import http.server
import logging
import threading

import pytest

from paribus.data import known_files
from paribus.data.apt import FetchError
from paribus.data.known_files import Collection, KnownFile
from paribus.errors import UserError

CONTENTS = {"images": bytes(range(256)) * 5, "labels": b"labels" * 7}


def collection(url="http://127.0.0.1:1/"):
    files = tuple(KnownFile(n, len(c), hashlib.sha256(c).hexdigest()) for n, c in CONTENTS.items())
    return Collection("toy", files, ("Toy/raw",), "dataset-toy", "usr/share/datasets/toy", url)


@pytest.fixture
def offline(monkeypatch, nowhere):
    """Nothing can be fetched; attempts are recorded."""
    asked = []

    def refuse(source):
        def fetch(_collection):
            asked.append(source)
            raise FetchError(f"{source} (out of reach)")

        return fetch

    monkeypatch.setattr(known_files, "_downloaded", refuse("the publisher"))
    monkeypatch.setattr(known_files, "_from_package", refuse("apt"))
    return nowhere, asked


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("layout", ["", "Toy/raw"])
def test_the_users_folder_comes_first(layout, packed, tmp_path, offline, monkeypatch):
    root, asked = offline
    folder = tmp_path / "mine" / layout
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (folder / (f"{name}.gz" if packed else name)).write_bytes(
            gzip.compress(content, mtime=0) if packed else content
        )
    monkeypatch.setenv("PARIBUS_DATA", str(tmp_path / "mine"))
    assert known_files.read(collection(), "images", root=root) == CONTENTS["images"]
    assert asked == []
    assert not (tmp_path / "cache").exists()


def test_then_the_cache_and_then_the_systems_package(offline):
    root, asked = offline
    system = root / "usr/share/datasets/toy"
    system.mkdir(parents=True)
    (system / "labels.gz").write_bytes(gzip.compress(CONTENTS["labels"], mtime=0))
    assert known_files.read(collection(), "labels", root=root) == CONTENTS["labels"]
    cache = known_files.cache_folder(collection())
    cache.mkdir(parents=True)
    (cache / "labels").write_bytes(CONTENTS["labels"])
    (system / "labels.gz").write_bytes(b"changed since")
    assert known_files.read(collection(), "labels", root=root) == CONTENTS["labels"]
    assert asked == []


def test_fetching_is_logged_and_what_is_fetched_is_kept(nowhere, tmp_path, monkeypatch, caplog):
    for name, content in CONTENTS.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    monkeypatch.setattr(known_files, "_from_package", lambda _: pytest.fail("the publisher was enough"))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        there = collection(f"http://127.0.0.1:{server.server_port}/")
        with caplog.at_level(logging.INFO, "paribus.data"):
            assert known_files.read(there, "images", root=nowhere) == CONTENTS["images"]
        server.shutdown()
    assert f"asking the publisher, {there.url}" in caplog.text
    kept = {path.name: path.read_bytes() for path in known_files.cache_folder(there).iterdir()}
    assert kept == CONTENTS
    assert known_files.read(there, "labels", root=nowhere) == CONTENTS["labels"]


def test_other_bytes_from_the_publisher_are_not_used(nowhere, tmp_path, monkeypatch):
    for name in CONTENTS:
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(b"something else", mtime=0))
    monkeypatch.setattr(known_files, "_from_package", lambda _: CONTENTS)
    there = collection(tmp_path.as_uri() + "/")
    assert known_files.read(there, "images", root=nowhere) == CONTENTS["images"]


@pytest.mark.parametrize("damaged", [b"", b"torn", CONTENTS["images"][:-1], CONTENTS["images"] + b"x",
                                     CONTENTS["images"][:-1] + b"\x00"])  # fmt: skip
def test_a_damaged_file_in_the_cache_is_named_and_fetched_again(damaged, nowhere, monkeypatch, caplog):
    folder = known_files.cache_folder(collection())
    folder.mkdir(parents=True)
    (folder / "images").write_bytes(damaged)
    monkeypatch.setattr(known_files, "_downloaded", lambda _: CONTENTS)
    assert known_files.read(collection(), "images", root=nowhere) == CONTENTS["images"]
    assert f"{folder / 'images'} is not used" in caplog.text
    assert (folder / "images").read_bytes() == CONTENTS["images"]
    assert sorted(path.name for path in folder.iterdir()) == ["images", "labels"]


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize(
    "damaged", [b"", b"\x1f\x8b\x08torn", gzip.compress(b"x" * 5000, mtime=0), b"\x1f\x8b" + bytes(40)]
)
def test_a_wrong_file_in_the_users_folder_is_refused_by_name(name, damaged, tmp_path, offline, monkeypatch):
    root, asked = offline
    (tmp_path / name).write_bytes(damaged)
    monkeypatch.setenv("PARIBUS_DATA", str(tmp_path))
    with pytest.raises(UserError) as caught:
        known_files.read(collection(), "images", root=root)
    assert caught.value.place == str(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert asked == []


@pytest.mark.parametrize("folder", ["/gone", "~nobody-of-this-name/data"])
def test_a_data_folder_that_does_not_exist_is_refused(folder, offline, monkeypatch):
    monkeypatch.setenv("PARIBUS_DATA", folder)
    with pytest.raises(UserError, match="PARIBUS_DATA: must name a folder"):
        known_files.read(collection(), "images", root=offline[0])


def test_when_all_fails_one_line_says_what_to_install_or_to_put_where(offline):
    root, asked = offline
    with pytest.raises(UserError) as caught:
        known_files.read(collection(), "images", root=root)
    line = str(caught.value)
    assert "\n" not in line
    assert asked == ["the publisher", "apt"]
    for text in ("install the Debian or Ubuntu package dataset-toy", "images, labels", "PARIBUS_DATA", "out of reach"):
        assert text in line


def test_a_publisher_that_does_not_answer_is_an_error(nowhere):
    with pytest.raises(FetchError, match="the publisher"):
        known_files._downloaded(collection())


def test_a_cache_that_cannot_be_written_is_named(tmp_path, nowhere, monkeypatch):
    (tmp_path / "cache").write_text("a file where a folder should be")
    monkeypatch.setattr(known_files, "_downloaded", lambda _: CONTENTS)
    with pytest.raises(UserError, match="must be a folder that can be written to"):
        known_files.read(collection(), "images", root=nowhere)


def test_the_cache_is_where_the_desktop_says_or_below_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert known_files.cache_folder(collection()) == tmp_path / ".cache/paribus/toy"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert known_files.cache_folder(collection()) == tmp_path / "x/paribus/toy"
