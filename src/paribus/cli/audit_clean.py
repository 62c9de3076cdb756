"""A copy of audited data without their suspects, or with the labels that the audit proposes."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from paribus.errors import Shown, UserError, unreadable

if TYPE_CHECKING:
    from paribus.auditing.examples import Examples
    from paribus.auditing.result import AuditResult

Bools = npt.NDArray[np.bool_]
_TABLES = (".csv", ".tsv")


def check_clean(target: Path, examples: Examples, place: str = "--clean") -> None:
    """Raises UserError, before anything is trained, where no copy can be written to `target`, which `place` names."""
    suffix, source = target.suffix.lower(), Path(str(examples.table["source"]))
    if target.exists():
        raise UserError("must not exist yet, as paribus overwrites nothing", given=Shown("a file of that name"),
                        place=str(target), remedy="name another file")  # fmt: skip
    if not target.parent.is_dir():
        raise UserError("folder not found", given=Shown(""), place=str(target.parent), remedy="make it first")
    if suffix == ".npz" or (suffix in _TABLES and source.suffix.lower() == suffix):
        return
    kinds = f"{source.suffix.lower()} or .npz" if source.suffix.lower() in _TABLES else ".npz"
    raise UserError(f"must end in {kinds}", given=target.name, place=place, remedy="name such a file")


def write_clean(target: Path, result: AuditResult, examples: Examples, *, relabel: bool) -> str:
    """Write the copy; what it is, in a sentence. Only audited examples are in it, so no test example is.

    Raises UserError where it cannot be written.
    """
    from paribus.report.writing import put

    suspects = {one.row: one.proposed for one in result.suspects}
    kept = np.array([relabel or row not in suspects for row in result.rows.tolist()], bool)
    if target.suffix.lower() in _TABLES:
        put(target, _table(target, result, examples, suspects if relabel else {}, kept))
    else:
        put(target, _archive(result, examples, suspects if relabel else {}, kept))
    changed = "have the proposed label" if relabel else "are left out"
    return f"wrote {target}: {int(kept.sum()):,} examples; {len(suspects):,} suspects {changed}"


def _archive(result: AuditResult, examples: Examples, proposed: dict[int, str], kept: Bools) -> bytes:
    """X as the source has it, y as the names of the classes, and the rows of the source."""
    names = np.array(result.classes)[result.labels]
    rows = result.rows
    changed = [proposed.get(row, name) for row, name in zip(rows.tolist(), names.tolist(), strict=True)]
    pool = examples.pool
    values = pool.values[kept]
    shape = (len(values), *pool.shape)
    buffer = io.BytesIO()
    np.savez(buffer, X=values.reshape(shape), y=np.array(changed)[kept], rows=rows[kept])
    return buffer.getvalue()


def _table(target: Path, result: AuditResult, examples: Examples, proposed: dict[int, str], kept: Bools) -> str:
    """The lines of the source's table that are kept, with the proposed labels in the target's column."""
    source = examples.folder / Path(str(examples.table["source"])).expanduser()
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            head, *lines = csv.reader(file, delimiter="\t" if target.suffix.lower() == ".tsv" else ",")
    except OSError as error:
        raise unreadable(error, place=str(source), remedy="check the path") from None
    column = head.index(examples.table["target"][0])
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter="\t" if target.suffix.lower() == ".tsv" else ",", lineterminator="\n")
    writer.writerow(head)
    filled: list[list[str]] = [line for line in lines if line]
    for row in sorted(int(row) for row in result.rows[kept]):
        line = list(filled[row])
        line[column] = proposed.get(row, line[column])
        writer.writerow(line)
    return buffer.getvalue()
