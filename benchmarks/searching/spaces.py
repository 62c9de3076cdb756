"""The spaces that every tool searches: those of the built-in searches, read from their files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.spec import builtin
from paribus.spec.study import Study, parse
from paribus.training.devices import device_named
from paribus.training.plan import runs_of

SPACES = {"n16": "search-n16", "n64": "search-n64", "mlp": "search-mlp"}
ASHA_FACTOR = 4
"""What Ray Tune and Optuna halve by unless they are told otherwise."""


@dataclass(frozen=True, eq=False)
class Space:
    """One space with its budget, and the data of a search's first replicate.

    `inputs` and `targets` are those of training, `held_out` and `held_out_targets` those of validation. Targets of an
    autoencoder are its inputs.
    """

    name: str
    rates: tuple[float, float]
    batches: tuple[int, ...]
    epochs: int
    grace: int
    samples: int
    widths: tuple[int, ...]
    weight_decay: float
    inputs: npt.NDArray[np.float32]
    targets: npt.NDArray[Any]
    held_out: npt.NDArray[np.float32]
    held_out_targets: npt.NDArray[Any]

    @property
    def reconstructs(self) -> bool:
        return self.widths[0] == self.widths[-1]


def study_of(name: str, seed: int) -> Study:
    """The built-in search on a space, with another seed: other splits, other starts, other proposals."""
    study = SPACES[name]
    return parse(builtin.text(study), place=study, overrides={"seed": str(seed)})


def space(name: str, seed: int) -> Space:
    """A space with the data of the first replicate of the search with this seed."""
    study = study_of(name, seed)
    search, recipe = study.search, study.arms[0].recipe
    assert search is not None
    assert search.halving is not None
    one = study.model_copy(
        update={"arms": study.arms[:1], "replicates": study.replicates.model_copy(update={"count": 1})}
    )
    (run,) = runs_of(one, device_named("cpu"))
    splits = run.splits
    assert splits.validation is not None
    train, validation = (np.ascontiguousarray(part.inputs, np.float32) for part in (splits.train, splits.validation))
    labels = splits.train.labels, splits.validation.labels
    rates, batches = search.space["optimizer.lr"].values, search.space["training.batch_size"].values
    return Space(
        name=name,
        rates=(float(rates[0]), float(rates[1])),
        batches=tuple(map(int, batches)),
        epochs=recipe.training.epochs,
        grace=search.halving.grace,
        samples=search.candidates,
        widths=run.widths,
        weight_decay=recipe.optimizer.weight_decay,
        inputs=train,
        targets=train if labels[0] is None else labels[0],
        held_out=validation,
        held_out_targets=validation if labels[1] is None else labels[1],
    )
