"""Compiled loops: kept for as long as all that is compiled into them is the same, and where nothing may be kept."""

from __future__ import annotations

import pytest

from paribus.training import compiling
from paribus.training.compiling import compiled


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Source and cache folders of its own, looked for anew."""
    source = tmp_path / "source"
    source.mkdir()
    monkeypatch.setattr(compiling, "__file__", str(source / "compiling.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    compiling._folder.cache_clear()
    yield source, tmp_path / "cache"
    compiling._folder.cache_clear()


def shut(folder, monkeypatch):
    """As if `folder` could not be written to, which root always can."""
    whole = compiling._writable
    monkeypatch.setattr(compiling, "_writable", lambda path: folder not in path.parents and whole(path))


def test_a_change_of_any_compiled_file_makes_another_folder(folders):
    source, _ = folders
    (source / "one.py").write_text("@compiled")
    before = compiling._folder()
    (source / "two.py").write_text("@compiled\ndef added(): ...")
    compiling._folder.cache_clear()
    changed = compiling._folder()
    (source / "three.py").write_text("def plain(): ...")
    compiling._folder.cache_clear()
    assert before != changed == compiling._folder()
    assert changed.parent == source / "__pycache__"


def test_it_is_said_when_there_is_nothing_kept_yet(folders, caplog):
    caplog.set_level("INFO", "paribus.training")
    folder = compiling._folder()
    assert caplog.messages == ["compiling for this processor, once"]
    (folder / "code").touch()
    compiling._folder.cache_clear()
    compiling._folder()
    assert len(caplog.messages) == 1


def test_the_user_s_folder_where_the_source_s_is_shut(folders, monkeypatch):
    source, cache = folders
    shut(source, monkeypatch)
    assert compiling._folder().parent == cache / "paribus"


def test_where_no_folder_may_be_written_it_is_compiled_all_the_same(folders, monkeypatch):
    shut(folders[0].parent, monkeypatch)
    assert compiling._folder() is None
    assert compiled(lambda x: x + 1)(2) == 3


def test_a_number_written_in_a_call_is_not_compiled_for_itself(folders):
    @compiled
    def twice(number, negative):
        return -2 * number if negative else 2 * number

    @compiled
    def several(number):
        return twice(number, False) + twice(0, True) + twice(1, number > 0)

    assert several(3) == 6 + 0 - 2
    assert len(twice.signatures) == 1
