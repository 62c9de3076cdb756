"""How loops are compiled: once for this machine, kept on disk where that can be, and run without Python's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """A function as machine code, compiled when it is first called.

    Numba keeps the code beside the source, or else in the user's cache folder. Where it may write to neither, it is
    compiled in every process anew.
    """
    settings = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(function, cache=True, **settings)
    except RuntimeError:
        return njit(function, **settings)
