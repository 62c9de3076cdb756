"""Folders without data, data files to be read or refused, and what a study says about data."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.data import idx_file, npy_file, npz_file, table_file
from paribus.data.loading import load_splits
from paribus.data.registry import find
from paribus.errors import UserError
from paribus.seeding import Streams
from paribus.spec.data import Data


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A machine's root without data: neither the user's folder nor the cache nor the system has any."""
    monkeypatch.delenv("PARIBUS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "root"


@pytest.fixture
def splits(tmp_path):
    """The splits of a source and split, with further fields of [data]; files are looked for in `tmp_path`."""

    def load(source, split, replicate=0, seed=0, **fields):
        data = Data.model_validate({"source": source, "split": split, **fields})
        return load_splits(data, tmp_path, Streams.of_replicate(seed, replicate))

    return load


@pytest.fixture
def course_arrays():
    """arr_0..arr_5 as the course saves them: 16 pixels in 12, 6 and 8 columns, three classes."""
    rng = np.random.default_rng(5)
    arrays = []
    for images in (12, 6, 8):
        arrays += [rng.integers(0, 256, (16, images), dtype=np.uint8), np.arange(images) % 3]
    return arrays


def read(path, **fields):
    """The parts that a file or folder is read into, with further fields of [data]."""
    source = find(str(path), path.parent)
    return source.read(Data.model_validate({"source": str(path), "split": source.splits[0], **fields}))


@pytest.fixture
def parts():
    return read


@pytest.fixture
def refused():
    """Asserts that a file is refused in one line with rule, value, place and remedy, and nothing written beside it."""

    def assert_refused(path, rule="", remedy="", **fields):
        folder_before = sorted(path.parent.iterdir())
        with pytest.raises(UserError) as caught:
            read(path, **fields)
        error = caught.value
        line = str(error)
        assert rule in line
        assert remedy in error.remedy
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

    def check(suffix, content, **fields):
        path = tmp_path / f"generated{suffix}"
        path.write_bytes(content)
        npy_file._parts.cache_clear()
        npz_file._parts.cache_clear()
        idx_file._parts.cache_clear()
        table_file._parts.cache_clear()
        try:
            found = read(path, **fields)
        except UserError:
            refused(path, **fields)
            return
        pools = [found.train, found.validation, found.test.read() if found.test else None]
        for pool in [pool for pool in pools if pool is not None]:
            assert pool.values.dtype in (np.uint8, np.float32)
            if len(pool.shape) > 1:
                assert pool.values.min() >= 0
                assert pool.values.max() <= pool.divisor
            assert not np.isinf(pool.values).any()
            assert pool.values.shape == (len(pool), np.prod(pool.shape))
            if pool.labels is not None:
                assert pool.labels.shape == (len(pool),)
                assert pool.labels.min() >= 0
                assert pool.labels.max() < len(found.classes)

    return check
