"""Recorded results as tables: CSV and Parquet, one file for each table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import csv, parquet

from paribus.analysis import columns
from paribus.analysis.results import Results

TABLES: Final[Mapping[str, Callable[[Results], columns.Columns]]] = {
    "results": columns.result_columns,
    "curves": columns.curve_columns,
    "runs": columns.run_columns,
    "claims": columns.claim_columns,
    "test-reads": columns.read_columns,
    "costs": columns.cost_columns,
}


def tables(results: Results) -> dict[str, pa.Table]:
    """Every table that has rows, by name."""
    found = {name: pa.table(_plain(make(results))) for name, make in TABLES.items()}
    return {name: table for name, table in found.items() if table.num_rows}


def write_csv(results: Results, folder: Path) -> None:
    """`results.csv`, `curves.csv`, `runs.csv`, `claims.csv`, `test-reads.csv`, `costs.csv`."""
    for name, table in tables(results).items():
        csv.write_csv(table, folder / f"{name}.csv")


def write_parquet(results: Results, folder: Path) -> None:
    """The same tables as Parquet."""
    for name, table in tables(results).items():
        parquet.write_table(table, folder / f"{name}.parquet")


def _plain(found: columns.Columns) -> dict[str, Any]:
    return {name: list(values) if isinstance(values, range) else values for name, values in found.items()}
