"""NumPy's linear algebra on one thread, while cohorts train on every core.

OpenBLAS keeps its threads waiting in a loop for about a tenth of a second after each call, and each takes a whole core
meanwhile. Beside cohorts in training, this halves their speed for as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """While this lasts, NumPy's linear algebra uses one thread in the whole process."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield
