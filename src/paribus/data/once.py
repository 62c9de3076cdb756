"""Reading a source once, whether or not a study wants the values of its images within [0, 1].

A study that scales its features takes any values, and one that does not wants those of images within [0, 1]. What is
read is the same for both, so one copy of it serves both: a large source does not lie in memory twice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

from paribus.data.pool import Pool
from paribus.data.source import Parts
from paribus.data.wanted import Wanted
from paribus.errors import UserError


def read_once(read: Callable[[Wanted], Parts], wanted: Wanted) -> Parts:
    """What `read` gives for `wanted`, and for it without `bounded`, where images are within [0, 1] anyway.

    `read` keeps what it has read. Raises the UserError that `read` raises of images that are not.
    """
    try:
        parts = read(replace(wanted, bounded=False))
    except UserError:
        return read(wanted)  # which says what it wants of images
    if wanted.bounded and not all(_is_bounded(pool) for pool in parts.pools_in_memory()):
        return read(wanted)
    return parts


@functools.lru_cache(maxsize=16)
def _is_bounded(pool: Pool) -> bool:
    """Whether the values are not images, or bytes, or within [0, 1]."""
    values = pool.values
    if len(pool.shape) == 1 or values.dtype.kind != "f":
        return True
    return bool(values.min() >= 0 and values.max() <= 1)
