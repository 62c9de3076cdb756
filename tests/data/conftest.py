"""Places to look for data in that hold nothing, and data files to be read or refused."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.data import files
from paribus.errors import UserError


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A machine's root that holds no data: neither the user's folder nor the cache nor the system has any."""
    monkeypatch.delenv("PARIBUS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "root"


@pytest.fixture
def course_arrays():
    """arr_0..arr_5 as the course saves them: 16 pixels in 12, 6 and 8 columns, three classes."""
    rng = np.random.default_rng(5)
    arrays = []
    for images in (12, 6, 8):
        arrays += [rng.integers(0, 256, (16, images), dtype=np.uint8), np.arange(images) % 3]
    return arrays


@pytest.fixture
def refused():
    """Asserts that a file is refused in one line with rule, value, place and remedy, and nothing written beside it."""

    def assert_refused(protocol, path, said=""):
        folder_before = sorted(path.parent.iterdir())
        with pytest.raises(UserError) as caught:
            files.load(protocol, str(path))
        error = caught.value
        line = str(error)
        assert said in line
        assert line.isprintable()
        assert error.place.startswith(str(path))
        assert error.rule in line
        assert ", got " in line
        assert error.remedy
        assert len(line) < 500
        assert sorted(path.parent.iterdir()) == folder_before

    return assert_refused


@pytest.fixture
def read_or_refused(tmp_path, refused):
    """Asserts that content of any kind is read into pools that keep every promise, or refused."""

    def check(protocol, content):
        path = tmp_path / "generated"
        path.write_bytes(content)
        files._load.cache_clear()
        try:
            found = files.load(protocol, str(path))
        except UserError:
            refused(protocol, path)
            return
        for pool in found.pools.values():
            assert pool.inputs.dtype == np.float32
            assert pool.inputs.min() >= 0
            assert pool.inputs.max() <= 1
            assert pool.inputs.shape == (len(pool), pool.shape[0] ** 2)
            if pool.labels is not None:
                assert pool.labels.shape == (len(pool),)
                assert pool.labels.min() >= 0
                assert pool.labels.max() < found.classes

    return check
