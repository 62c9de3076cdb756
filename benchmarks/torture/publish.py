"""The results: the table, docs/reliability.md for people, and docs/reliability.json for programs."""

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
from benchmarks.torture.processes import CHECKPOINT_S
from benchmarks.torture.session import Count, TestedStudy
from paribus.execution.environment import environment

COLUMNS = (
    "faults",
    "kills",
    "epochs lost",
    "results compared",
    "results that differ",
    "messages checked",
    "wrong messages",
)

TEXT = """# Reliability: what is promised, and how it is tested

The command line trains small studies on real images, and is disturbed in many ways: killed, without disk space, without
permission, with damaged files. After each fault the same command is run again to its end, and everything that it
recorded is compared with the workspace of a study that was never disturbed.

{table}

{verdict}

Measured on {date} in {minutes:.0f} minutes: {machine}. {versions}. Seed {seed}.
For programs: [reliability.json](reliability.json).

## What is promised

- After `kill -9` at any instant, the same command finishes the study with the same bits. What was trained since the
  last checkpoint (every 20 s, or PARIBUS_CHECKPOINT_S seconds) is trained again; nothing that was recorded is lost.
- Ctrl-C and SIGTERM lose nothing: every cohort saves the epoch that it has finished.
- A full disk, missing permission, a second writer: one line names the problem and the place, and what is recorded stays
  as it is.
- A damaged file is named, with the runs that need it. `paribus verify` finds it, and training never resumes from it.

## What is done

The studies have two or three arms and one or two replicates. Together they use everything that training must remember:

{studies}

Every command writes a checkpoint every {checkpoint_ms:.0f} ms, so that there are many instants at which it can be
disturbed. A *write point* is the instant before or after a step that changes a file: make a folder, write, fsync,
rename, begin, commit, switch the log on or off, delete.

- **Killed at a write point:** SIGKILL at each write point of each study in its brief form. Half of the workspaces are
  killed again, at a random point of the command that resumes.
- **Killed at a random instant:** one to three SIGKILLs before the command may end.
- **Killed, asked to end and resumed:** two to four signals, SIGKILL, SIGINT or SIGTERM, before the command may end.
- **In a new interpreter:** the same with `python -m paribus`. The other commands are forked from a process that has
  imported paribus already, and run the same function.
- **Asked to end:** SIGINT or SIGTERM at a random instant. The command must save, print one line and end with exit code
  130.
- **Killed while it measures recorded runs:** a study of which all runs are recorded asks for more measurements; SIGKILL
  at each write point.
- **Own modules:** the command that trains modules of the user's own in worker processes is killed at a random instant,
  and none of its workers may be left. Or one of its workers is killed, and the command ends as it would have.
- **Disk full:** ENOSPC at write points, and file systems in memory that are too small, in bytes or in number of files.
- **Permission taken away:** for folder, tensors, database and lock, before and during training.
- **Truncated:** the newest tensor file, the database and its log, at several lengths.
- **Byte flipped:** in one file of each kind of tensor, in many places of the database and of its log, in the lock.
- **Two writers:** two commands begun at once on one workspace. One is refused, and must name the other's process id.
- **Read during training:** `verify` and `status` must find a sound state.
- **Clock moved:** decades ahead, decades back, and another time at every reading, and another error after each kill.

*Results compared* are rows of the database and files: studies, claims, runs, curves, selections, snapshots,
measurements, artifacts and test-set reads (without times), and every byte of every tensor file, read without paribus's
own code. Times, energy and forecasts are not compared. *Epochs lost* are model-epochs that a curve contained before the
fault and does not contain after it, or not with the same bits. *Messages checked* are those of the command or of
`verify` about the fault. A message is wrong if it names another file, rule or process, if it has more than one line, or
if there is none where something is wrong.

## How to repeat it

<!-- not run: it takes an hour -->
```sh
make torture                                  # all of it, and this page
python -m benchmarks.torture --kills 1000     # more kills at random instants
python -m benchmarks.torture --quick          # the short form, which is one of the tests
```

As root, it mounts small file systems, and runs commands as another user where permission is tested. Otherwise it mounts
none.
"""


@dataclass(frozen=True)
class Report:
    """Counts by kind of fault, the studies, and how long it took."""

    rows: dict[str, Count]
    studies: Sequence[TestedStudy]
    wall_s: float
    seed: int
    failures: Sequence[str]

    def total(self) -> Count:
        return Count(*(sum(getattr(row, name) for row in self.rows.values()) for name in vars(Count())))

    def table(self) -> str:
        """As Markdown, with aligned columns."""
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
            "messages": total.messages,
            "wrong_messages": total.wrong_messages,
            "by_fault": [{"fault": kind, **vars(row)} for kind, row in self.rows.items()],
            "failures": list(self.failures),
            "studies": [
                {"study": one.name, "runs": len(one.progress.epochs), "write_points": len(one.points)}
                for one in self.studies
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
            for one in self.studies
        ]
        return TEXT.format(
            table=self.table(),
            verdict=self._verdict(),
            date=_today(),
            minutes=self.wall_s / 60,
            machine=f"{here['processor']}, {here['cores']} cores, {here['memory_gib']} GiB, {here['system']}",
            versions=", ".join(f"{name} {number}" for name, number in versions().items()),
            seed=self.seed,
            studies="\n".join(lines),
            checkpoint_ms=1000 * CHECKPOINT_S,
        )

    def _verdict(self) -> str:
        if not self.failures:
            return "Nothing was lost, no result differs, and every message was right."
        return "What went wrong:\n\n" + "\n".join(f"- {failure}" for failure in self.failures)


def machine() -> dict[str, Any]:
    """What a reader needs to compare machines."""
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
        "numba": version("numba"),
        "NumPy": version("numpy"),
        "SQLite": sqlite3.sqlite_version,
    }


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
