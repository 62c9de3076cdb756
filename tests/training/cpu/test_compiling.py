"""Compiled functions: cached as long as nothing compiled into them changes, and usable without a writable folder."""

from __future__ import annotations

import pytest

from paribus.training.cpu import compiling
from paribus.training.cpu.compiling import compiled


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Source and user cache folders of the test's own, looked up again."""
    source = tmp_path / "training" / "cpu"
    source.mkdir(parents=True)
    monkeypatch.setattr(compiling, "__file__", str(source / "compiling.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    compiling._cache_folder.cache_clear()
    yield source, tmp_path / "cache"
    compiling._cache_folder.cache_clear()


def forbid(folder, monkeypatch):
    """As if `folder` could not be written to, which root always can."""
    original = compiling._writable
    monkeypatch.setattr(compiling, "_writable", lambda path: folder not in path.parents and original(path))


@pytest.mark.parametrize("mark", ["@compiled", "@inlined"])
def test_a_change_of_any_compiled_file_gives_another_folder(folders, mark):
    source, _ = folders
    (source / "one.py").write_text("@compiled")
    before = compiling._cache_folder()
    (source / "two.py").write_text(f"{mark}\ndef added(): ...")
    compiling._cache_folder.cache_clear()
    changed = compiling._cache_folder()
    (source / "three.py").write_text("def plain(): ...")
    compiling._cache_folder.cache_clear()
    assert before != changed == compiling._cache_folder()
    assert changed.parent == source / "__pycache__"


def test_compilation_is_logged_once_while_the_cache_is_empty(folders, caplog):
    caplog.set_level("INFO", "paribus.training")
    folder = compiling._cache_folder()
    assert caplog.messages == ["compiling for this processor, once"]
    (folder / "code").touch()
    compiling._cache_folder.cache_clear()
    compiling._cache_folder()
    assert len(caplog.messages) == 1


def test_the_user_s_folder_where_the_source_s_is_not_writable(folders, monkeypatch):
    source, cache = folders
    forbid(source, monkeypatch)
    assert compiling._cache_folder().parent == cache / "paribus"


def test_functions_compile_where_no_folder_is_writable(folders, monkeypatch):
    forbid(folders[0].parents[1], monkeypatch)
    assert compiling._cache_folder() is None
    assert compiled(lambda x: x + 1)(2) == 3


def test_a_literal_argument_compiles_nothing_of_its_own(folders):
    @compiled
    def twice(number, negative):
        return -2 * number if negative else 2 * number

    @compiled
    def several(number):
        return twice(number, False) + twice(0, True) + twice(1, number > 0)

    assert several(3) == 6 + 0 - 2
    assert len(twice.signatures) == 1
