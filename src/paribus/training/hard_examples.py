"""The held-out examples that a snapshot is most wrong about are kept with their features, so that a report can show
them: it is made from the workspace alone, without the data."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from paribus.data.pool import Labels, Split
from paribus.training.engine import Floats
from paribus.training.measurements import Measurements

KEPT: Final = 24
"""Examples of a split that are kept."""
MAX_BYTES: Final = 2**20
"""Their features take at most this many bytes, as the source has them: of very large examples fewer are kept."""

LARGEST_LOGIT: Final = float(np.finfo(np.float32).max) / 4


def record_hard_examples(rule: str, name: str, split: Split, outputs: Floats, into: Measurements) -> None:
    """Add `hardest/<name>`: the examples of the highest log loss of a classifier's logits (example, output).

    `rows` of the source and `loss` (example,) come with `values` (example, feature) as the source has them, and with
    the `divisor` (1,) that makes features of them. Nothing is added for training examples, nor where no example is
    small enough.
    """
    if name == "train" or split.labels is None or not len(split):
        return
    count = min(KEPT, len(split), MAX_BYTES // max(1, split.pool.values[:1].nbytes))
    if not count:
        return
    loss = log_losses(outputs, split.labels)
    hardest = np.argsort(-loss, kind="stable")[:count]
    chosen = split.take(hardest)
    into.arrays(
        rule,
        f"hardest/{name}",
        rows=chosen.source_rows.astype(np.int32),
        loss=loss[hardest].astype(np.float32),
        values=split.pool.values[chosen.rows],
        divisor=np.array([split.pool.divisor], np.float32),
    )


def log_losses(logits: Floats, labels: Labels) -> npt.NDArray[np.float64]:
    """The log loss -ln p(label) of each example in nats, (example,), in float64.

    The p of logits (example, class) is their softmax. A single logit z stands for the two logits 0 and z. Infinite
    logits count as `LARGEST_LOGIT`, so that losses stay within the range of float32.
    """
    wide = np.clip(np.asarray(logits, np.float64), -LARGEST_LOGIT, LARGEST_LOGIT)
    if wide.shape[1] == 1:
        wide = np.concatenate([np.zeros_like(wide), wide], axis=1)
    own = wide[np.arange(len(wide)), labels]
    return np.logaddexp.reduce(wide, axis=1) - own
