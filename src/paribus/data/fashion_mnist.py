"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 70,000 grey pictures of clothes, 28x28, in 10 classes."""

from __future__ import annotations

import functools
import hashlib
from typing import Literal

import numpy as np

from paribus.data.pool import Pool
from paribus.data.sources import Collection, KnownFile, read

CLASSES = 10
SIDE = 28
IMAGES = {"train": 60_000, "t10k": 10_000}
_IMAGE_HEADER, _LABEL_HEADER = 16, 8  # bytes before the data of an idx file with three axes, and with one

COLLECTION = Collection(
    name="fashion-mnist",
    files=(
        KnownFile("train-images-idx3-ubyte", _IMAGE_HEADER + 60_000 * SIDE * SIDE,
                  "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        KnownFile("train-labels-idx1-ubyte", _LABEL_HEADER + 60_000,
                  "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        KnownFile("t10k-images-idx3-ubyte", _IMAGE_HEADER + 10_000 * SIDE * SIDE,
                  "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        KnownFile("t10k-labels-idx1-ubyte", _LABEL_HEADER + 10_000,
                  "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ),
    layouts=("fashion-mnist", "FashionMNIST/raw", "raw"),
    package="dataset-fashion-mnist",
    package_folder="usr/share/datasets/fashion-mnist",
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)  # fmt: skip
FINGERPRINT = hashlib.sha256("".join(file.sha256 for file in COLLECTION.files).encode()).hexdigest()


@functools.lru_cache(maxsize=2)
def pool(part: Literal["train", "t10k"]) -> Pool:
    """One of the two files as a pool: 60,000 images of `train` or 10,000 of `t10k`, uint8 / 255 in float32.

    Read and checked once in a process. Raises UserError where the files cannot be had.
    """
    packed = read(COLLECTION, f"{part}-images-idx3-ubyte")
    pixels = np.frombuffer(packed, np.uint8, offset=_IMAGE_HEADER).reshape(IMAGES[part], SIDE * SIDE)
    inputs = np.divide(pixels, np.float32(255), dtype=np.float32)
    labels = np.frombuffer(read(COLLECTION, f"{part}-labels-idx1-ubyte"), np.uint8, offset=_LABEL_HEADER)
    return Pool(f"fashion-mnist/{part}", inputs, labels.astype(np.int64), (SIDE, SIDE), FINGERPRINT)
