"""A folder of images: Pillow's own pixels, ordered by class and name, split by folders."""

import numpy as np
import pytest
from PIL import Image

from paribus.data.registry import find


def saved(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def random(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_each_folder_is_a_class_and_images_are_sorted_by_name(tmp_path, parts):
    images = [saved(tmp_path / name, random(6, 7, seed=i)) for i, name in enumerate(
        ["cat/b.png", "cat/a.png", "ant/z.png", "dog/1.bmp"])]  # fmt: skip
    found = parts(tmp_path)
    assert found.classes == ("ant", "cat", "dog")
    np.testing.assert_array_equal(found.train.labels, [0, 1, 1, 2])
    expected = np.stack([images[2], images[1], images[0], images[3]])
    np.testing.assert_array_equal(found.train.values.reshape(-1, 6, 7), expected)
    assert (found.train.shape, found.train.values.dtype, found.train.divisor) == ((6, 7), np.uint8, 255)
    assert (found.undivided, found.train.name) == (True, tmp_path.name)


def test_colour_comes_channel_by_channel(tmp_path, parts):
    images = [saved(tmp_path / name, random(5, 4, 3, seed=i)) for i, name in enumerate(["a/1.png", "b/1.png"])]
    pool = parts(tmp_path).train
    assert pool.shape == (3, 5, 4)
    np.testing.assert_array_equal(pool.values, np.moveaxis(np.stack(images), 3, 1).reshape(2, -1))


def test_images_are_resized_and_made_grey_as_pillow_does_it(tmp_path, parts):
    first, second = saved(tmp_path / "a/1.png", random(9, 12, 3)), saved(tmp_path / "b/1.png", random(20, 16))
    pool = parts(tmp_path, inputs={"resize": [8, 6], "colour": "grey"}).train
    assert pool.shape == (8, 6)
    for row, pixels in zip(pool.values, (first, second), strict=True):
        expected = Image.fromarray(pixels).convert("L").resize((6, 8), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(row.reshape(8, 6), np.asarray(expected))
    assert parts(tmp_path, inputs={"resize": 8, "colour": "rgb"}).train.shape == (3, 8, 8)


@pytest.mark.parametrize("names", [("train", "val", "test"), ("training", "valid", "testing")])
def test_folders_of_splits_are_given(names, tmp_path, parts):
    for split, count in zip(names, (4, 2, 3), strict=True):
        for i in range(count):
            saved(tmp_path / split / f"{i % 2}" / f"{i}.png", random(4, 4, seed=i))
    found = parts(tmp_path)
    assert find(str(tmp_path), tmp_path).splits == ("given",)
    assert [len(found.train), len(found.validation), found.test.examples] == [4, 2, 3]
    assert (found.classes, found.undivided) == (("0", "1"), False)


def test_a_folder_without_classes_is_for_reconstruction(tmp_path, parts):
    saved(tmp_path / "1.png", random(4, 4))
    saved(tmp_path / "2.png", random(4, 4))
    (tmp_path / ".DS_Store").write_bytes(b"x")
    found = parts(tmp_path, task="reconstruction")
    assert (found.classes, found.train.labels, len(found.train)) == ((), None, 2)


def test_classes_that_are_numbers_are_in_the_order_of_numbers(tmp_path, parts):
    for name in ("10", "9", "2"):
        saved(tmp_path / name / "a.png", random(4, 4))
    assert parts(tmp_path).classes == ("2", "9", "10")


def test_the_fingerprint_is_of_names_and_content(tmp_path):
    saved(tmp_path / "a/1.png", random(4, 4))
    saved(tmp_path / "b/1.png", random(4, 4, seed=1))
    first = find(str(tmp_path), tmp_path).fingerprint()
    assert find(str(tmp_path), tmp_path).fingerprint() == first
    saved(tmp_path / "b/1.png", random(4, 4, seed=2))
    second = find(str(tmp_path), tmp_path).fingerprint()
    (tmp_path / "b").rename(tmp_path / "c")
    assert len({first, second, find(str(tmp_path), tmp_path).fingerprint()}) == 3


WRONG = {
    "two sizes": (lambda d: saved(d / "a/2.png", random(5, 4)), "one size, got 4 x 4 in 1.png and 5 x 4 in 2.png",
                  "data.inputs.resize", {}),
    "grey and colour": (lambda d: saved(d / "a/2.png", random(4, 4, 3)), "all grey or all in colour", "colour", {}),
    "no image": (lambda d: (d / "a/2.png").write_bytes(b"no image"), "image that can be read", "replace", {}),
    "an image cut off": (lambda d: (d / "a/1.png").write_bytes((d / "a/1.png").read_bytes()[:-30]),
                         "image that can be read", "replace", {}),
    "an empty file": (lambda d: (d / "a/2.png").write_bytes(b""), "at least one byte", "take it out", {}),
    "another file": (lambda d: (d / "a/notes.txt").write_text("hello"), "must be images", "take it out", {}),
    "a loose image": (lambda d: saved(d / "1.png", random(4, 4)), "folders of their classes only", "move it", {}),
    "a folder too deep": (lambda d: saved(d / "a/b/1.png", random(4, 4)), "no folders", "move its images up", {}),
    "an empty folder": (lambda d: (d / "c").mkdir(), "images in each folder, got none", "take it out", {}),
    "16 bits": (lambda d: saved(d / "a/1.png", random(4, 4).astype(np.uint16)), "8 bits a channel", "save it anew", {}),
    "too large": (lambda d: None, "at most 65536 values", "data.inputs.resize", {"inputs": {"resize": 400}}),
    "a regression": (lambda d: None, "numbers to be predicted", ".npz", {"task": "regression"}),
    "a target": (lambda d: None, "data.target does not go with", "take data.target out", {"target": "y"}),
    "columns": (lambda d: None, "data.inputs.drop does not go with", "take", {"inputs": {"drop": "a"}}),
    "one class": (lambda d: [(d / "b/1.png").unlink(), (d / "b").rmdir()], "at least two classes", "class", {}),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_folder_is_refused(what, tmp_path, refused):
    folder = tmp_path / "images"
    saved(folder / "a/1.png", random(4, 4))
    saved(folder / "b/1.png", random(4, 4, seed=1))
    change, rule, remedy, fields = WRONG[what]
    change(folder)
    refused(folder, rule, remedy, **fields)


def test_a_bomb_is_not_unpacked(tmp_path, refused):
    folder = tmp_path / "images"
    saved(folder / "a/1.png", random(4, 4))
    saved(folder / "b/1.png", random(4, 4))
    content = bytearray((folder / "b/1.png").read_bytes())
    content[16:24] = (60_000).to_bytes(4) * 2  # the width and the height in the header
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
    (folder / "b/1.png").write_bytes(content)
    refused(folder, "at most 67108864 pixels", "smaller")
