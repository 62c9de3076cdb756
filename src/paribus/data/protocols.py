"""From what a study file says about data to the splits of one replicate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from paribus.data import faces, fashion_mnist, files
from paribus.data.corruption import replaced_labels
from paribus.data.files import FileProtocol
from paribus.data.pool import Images, Pool, Split, Splits, TestDrawer, whole
from paribus.errors import UserError
from paribus.seeding import LABEL_NOISE, SPLIT, generator
from paribus.spec.recipe import VALIDATION_IMAGES, Data


@dataclass(frozen=True, eq=False)
class _Source:
    """What a protocol has. `own_validation` is a number of images to draw from `train`, or a pool of its own."""

    train: Pool
    own_validation: int | Pool | None
    test_images: int
    open_test: Callable[[], Split] | None
    classes: int


def load_splits(data: Data, *, seed: int, replicate: int) -> Splits:
    """The splits of one replicate: drawn, labels replaced, held out, capped, in this order.

    A protocol's own validation split is drawn first and keeps its labels; a held-out share (`validation_fraction`) is
    drawn after the labels were replaced, so that it is as noisy as the training labels. Arms of one replicate that
    agree in `data` get the same splits. Raises UserError where data cannot be had or do not fit what is asked.
    """
    source = _source(data)
    _check(data, source)
    draw = generator(seed, replicate, SPLIT)
    train, validation = whole(source.train), None
    if isinstance(source.own_validation, int):
        train, validation = _held_out(train, source.own_validation, draw)
    elif source.own_validation is not None:
        validation = whole(source.own_validation)
    if data.label_noise and train.labels is not None:
        noisy = replaced_labels(train.labels, share=data.label_noise, classes=source.classes,
                                rng=generator(seed, replicate, LABEL_NOISE))  # fmt: skip
        train = replace(train, labels=noisy)
    if data.validation_fraction:
        train, validation = _held_out(train, round(data.validation_fraction * len(train)), draw)
    train = train.take(slice(data.train_images))
    if validation is not None:
        validation = validation.take(slice(data.validation_images))
    center = _mean(train) if data.center else None
    return Splits(train, validation, _drawer(data, source), center, source.classes, source.train.shape)


def fingerprint(data: Data) -> str:
    """SHA-256 that names the source's bytes; of a built-in source it is known without reading anything."""
    if data.file is not None:
        return files.fingerprint(data.file)
    return faces.FINGERPRINT if data.protocol == "faces/all" else fashion_mnist.FINGERPRINT


def _source(data: Data) -> _Source:
    if data.protocol == "faces/all":
        return _Source(faces.pool(), None, 0, None, 0)
    if data.file is not None:
        return _file_source(cast("FileProtocol", data.protocol), data.file)
    standard = data.protocol == "fashion-mnist/standard"
    train, test = ("train", "t10k") if standard else ("t10k", "train")
    return _Source(
        train=fashion_mnist.pool(train),
        own_validation=VALIDATION_IMAGES.get(data.protocol),
        test_images=fashion_mnist.IMAGES[test],
        open_test=lambda: whole(fashion_mnist.pool(test)),
        classes=fashion_mnist.CLASSES,
    )


def _file_source(protocol: FileProtocol, file: str) -> _Source:
    content = files.load(protocol, file)
    test = content.pools.get("test")
    return _Source(
        train=content.pools["training"],
        own_validation=content.pools.get("validation"),
        test_images=len(test) if test else 0,
        open_test=None if test is None else lambda: whole(test),
        classes=content.classes,
    )


def _check(data: Data, source: _Source) -> None:
    """Refuse what the protocol cannot give."""
    if data.label_noise and source.train.labels is None:
        raise UserError("needs labels", given=data.label_noise, place="data.label_noise",
                        remedy=f"take it out: {data.protocol} has no labels")  # fmt: skip
    if not data.validation_fraction:
        return
    if source.own_validation is not None:
        raise UserError("must be 0 where the protocol has a validation split", given=data.validation_fraction,
                        place="data.validation_fraction", remedy=f"take it out: {data.protocol} has one")  # fmt: skip
    images = len(source.train)
    if not 0 < round(data.validation_fraction * images) < images:
        raise UserError("must hold out at least one image and leave one", given=data.validation_fraction,
                        place="data.validation_fraction", remedy=f"choose a share of {images} images")  # fmt: skip


def _held_out(split: Split, images: int, draw: np.random.Generator) -> tuple[Split, Split]:
    """A split without, and with only, `images` of its images drawn at random; both in drawn order."""
    order = draw.permutation(len(split))
    return split.take(order[:-images]), split.take(order[-images:])


def _mean(split: Split) -> Images:
    return split.inputs.mean(axis=0, dtype=np.float64).astype(np.float32)


def _drawer(data: Data, source: _Source) -> TestDrawer | None:
    if source.open_test is None:
        return None
    return TestDrawer(min(source.test_images, data.test_images or source.test_images), source.open_test)
