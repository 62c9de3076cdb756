"""Arrays, data frames and data sets of a Python program as the data of studies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from paribus.data.python_arrays import ArraySource, FrameSource, arrays_of
from paribus.data.registry import register
from paribus.errors import Shown, UserError


def source(name: str, content: Any = None, /, **arrays: Any) -> str:
    """Hand in data under a name, and get what `data["source"]` calls them: `python:NAME`.

    Parameters
    ----------
    name : to tell them apart. Other data of the same name take the place of the ones before.
    content : a data frame (pandas, polars, Arrow), a mapping of names to arrays, or a map-style data set such as
        `torch.utils.data.Dataset`, whose examples are read once.
    arrays : in place of `content`, arrays by name: `X` and `y`, or `X_train`, `y_train`, `X_test`, `y_test`.

    Data are copied. Their content is a part of each run's identity, so the same content finds its recorded runs again,
    also in another process that hands it in. Raises UserError where it is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> import paribus
    >>> paribus.source("moons", X=np.zeros((8, 2)), y=np.arange(8) % 2)
    'python:moons'
    """
    if arrays and content is None:
        return register(ArraySource(name, arrays))
    if isinstance(content, Mapping) and not arrays:
        return register(ArraySource(name, cast("Mapping[str, Any]", content)))
    if hasattr(content, "__arrow_c_stream__") and not arrays:
        return register(FrameSource(name, content))
    if hasattr(content, "__getitem__") and hasattr(content, "__len__") and not hasattr(content, "dtype") and not arrays:
        return register(ArraySource(name, arrays_of(content, name)))
    raise UserError(
        "must be a data frame, a mapping of names to arrays, or a data set of (input, target)",
        given=Shown("nothing" if content is None else f"an object of type {type(content).__name__}"),
        place=f"paribus.source({name!r})",
        remedy="write paribus.source(NAME, X=..., y=...)",
    )
