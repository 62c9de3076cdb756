"""A few training examples as they are and as augmentation showed them to a run: for its report."""

from __future__ import annotations

from typing import Final

import numpy as np

from paribus.data.pool import Splits
from paribus.seeding import draws
from paribus.spec.identity import RunSpec
from paribus.training.augmentation import Augmenter
from paribus.training.measurements import Measurements

KEPT: Final = 8
"""Examples that are kept."""
MAX_BYTES: Final = 2**20
"""They take at most this many bytes, clean and augmented each: of very large examples fewer are kept."""


def record_augmented_examples(spec: RunSpec, splits: Splits, into: Measurements) -> None:
    """Add `augmented`: the first examples of the run's first epoch, as that epoch showed them.

    `clean` (example, feature) are the source's values, `seen` what was made of them: of the same type, or float32 that
    has been divided by the `divisor` (1,). `rows` are those of the source. Nothing is added without augmentation, nor
    where no example is small enough.
    """
    train, dataset = splits.train, splits.dataset
    if not spec.recipe.augmentation.present:
        return
    augmenter = Augmenter(
        spec.recipe.augmentation, train, dataset.shape, splits.scaling, spec.streams.augmentation
    )  # fmt: skip
    count = min(KEPT, MAX_BYTES // max(1, dataset.features * augmenter.dtype.itemsize))
    if not count:
        return
    order = draws(spec.streams.order, "order", 0).permutation(len(train))
    chosen = train.take(order[:count])
    # what else an epoch draws for its first examples does not depend on how many follow
    filled = train.rows[order] if spec.recipe.augmentation.mixup else chosen.rows
    seen = np.empty((len(filled), dataset.features), augmenter.dtype)
    augmenter.fill(seen, filled, 0)
    into.arrays(
        "",
        "augmented",
        rows=chosen.source_rows.astype(np.int32),
        clean=train.pool.values[chosen.rows],
        seen=seen[:count].copy(),
        divisor=np.array([train.pool.divisor], np.float32),
    )
