"""Compiled loops where nothing may be kept on disk."""

from __future__ import annotations

from numba.core import caching

from paribus.training.compiling import compiled


def test_where_no_folder_may_be_written_it_is_compiled_all_the_same(monkeypatch):
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    assert compiled(lambda x: x + 1)(2) == 3
