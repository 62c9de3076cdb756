"""What every source of a user's data promises, whatever its format."""

import gzip
import struct

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from paribus.data.loading import fingerprint, load_splits
from paribus.data.python_arrays import ArraySource, FrameSource
from paribus.data.registry import find, register
from paribus.seeding import Streams
from paribus.spec.data import Data

EXAMPLES = 24
CLASSES = ("ant", "bee", "cat")


def table(seed):
    random = np.random.default_rng(seed)
    site = pd.Series(random.choice(["north", "south"], EXAMPLES)).where(random.random(EXAMPLES) > 0.1)
    age = pd.Series(random.normal(50, 10, EXAMPLES).round(1)).where(random.random(EXAMPLES) > 0.1)
    return pd.DataFrame({"patient": [f"p{i // 2}" for i in range(EXAMPLES)], "site": site, "age": age,
                         "weight": random.normal(70, 9, EXAMPLES), "y": list(CLASSES) * 8})  # fmt: skip


TABLE = {"target": "y", "missing": "median", "inputs": {"drop": ["patient"], "categorical": ["site"]}}


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (EXAMPLES, 6, 5), dtype=np.uint8)


def csv(folder, seed):
    table(seed).to_csv(folder / "t.csv", index=False)
    return "t.csv", TABLE


def parquet(folder, seed):
    table(seed).to_parquet(folder / "t.parquet")
    return "t.parquet", TABLE


def npz(folder, seed):
    np.savez(folder / "a.npz", X=pixels(seed), y=np.array(list(CLASSES) * 8))
    return "a.npz", {}


def arrays(folder, seed):
    (folder / "arrays").mkdir(exist_ok=True)
    np.save(folder / "arrays" / "X.npy", pixels(seed))
    np.save(folder / "arrays" / "y.npy", np.array(list(CLASSES) * 8))
    return "arrays", {}


def images(folder, seed):
    for i, image in enumerate(pixels(seed)):
        (folder / "images" / CLASSES[i % 3]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "images" / CLASSES[i % 3] / f"{i}.png")
    return "images", {}


def idx(folder, seed):
    content = struct.pack(">HBB3I", 0, 8, 3, EXAMPLES, 6, 5) + pixels(seed).tobytes()
    (folder / "images-idx3-ubyte.gz").write_bytes(gzip.compress(content, mtime=0))
    labels = struct.pack(">HBBI", 0, 8, 1, EXAMPLES) + bytes(range(3)) * 8
    (folder / "labels-idx1-ubyte").write_bytes(labels)
    return "images-idx3-ubyte.gz", {}


def from_arrays(_, seed):
    return register(ArraySource("arrays", {"X": pixels(seed), "y": list(CLASSES) * 8})), {}


def from_frame(_, seed):
    return register(FrameSource("frame", table(seed))), TABLE


SOURCES = [csv, parquet, npz, arrays, images, idx, from_arrays, from_frame]


@pytest.mark.parametrize("make", SOURCES)
def test_content_names_itself_and_pools_are_shared_and_closed(make, tmp_path):
    name, fields = make(tmp_path, 0)
    data = Data.model_validate({"source": name, "split": "all", **fields})
    first, again = (find(name, tmp_path).read(data) for _ in range(2))
    assert first is again
    assert first.undivided
    assert first.train.fingerprint == fingerprint(data, tmp_path) == find(name, tmp_path).fingerprint()
    assert len(first.train) == EXAMPLES
    assert first.classes == (("0", "1", "2") if make is idx else CLASSES)
    for array in (first.train.values, first.train.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    make(tmp_path, 1)
    assert fingerprint(data, tmp_path) != first.train.fingerprint
    assert not np.array_equal(find(name, tmp_path).read(data).train.values, first.train.values, equal_nan=True)


@pytest.mark.parametrize("make", SOURCES)
def test_every_source_can_be_split_filled_in_and_scaled(make, tmp_path):
    name, fields = make(tmp_path, 0)
    split = {"by": "stratified", "validation": 0.25, "test": 0.25}
    data = Data.model_validate({"source": name, "split": split, "scale": "standardise", **fields})
    found = load_splits(data, tmp_path, Streams.of_replicate(0, 0))
    assert (found.dataset.train, found.dataset.validation, found.dataset.test) == (12, 6, 6)
    features = found.train.inputs
    assert np.isfinite(features).all()
    scaled = (features - found.scaling.centre) * found.scaling.factor
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize("make", [csv, parquet, from_frame])
def test_a_column_of_groups_is_no_feature_and_keeps_groups_together(make, tmp_path):
    name, fields = make(tmp_path, 0)
    inputs = {"categorical": ["site"]}
    split = {"by": "group", "column": "patient", "validation": 0.25, "test": 0.25}
    data = Data.model_validate({"source": name, "split": split, **fields, "inputs": inputs})
    found = load_splits(data, tmp_path, Streams.of_replicate(0, 0))
    assert found.dataset.feature_names == ("site=north", "site=south", "age", "weight")
    groups = table(0)["patient"].to_numpy()
    seen = [set(groups[part.source_rows]) for part in (found.train, found.validation)]
    tested = set(groups[found.test.open("selected snapshot").source_rows])
    assert not seen[0] & seen[1]
    assert not (seen[0] | seen[1]) & tested


def test_dates_and_numbers_of_an_archive_can_say_the_order(tmp_path):
    times = np.random.default_rng(0).permutation(EXAMPLES)
    np.savez(tmp_path / "a.npz", X=pixels(0), y=np.arange(EXAMPLES) % 3, when=times)
    split = {"by": "time", "column": "when", "validation": 0.25, "test": 0.25}
    data = Data.model_validate({"source": "a.npz", "split": split})
    found = load_splits(data, tmp_path, Streams.of_replicate(0, 0))
    assert times[found.train.source_rows].max() < times[found.validation.source_rows].min()
