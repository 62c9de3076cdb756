"""Data frames, for those who have pandas."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paribus.errors import Shown, UserError

if TYPE_CHECKING:
    import pandas as pd


def frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    """A data frame of these columns (example,). Raises UserError where pandas is not installed."""
    if importlib.util.find_spec("pandas") is None:
        raise UserError(
            "needs pandas",
            given=Shown("no pandas here"),
            place="data frames",
            remedy="install paribus[notebook]",
        )
    return importlib.import_module("pandas").DataFrame(dict(columns))


def of_records(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A data frame with a row for each record, all of which have the same keys; without records, an empty one."""
    return frame({name: [record[name] for record in records] for name in records[0]} if records else {})
