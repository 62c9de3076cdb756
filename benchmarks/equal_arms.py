"""A/A on real trainings: how often two arms of one recipe are told apart, though no difference is there.

Both arms have the same recipe and seeds of their own: nothing random is shared. Their runs are trained, recorded and
read as those of any study. Every n replicates in turn are then judged as one study of n replicates.

The data are scikit-learn's digits in a file that has its splits, so both arms are tested on the same examples. A test
split that is drawn would be another one for each seed, and the two would differ in difficulty.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from paribus.analysis.contrasts import ArmAtRule, contrast
from paribus.analysis.judgement import judge
from paribus.analysis.results import load
from paribus.execution.runner import prepare, run_study
from paribus.spec.study import Study, parse
from paribus.store.workspace import Workspace

REPLICATES: Final = 1_600
STUDY_SIZES: Final = (3, 5, 8)
"""Replicates of one study, as which so many trained ones are judged."""
RULE: Final = "max-val-accuracy"
STUDY: Final = f"""
name = "equal-arms"
question = "Do two arms of one recipe differ?"

[data]
source = "digits.npz"
split = "given"

[network]
hidden = [8]

[optimizer]
kind = "sgd"
lr = 0.5
momentum = 0.9

[training]
epochs = 10
batch_size = 50

[selection]
rules = ["{RULE}"]

[snapshots]
outputs = false

[test]
read_at = ["{RULE}"]

[[arms]]
name = "one"

[[arms]]
name = "other"
seed = 1
"""


@dataclass(frozen=True)
class FalseVerdicts:
    """Of `studies` of `n` replicates each, how many told two equal arms apart: an interval without 0, and SUPPORTED by
    any margin above 0 (`by` = 0)."""

    n: int
    studies: int
    separated: int
    supported: int


def trained(replicates: int = REPLICATES) -> tuple[float, ...]:
    """The difference in test accuracy of the two arms in each replicate, from a workspace that is deleted."""
    with tempfile.TemporaryDirectory(prefix="paribus-equal-arms-") as name:
        folder = Path(name)
        _save_digits(folder / "digits.npz")
        study = parse(STUDY, place="equal arms", overrides={"replicates": str(replicates)}, folder=folder)
        return _differences(study, folder / "workspace")


def _save_digits(path: Path) -> None:
    """1,797 images of 64 pixels: 500 for training, 297 for validation, 1,000 for test."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.float32) / 16
    ends = {"train": 0, "val": 500, "test": 797}
    arrays: dict[str, npt.NDArray[Any]] = {}
    for (split, begin), end in zip(ends.items(), (500, 797, 1797), strict=True):
        arrays |= {f"X_{split}": images[begin:end], f"y_{split}": labels[begin:end]}
    np.savez(path, **arrays)


def _differences(study: Study, at: Path) -> tuple[float, ...]:
    with Workspace.open(at, create=True, write=True) as workspace:
        run_study(prepare(study), workspace)
        one, other = (ArmAtRule(arm.name, RULE) for arm in study.arms)
        found = contrast(load(workspace, study.name), "test_accuracy", one, other)
    return tuple(value for value in found.differences if value is not None)


def judged(differences: Sequence[float], n: int) -> FalseVerdicts:
    """Every `n` differences in turn as one study; those that are left over are not judged."""
    studies = [judge(differences[at : at + n], by=0.0) for at in range(0, len(differences) - n + 1, n)]
    return FalseVerdicts(
        n=n,
        studies=len(studies),
        separated=sum(one.interval is not None and 0 not in one.interval for one in studies),
        supported=sum(one.verdict == "SUPPORTED" for one in studies),
    )
