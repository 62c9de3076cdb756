"""The data sets that come with scikit-learn, under `sklearn:NAME`: all examples in one pool, to be split.

They need no network and no file. The fingerprint is of the arrays, whatever the version of scikit-learn.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from paribus.data.npy import BrokenFileError
from paribus.data.pool import Pool
from paribus.data.source import Parts, Source
from paribus.data.targets import Target, classes_of, numbers_of
from paribus.data.wanted import Wanted, refuse_keys, refuse_selection, unknown
from paribus.errors import UserError, nearest
from paribus.spec.data import Data

PREFIX = "sklearn:"
NAMES = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")


class Bundled(Source):
    """One of scikit-learn's bundled data sets: the images of `digits`, a table otherwise."""

    splits = ("all",)

    def __init__(self, name: str) -> None:
        self.name = PREFIX + name
        self._set = name

    def fingerprint(self) -> str:
        return _fingerprint(self._set)

    def read(self, data: Data) -> Parts:
        refuse_selection(data, self.name, inputs=False)
        try:
            return _parts(self._set, Wanted.of(data))
        except BrokenFileError as error:
            raise error.at(f"data {self.name}") from error


def find(name: str) -> Source:
    """The source of `sklearn:NAME`. Raises UserError where scikit-learn has no such data set."""
    found = name.removeprefix(PREFIX)
    if found not in NAMES:
        raise UserError("must be a data set that comes with scikit-learn", given=name, place="data.source",
                        remedy=nearest(name, [PREFIX + known for known in NAMES]))  # fmt: skip
    return Bundled(found)


@functools.lru_cache(maxsize=4)
def _loaded(name: str) -> Mapping[str, Any]:
    """What scikit-learn's loader gives: `data`, `target`, `feature_names` and more."""
    from sklearn import datasets  # only here: importing it takes a second

    load: Callable[[], Mapping[str, Any]] = getattr(datasets, f"load_{name}")
    return load()


@functools.lru_cache(maxsize=8)
def _fingerprint(name: str) -> str:
    found = _loaded(name)
    content = hashlib.sha256(name.encode())
    for array in (found["data"], found["target"]):
        content.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return content.hexdigest()


@functools.lru_cache(maxsize=4)
def _parts(name: str, wanted: Wanted) -> Parts:
    found, task = _loaded(name), wanted.task
    values, feature_names = np.asarray(found["data"], np.float32), tuple(str(text) for text in found["feature_names"])
    if name == "digits":
        refuse_keys(wanted, "images")
        values, shape, feature_names = values / np.float32(16), (8, 8), ()  # whole numbers from 0 to 16
    else:
        features = _chosen(feature_names, wanted)
        values, shape = np.ascontiguousarray(values[:, features]), (len(features),)
        feature_names = tuple(feature_names[feature] for feature in features)
    classes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    labels = numbers = None
    names = [str(known) for known in found.get("target_names", ("target",))]
    if task == "regression":
        columns = tuple(names) if found["target"].ndim == 2 else ("target",)
        outputs = numbers_of([Target(found["target"], "the target", columns=columns)], [len(values)])
        targets, (numbers,) = outputs.names, outputs.numbers
    elif task == "classification" or name in ("breast_cancer", "digits", "iris", "wine"):
        (labels,) = classes_of([Target(found["target"], "the target")], [len(values)]).labels
        classes = tuple(names)
    pool = Pool(PREFIX + name, values, 1.0, labels, shape, _fingerprint(name), numbers)
    return Parts(pool, classes, undivided=True, feature_names=feature_names, targets=targets)


def _chosen(names: tuple[str, ...], wanted: Wanted) -> list[int]:
    """The features that `data.inputs` keeps, in its order."""
    refuse_keys(wanted, "a bundled table", allowed=("keep", "drop"))
    for key, listed in (("keep", wanted.inputs.keep), ("drop", wanted.inputs.drop)):
        for name in listed:
            if name not in names:
                raise unknown("feature", name, f"data.inputs.{key}", names)
    kept = wanted.inputs.keep or tuple(name for name in names if name not in wanted.inputs.drop)
    if not kept:
        raise BrokenFileError("must have a feature besides those left out", "none", "drop fewer")
    return [names.index(name) for name in kept]
