"""Errors that data have had from the beginning, and whether an audit finds them: benchmarks/audit_real.json.

    python -m benchmarks.audit_real fashion-mnist [--sheet FILE]
    python -m benchmarks.audit_real digits [--sheet FILE]
    python -m benchmarks.audit_real nci60 --folder FOLDER
    python -m benchmarks.audit_real nci60-by-patient --folder FOLDER

Fashion-MNIST: its 60,000 training images, of which issue 166 of its repository names some that are labelled wrongly.
NCI60: gene expression of 64 cell lines, with the files `NCI60data.npy` and `NCI60labs.csv` of the package ISLP in
FOLDER. MDA-MB-435 was long taken for breast cancer and is a melanoma (Rae et al. 2007; the panel lists it under
melanoma since); MDA-N was made from it, and both are here as breast. Networks that have seen one of them know the
other, so a second audit keeps them in one fold, as it would all lines of one patient. The sheet shows the first hundred
of the ranking, to be judged by eye.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from benchmarks import machine
from benchmarks.audit_data import Array

JSON: Final = machine.ROOT / "benchmarks" / "audit_real.json"
KNOWN: Final = (16691, 28264, 33982, 40513, 42018, 45592)
"""Training images of Fashion-MNIST that issue 166 names."""
SHEET: Final = 100
SAME_PATIENT: Final = (56, 57)
"""Rows of NCI60: MDA-MB-435 and MDA-N."""
LEAST: Final = 5
"""Cell lines that a tissue has at least to be audited."""


def fashion() -> tuple[Any, Array, dict[str, Any]]:
    import paribus
    from paribus.data.fashion_mnist import pool

    with tempfile.TemporaryDirectory() as folder:
        found = paribus.audit("fashion-mnist", workspace=folder, progress=False).found
    images = np.asarray(pool("train").values).reshape(-1, 28, 28)
    return found, images, {"known": [_known(found, row) for row in KNOWN]}


def digits() -> tuple[Any, Array, dict[str, Any]]:
    from sklearn.datasets import load_digits

    import paribus

    with tempfile.TemporaryDirectory() as folder:
        found = paribus.audit("sklearn:digits", workspace=folder, progress=False).found
    return found, (np.asarray(cast("Any", load_digits()).images) * 15.9).astype(np.uint8), {}


def nci60(folder: Path, *, by_patient: bool) -> tuple[Any, None, dict[str, Any]]:
    import pandas as pd

    import paribus

    values = np.load(folder / "NCI60data.npy")
    with (folder / "NCI60labs.csv").open(encoding="utf-8") as file:
        labels = np.array([line[0] for line in csv.reader(file)][-len(values) :])
    names, counts = np.unique(labels, return_counts=True)
    rows = np.flatnonzero(np.isin(labels, names[counts >= LEAST]))
    frame = pd.DataFrame(values[rows].astype(np.float32)).add_prefix("gene_")
    frame["tissue"] = labels[rows]
    if by_patient:
        frame["patient"] = np.where(rows == SAME_PATIENT[1], SAME_PATIENT[0], rows).astype(str)
    with tempfile.TemporaryDirectory() as name:
        table = Path(name) / "nci60.parquet"
        frame.to_parquet(table)
        found = paribus.audit(
            str(table),
            target="tissue",
            groups="patient" if by_patient else None,
            workspace=table.with_name("workspace"),
            progress=False,
            folds=5,
            repetitions=4,
        ).found
    known = [_known(found, int(np.flatnonzero(rows == row)[0])) | {"row": row} for row in SAME_PATIENT]
    return found, None, {"known": known}


def _ranks(found: Any) -> Array:
    """The rank (example,) of each example, from 1."""
    records = found.records()
    ranks = np.zeros(len(records), np.int64)
    for record in records:
        ranks[record["row"]] = record["rank"]
    return ranks


def _known(found: Any, row: int) -> dict[str, Any]:
    return {
        "row": row,
        "given": found.classes[found.labels[row]],
        "proposed": found.classes[found.proposed[row]],
        "rank": int(_ranks(found)[row]),
        "probability": float(found.probabilities[row]),
    }


def sheet(path: Path, found: Any, images: Array) -> None:
    """The first hundred of the ranking: ten in a row, each with rank, given label, proposed label and row."""
    from PIL import Image, ImageDraw

    side, width, height = 84, 116, 132
    whole = Image.new("L", (10 * width, 10 * height), 255)
    draw = ImageDraw.Draw(whole)
    for place, one in enumerate((*found.suspects, *found.next_ranked)[:SHEET]):
        left, top = (place % 10) * width, (place // 10) * height
        whole.paste(Image.fromarray(255 - images[one.row]).resize((side, side)), (left + 14, top + 2))
        draw.text((left + 3, top + 88), f"{one.rank} {one.given}", fill=0)
        draw.text((left + 3, top + 101), f"> {one.proposed}", fill=0)
        draw.text((left + 3, top + 114), f"{one.probability:.2f} row {one.row}", fill=90)
    whole.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=("fashion-mnist", "digits", "nci60", "nci60-by-patient"))
    parser.add_argument("--folder", type=Path, help="where NCI60's files are")
    parser.add_argument("--sheet", type=Path, help="an image of the first hundred, to be written")
    options = parser.parse_args()
    started, processor = time.perf_counter(), time.process_time()
    if options.data.startswith("nci60"):
        found, images, more = nci60(options.folder, by_patient=options.data.endswith("by-patient"))
    else:
        found, images, more = fashion() if options.data == "fashion-mnist" else digits()
    record = {
        "examples": found.examples,
        "seconds": round(time.perf_counter() - started, 1),
        "processor_s": round(time.process_time() - processor, 1),
        "suspects": len(found.suspects),
        "expected_wrong": sum(one.probability for one in found.suspects),
        "rate": found.noise.rate,
        "interval": [found.noise.interval.low, found.noise.interval.high],
        "pairs": len(found.duplicates),
        **more,
    }
    content = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else {}
    content[options.data] = record
    JSON.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))
    if options.sheet is not None and images is not None:
        sheet(options.sheet, found, images)


if __name__ == "__main__":
    main()
