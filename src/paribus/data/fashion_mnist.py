"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 70,000 grey images of clothes, 28x28, in 10 classes."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from paribus.data.known_files import Collection, KnownFile, read
from paribus.data.pool import Pool
from paribus.data.source import Parts, Source, TestPool
from paribus.data.wanted import refuse_selection
from paribus.spec.data import Data

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
SIDE = 28
Part = Literal["train", "t10k"]
EXAMPLES: dict[Part, int] = {"train": 60_000, "t10k": 10_000}
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


@dataclass(frozen=True)
class _SplitFiles:
    """Which of the two files is for training, which for test, and how many training examples are for validation."""

    train: Part
    test: Part
    validation: int


_SPLITS = {
    "standard": _SplitFiles(train="train", test="t10k", validation=10_000),
    "scarce": _SplitFiles(train="t10k", test="train", validation=2_000),
    "noisy-labels": _SplitFiles(train="t10k", test="train", validation=0),
}
"""`scarce` and `noisy-labels` train on the smaller file, so that labels are few and the test set is large."""


class FashionMnist(Source):
    """The data set with its splits."""

    name = "fashion-mnist"
    splits = tuple(_SPLITS)

    def fingerprint(self) -> str:
        return FINGERPRINT

    def read(self, data: Data) -> Parts:
        refuse_selection(data, self.name)
        files = _SPLITS[data.split.by]
        return Parts(
            train=pool(files.train),
            classes=CLASSES,
            drawn_validation=files.validation,
            test=TestPool(EXAMPLES[files.test], lambda: pool(files.test), on_disk=True),
        )


SOURCE = FashionMnist()


@functools.lru_cache(maxsize=2)
def pool(part: Part) -> Pool:
    """One of the two files as a pool of bytes: 60,000 images of `train` or 10,000 of `t10k`.

    Read and checked once in a process. Raises UserError where the files cannot be found or fetched.
    """
    images = np.frombuffer(read(COLLECTION, f"{part}-images-idx3-ubyte"), np.uint8, offset=_IMAGE_HEADER)
    labels = np.frombuffer(read(COLLECTION, f"{part}-labels-idx1-ubyte"), np.uint8, offset=_LABEL_HEADER)
    values = images.reshape(EXAMPLES[part], SIDE * SIDE)
    return Pool(f"fashion-mnist/{part}", values, 255.0, labels.astype(np.int64), (SIDE, SIDE), FINGERPRINT)
