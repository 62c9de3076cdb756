"""What came of it: the table, docs/reliability.md for people, docs/reliability.json for programs."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import paribus
from benchmarks.torture.lives import CHECKPOINT_S
from benchmarks.torture.trial import Count, Subject
from paribus.execution.environment import environment

COLUMNS = (
    "faults",
    "kills",
    "epochs lost",
    "results compared",
    "results that differ",
    "answers judged",
    "named the wrong thing",
)

TEXT = """# Reliability: what survives, and how we know

Training is killed, starved and misled here in every way that we could think of, while the real command line trains
small studies on real pictures. After each fault the same command is given again and left alone, and everything that it
recorded is compared with a workspace in which nothing ever went wrong.

{table}

{verdict}

Measured on {date} in {minutes:.0f} minutes: {machine}. {versions}. Seed {seed}.
For programs: [reliability.json](reliability.json).

## What is promised

- After `kill -9` at any instant, the same command finishes the study with the same bits. What was trained since the
  last checkpoint (every 20 s, or PARIBUS_CHECKPOINT_S seconds) is trained again; nothing that was recorded is lost.
- Ctrl-C and SIGTERM lose nothing at all: every cohort saves the epoch that it is in.
- A full disk, a missing right, a second writer: one line that says so and where, and nothing recorded is harmed.
- A damaged file is named, and the runs that lose by it; `paribus verify` finds it, and training never goes on from it.

## What was done

The studies, each of two or three arms and {replicates}; together they use everything that training must remember:

{studies}

Every life of the command has a checkpoint every {checkpoint_ms:.0f} ms, so that there is much to be hit. A *write
point* is the instant before or after one of the steps that change a file: make a folder, write, fsync, rename, begin,
commit, switch the log on or off, delete.

- **Killed at a write point:** for each write point of each study in its brief form, SIGKILL there; half of the
  workspaces are killed once more at a random point of the life that resumes.
- **Killed at a random instant:** one to three SIGKILLs in a row before the command is left alone.
- **From a new interpreter:** the same with `python -m paribus`; the other lives are forked from a process that has
  imported it already, and run the same entry point.
- **Asked to end:** SIGINT and SIGTERM at random instants; it must save, say one line and end with exit code 130.
- **Disk full:** ENOSPC at write points, and file systems in memory that are too small, in bytes or in number of files.
- **Right taken away:** folder, tensors, database and lock closed to the one who trains, before and during training.
- **Torn:** the newest tensor file, the database and its log, cut off at several lengths.
- **Byte flipped:** in one file of each kind of tensor, in many places of the database and of its log, in the lock.
- **Two processes** begun at once on one workspace; the one that is sent away must name the other's process id.
- **Read while it is written:** `verify` and `status` during training must find a whole and sound state.
- **Clock moved:** decades ahead, decades back, and jumping at every look, another way after each kill.

*Results compared* are rows of the database and files: studies, claims, runs, curves, selections, snapshots,
measurements, artifacts and test-set reads (times apart), and every byte of every tensor file, read without paribus's
own code. Not compared are times, energy and forecasts, which differ by nature. *Epochs lost* are model-epochs that a
curve held before the fault and not after it, or not with the same bits. *Answers judged* are lines that the command or
`verify` said of the fault: wrong is what names another file, rule or process, takes more than one line, hangs, or says
nothing where something is amiss.

## How to repeat it

    make torture                                  # all of it, and this page
    python -m benchmarks.torture --kills 1000     # more kills at random instants
    python -m benchmarks.torture --quick          # the short form, which `make test` runs, too

As root it mounts small file systems, and becomes another user where rights are tested; otherwise it mounts none.
"""


@dataclass(frozen=True)
class Report:
    """Counts by kind of fault, the studies, and how long it took."""

    rows: dict[str, Count]
    subjects: Sequence[Subject]
    wall_s: float
    seed: int
    troubles: Sequence[str]

    def total(self) -> Count:
        return Count(*(sum(getattr(row, name) for row in self.rows.values()) for name in vars(Count())))

    def table(self) -> str:
        """As Markdown, which is readable as it stands."""
        lines = [("", *COLUMNS)]
        lines += [(kind, *(f"{n:,}" for n in vars(row).values())) for kind, row in self.rows.items()]
        lines.append(("**all**", *(f"**{n:,}**" for n in vars(self.total()).values())))
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        cells = [
            [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
            for first, *others in lines
        ]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        return "\n".join(f"| {' | '.join(line)} |" for line in (cells[0], rule, *cells[1:]))

    def write(self, folder: Path) -> None:
        """Put reliability.md and reliability.json there."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "reliability.md").write_text(self._text(), encoding="utf-8")
        text = json.dumps(self._data(), indent=2, ensure_ascii=False)
        (folder / "reliability.json").write_text(text + "\n", encoding="utf-8")

    def _data(self) -> dict[str, Any]:
        total = self.total()
        return {
            "faults": total.injected,
            "kills": total.kills,
            "epochs_lost": total.epochs_lost,
            "results_compared": total.compared,
            "results_different": total.different,
            "answers": total.complaints,
            "misnamed": total.misnamed,
            "by_fault": [{"fault": kind, **vars(row)} for kind, row in self.rows.items()],
            "troubles": list(self.troubles),
            "studies": [
                {"study": one.name, "runs": len(one.progress.epochs), "write_points": len(one.points)}
                for one in self.subjects
            ],
            "seed": self.seed,
            "checkpoint_s": CHECKPOINT_S,
            "wall_s": round(self.wall_s, 1),
            "date": _today(),
            "machine": machine(),
            "versions": versions(),
        }

    def _text(self) -> str:
        here = machine()
        lines = [
            f"- `{one.name}`: {len(one.progress.epochs)} runs, {sum(one.progress.epochs.values())} model-epochs, "
            f"{len(one.points)} write points, {one.results.total()} results"
            for one in self.subjects
        ]
        return TEXT.format(
            table=self.table(),
            verdict=self._verdict(),
            date=_today(),
            minutes=self.wall_s / 60,
            machine=f"{here['processor']}, {here['cores']} cores, {here['memory_gib']} GiB, {here['system']}",
            versions=", ".join(f"{name} {number}" for name, number in versions().items()),
            seed=self.seed,
            replicates="one or two replicates",
            studies="\n".join(lines),
            checkpoint_ms=1000 * CHECKPOINT_S,
        )

    def _verdict(self) -> str:
        if not self.troubles:
            return "Nothing was lost, nothing differs, and every complaint named the right thing."
        return "What went wrong:\n\n" + "\n".join(f"- {trouble}" for trouble in self.troubles)


def machine() -> dict[str, Any]:
    """The machine, in the words that a reader compares."""
    return {
        "processor": environment()["processor"],
        "cores": os.cpu_count() or 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    return {
        "paribus": paribus.__version__,
        "Python": platform.python_version(),
        "torch": version("torch"),
        "NumPy": version("numpy"),
        "SQLite": sqlite3.sqlite_version,
    }


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
