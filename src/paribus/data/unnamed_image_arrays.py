"""Archives of four or six arrays without names, as the reference data are saved: grey square images, one in a column.

Their classes count from 0 to the highest label of all splits, whether or not every class occurs.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping

import numpy as np

from paribus.data.assembly import Origin, SplitKey
from paribus.data.examples import image_values
from paribus.data.keys import Roles
from paribus.data.npy import Numbers
from paribus.data.pool import Labels, Pool
from paribus.data.source import Parts, TestPool
from paribus.data.targets import MAX_CLASSES
from paribus.data.wanted import Wanted
from paribus.spec.data import Inputs

LOG = logging.getLogger("paribus.data")


def fits(arrays: Mapping[str, Numbers], roles: Roles, wanted: Wanted) -> bool:
    """Whether these are images in columns with labels from 0, and the study says nothing else of them."""
    if not roles.positional or len(roles.inputs) < 2 or wanted.inputs != Inputs() or wanted.task == "regression":
        return False
    images = [arrays[key] for key in roles.inputs.values()]
    labels = [arrays[key] for (key,) in roles.targets.values()]
    pixels = {array.shape[0] for array in images}
    return (
        all(array.ndim == 2 for array in images)
        and len(pixels) == 1
        and all(array.shape[1] == one.size == max(one.shape) for array, one in zip(images, labels, strict=True))
        and all(_has_labels(one) for one in labels)
        and min(one.min() for one in labels) == 0
        and _are_images(images, pixels.pop())
    )


def _has_labels(array: Numbers) -> bool:
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and not (array == np.floor(array)).all()):
        return False
    return bool(array.min() >= 0 and array.max() < MAX_CLASSES)


def _are_images(images: list[Numbers], pixels: int) -> bool:
    """Square, and of one kind. A column of a few numbers is an image only where these are bytes or within [0, 1]."""
    kinds = {"f" if array.dtype.kind == "f" else "b" if array.dtype.kind == "b" else "iu" for array in images}
    if math.isqrt(pixels) ** 2 != pixels or len(kinds) > 1:
        return False
    return pixels >= 16 or kinds != {"f"} or all(array.min() >= 0 and array.max() <= 1 for array in images)


def parts_of(arrays: Mapping[str, Numbers], roles: Roles, wanted: Wanted, origin: Origin) -> Parts:
    """The parts of arrays that fit. Raises BrokenFileError where the values of images are out of range."""
    meanings = roles.meanings()
    pools: dict[SplitKey, Pool] = {}
    for split, key in roles.inputs.items():
        images = image_values(arrays[key].T, f"{key} ({meanings[key]})", bounded=wanted.bounded)
        labels = arrays[roles.targets[split][0]].reshape(-1).astype(np.int64)
        side = math.isqrt(images.values.shape[1])
        name = f"{origin.name}/{split}"
        pools[split] = Pool(name, images.values, images.divisor, labels, (side, side), origin.fingerprint)
    classes = _classes({split: pool.labels for split, pool in pools.items() if pool.labels is not None}, origin)
    test = pools["test"]
    return Parts(
        train=pools["training"],
        classes=tuple(str(number) for number in range(classes)),
        validation=pools.get("validation"),
        test=TestPool(len(test), lambda: test),
    )


def _classes(labels: Mapping[SplitKey, Labels], origin: Origin) -> int:
    """The number of classes: the highest label of all splits, plus 1. Warns of classes that training does not have."""
    classes = max(int(values.max()) for values in labels.values()) + 1
    missing = np.setdiff1d(np.arange(classes), labels["training"])
    if len(missing):
        shown = ", ".join(str(number) for number in missing[:5]) + (", ..." if len(missing) > 5 else "")
        LOG.warning("%s: training has no example of %d of the %d classes (%s)",
                    origin.shown, len(missing), classes, shown)  # fmt: skip
    return classes
