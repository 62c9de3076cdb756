"""An audit of many rows, from the command line: time, memory, the plan's forecast, and an interruption.

    python -m benchmarks.audit_scale ROWS [--type uint8 | float32] [--epochs N] [--interrupt]
    python -m benchmarks.audit_scale --tables

The rows are training images of Fashion-MNIST, drawn with replacement, each shifted by up to one pixel and with noise of
its own, in `X.npy` of a temporary folder; 5 % of the labels in `y.npy` are changed to any other class. `paribus audit`
runs as a child process. With --interrupt it is run once more, interrupted by SIGINT once half of its runs are recorded
and more are in training, and resumed; both must say the same of every row, byte by byte. Results go to
benchmarks/audit_scale.json, one for each number and type of rows, and into docs/audit.md.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import machine
from benchmarks.audit import write_page
from benchmarks.audit_data import Array

JSON: Final = machine.ROOT / "benchmarks" / "audit_scale.json"
SHARE_WRONG: Final = 0.05
NOISE: Final = 9
"""Grey levels by which a pixel is raised: from 0 to one less than this."""
FEW: Final = 2_000
BLOCK: Final = 20_000
INTO_S: Final = 0.5
"""Seconds after the end of a cohort at which an audit is interrupted: the next one is in training then."""
_DONE: Final = re.compile(r"(\d+)/(\d+) runs? done")


@dataclass(frozen=True)
class Ended:
    """How a command ended: `to_stop_s` after it was interrupted, None where it was not.

    `peak_bytes` is the most that it, or any process that it started, had in memory.
    """

    code: int
    started: datetime
    seconds: float
    to_stop_s: float | None
    processor_s: float
    peak_bytes: int


def make(folder: Path, rows: int, dtype: str) -> Array:
    """Write `X.npy` and `y.npy`; which labels are wrong, (row,)."""
    from paribus.data.fashion_mnist import pool

    found, random = pool("train"), np.random.default_rng(1126)
    images, labels = np.asarray(found.values).reshape(-1, 28, 28), np.asarray(found.labels)
    chosen = random.integers(0, len(images), rows)
    inputs = np.lib.format.open_memmap(folder / "X.npy", "w+", np.dtype(dtype), (rows, 784))
    for start in range(0, rows, BLOCK):
        some = _augmented(images[chosen[start : start + BLOCK]], random).reshape(-1, 784)
        inputs[start : start + BLOCK] = some if dtype == "uint8" else some / np.float32(255)
    inputs.flush()
    wrong = random.random(rows) < SHARE_WRONG
    given = np.where(wrong, (labels[chosen] + random.integers(1, 10, rows)) % 10, labels[chosen])
    np.save(folder / "y.npy", given)
    return wrong


def _augmented(images: Array, random: np.random.Generator) -> Array:
    """Images (example, 28, 28) of bytes, each shifted by up to one pixel, with noise."""
    shifts = random.integers(-1, 2, (len(images), 2))
    moved = np.empty_like(images)
    for down, right in np.unique(shifts, axis=0):
        own = (shifts == (down, right)).all(axis=1)
        moved[own] = np.roll(images[own], (down, right), (1, 2))
    return np.minimum(moved.astype(np.int16) + random.integers(0, NOISE, images.shape), 255).astype(np.uint8)


def audit(data: Path, workspace: Path, answer: Path, *, epochs: int | None, interrupt: bool = False) -> Ended:
    """`paribus audit DATA --csv`, what it prints in the file `answer`; with `interrupt`, until half is trained."""
    words = [sys.executable, "-m", "paribus", "audit", str(data), "--workspace", str(workspace), "--csv"]
    words += [] if epochs is None else ["--epochs", str(epochs)]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs, and theirs, ignore it
    started, at, interrupted_at = datetime.now(UTC), time.perf_counter(), None
    with answer.open("wb") as out:
        child = subprocess.Popen(words, stdout=out, stderr=subprocess.PIPE, text=True, cwd=machine.ROOT)
        assert child.stderr is not None
        for line in child.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            done = _DONE.search(line)
            if interrupt and interrupted_at is None and done and 2 * int(done[1]) >= int(done[2]):
                time.sleep(INTO_S)
                interrupted_at = time.perf_counter()
                child.send_signal(signal.SIGINT)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    ended_at = time.perf_counter()
    return Ended(
        code=child.returncode,
        started=started,
        seconds=ended_at - at,
        to_stop_s=None if interrupted_at is None else ended_at - interrupted_at,
        processor_s=usage.ru_utime + usage.ru_stime,
        peak_bytes=1024 * usage.ru_maxrss,
    )


def recorded(workspace: Path) -> dict[str, Any]:
    """Of the latest study of a workspace: its forecast beside its training, and its runs that are done."""
    from paribus.execution.forecasts import PLAN
    from paribus.store.forecasts import scored
    from paribus.store.workspace import Workspace

    with Workspace.open(workspace) as opened:
        study = opened.studies()[-1]
        runs = {run.id: run for _, _, run in opened.runs_of(study.id)}
        usage = sorted(opened.usage(runs), key=lambda record: record.started_at)
        plans = [one for one in scored(opened.forecasts(study.id), usage) if one.basis == PLAN]
    return {
        "runs": len(runs),
        "done": sum(run.state == "done" for run in runs.values()),
        "began": None if not usage else datetime.fromisoformat(usage[0].started_at),
        "expected_s": None if not plans else plans[0].expected_wall_s,
        "trained_s": None if not plans else plans[0].used_wall_s,
    }


def judged(answer: Path, wrong: Array) -> dict[str, Any]:
    """How well the ranking of the CSV file `answer` finds the `wrong` labels, and how long its list is."""
    from sklearn.metrics import average_precision_score

    order, listed = np.empty(len(wrong), np.int64), 0
    with answer.open(encoding="utf-8", newline="") as file:
        for place, row in enumerate(csv.DictReader(file)):
            order[place] = int(row["row"])
            listed += float(row["probability_wrong"] or 0) >= 0.5
    found = wrong[order]
    return {
        "wrong": float(wrong.mean()),
        "average_precision": float(average_precision_score(found, -np.arange(len(found)))),
        "listed": listed,
        "list_precision": float(found[:listed].mean()) if listed else None,
        "list_recall": float(found[:listed].sum() / wrong.sum()),
    }


def digest(answer: Path) -> str:
    with answer.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def measured(rows: int, dtype: str, epochs: int | None, *, interrupt: bool) -> Iterator[dict[str, Any]]:
    """One audit; and with `interrupt` the same, with another one that is interrupted and resumed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, answer = folder / "data", folder / "answer.csv"
        few = folder / "few"
        few.mkdir()
        data.mkdir()
        make(few, FEW, dtype)
        wrong = make(data, rows, dtype)
        audit(few, folder / "warm", answer, epochs=1)  # compiles what is not compiled yet
        before = machine.ticks()
        ended = audit(data, folder / "whole", answer, epochs=epochs)
        if ended.code:
            raise SystemExit(f"the audit ended with code {ended.code}")
        facts = recorded(folder / "whole")
        prepared_s = (facts["began"] - ended.started).total_seconds()
        found: dict[str, Any] = {
            "rows": rows,
            "type": dtype,
            "file_bytes": (data / "X.npy").stat().st_size,
            "epochs": epochs,
            "seconds": round(ended.seconds, 1),
            "processor_s": round(ended.processor_s, 1),
            "stolen": round(machine.stolen_since(before), 3),
            "prepared_s": round(prepared_s, 1),
            "expected_s": round(facts["expected_s"], 1),
            "trained_s": round(facts["trained_s"], 1),
            "ranked_s": round(ended.seconds - prepared_s - facts["trained_s"], 1),
            "peak_bytes": ended.peak_bytes,
            "runs": facts["runs"],
            **judged(answer, wrong),
        }
        yield found
        if interrupt:
            yield {**found, "interrupted": _resumed(data, folder, epochs, digest(answer))}


def _resumed(data: Path, folder: Path, epochs: int | None, expected: str) -> dict[str, Any]:
    """The audit once more, interrupted and resumed, and whether its answer is that of the first run."""
    workspace, answer = folder / "interrupted", folder / "resumed.csv"
    first = audit(data, workspace, answer, epochs=epochs, interrupt=True)
    if not first.code or first.to_stop_s is None:
        raise SystemExit("the audit ended before it was interrupted")
    facts = recorded(workspace)
    second = audit(data, workspace, answer, epochs=epochs)
    return {
        "after_s": round(first.seconds - first.to_stop_s, 1),
        "to_stop_s": round(first.to_stop_s, 1),
        "code": first.code,
        "done": facts["done"],
        "resumed_s": round(second.seconds, 1),
        "peak_bytes": max(first.peak_bytes, second.peak_bytes),
        "same": second.code == 0 and digest(answer) == expected,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int)
    parser.add_argument("--type", choices=("uint8", "float32"), default="uint8")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--interrupt", action="store_true")
    parser.add_argument("--tables", action="store_true", help="only write the page again")
    options = parser.parse_args()
    if not options.tables:
        if options.rows is None:
            parser.error("name the number of rows")
        for found in measured(options.rows, options.type, options.epochs, interrupt=options.interrupt):
            print(json.dumps(found, indent=1), flush=True)
            _keep(found)
    write_page()


def _keep(found: Mapping[str, Any]) -> None:
    from paribus.execution.environment import environment

    content: dict[str, Any] = json.loads(JSON.read_text(encoding="utf-8")) if JSON.exists() else {"audits": []}
    others = [one for one in content["audits"] if (one["rows"], one["type"]) != (found["rows"], found["type"])]
    about = {"processor": environment()["processor"], "cores": machine.cores(), "commit": machine.commit()}
    content["audits"] = sorted([*others, {**found, **about}], key=lambda one: (one["rows"], one["type"]))
    JSON.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
