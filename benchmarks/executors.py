"""How many tests of the executors' promises pass on each executor (docs/executors.json and docs/scale.md).

    python -m benchmarks.executors [--to docs/executors.json] [--page docs/scale.md]

The suite is `tests/execution/test_executors.py`, which every executor must pass, and the tests of losses that only
processes, or only a cluster, can have.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from benchmarks import machine

EXECUTORS: Final = ("threads", "encoded threads", "processes", "Ray")
SUITE: Final = "tests/execution/test_executors.py"
OWN: Final = {"processes": "tests/execution/test_processes.py", "Ray": "tests/execution/test_ray_cluster.py"}
"""Tests of one executor alone."""
HEADING: Final = "## One suite for every executor"
NEXT: Final = "## How far one process records"


def main() -> None:
    """Run the suite, count, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.executors", description=__doc__)
    parser.add_argument("--to", type=Path, default=machine.ROOT / "docs/executors.json")
    parser.add_argument("--page", type=Path, default=machine.ROOT / "docs/scale.md", help="its section is renewed")
    options = parser.parse_args()
    found = {
        "suite": counted(SUITE, EXECUTORS),
        "own": {name: counted(path)[""] for name, path in OWN.items()},
        "environment": machine.environment(),
        "commit": machine.commit(),
    }
    options.to.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = options.page.read_text(encoding="utf-8")
    before, after = text.partition(HEADING)[0].partition(NEXT)[0], text.partition(NEXT)[2]
    options.page.write_text(before + HEADING + section(found) + NEXT + after, encoding="utf-8")


def counted(path: str, executors: Sequence[str] = ("",)) -> dict[str, dict[str, float]]:
    """How many tests of a file passed, failed and were skipped, and their seconds, by executor."""
    with tempfile.TemporaryDirectory(prefix="paribus-executors-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", path]
        subprocess.run(command, cwd=machine.ROOT, check=False, stdout=subprocess.DEVNULL)
        cases = list(ET.parse(report).getroot().iter("testcase"))
    return {name: _counts([case for case in cases if not name or name in _parameters(case)]) for name in executors}


def _parameters(case: ET.Element) -> list[str]:
    return case.get("name", "").partition("[")[2].removesuffix("]").split("-")


def _counts(cases: Sequence[ET.Element]) -> dict[str, float]:
    counts = Counter({"passed": 0, "failed": 0, "skipped": 0})
    for case in cases:
        tags = {part.tag for part in case}
        counts["failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"] += 1
    return {**counts, "seconds": round(sum(float(case.get("time", 0.0)) for case in cases), 1)}


def section(found: Mapping[str, Any]) -> str:
    """The section without its heading."""
    rows = [(name, "all promises", one) for name, one in found["suite"].items()]
    rows += [(name, "its own losses", one) for name, one in found["own"].items()]
    lines = ["| executor | tests of | passed | failed | skipped | time |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {name} | {what} | {one['passed']} | {one['failed']} | {one['skipped']} | {one['seconds']:.0f} s |"
        for name, what, one in rows
    ]
    words = (
        "Worker threads, worker processes and Ray's actors are tested for the same promises: the same bits, alone and "
        "in company, after an interruption, after a lost worker, and for runs that pause; no test example before its "
        "read is logged. Encoded threads share nothing with the recording process but messages. Ray runs with two "
        "nodes on one machine."
    )
    counted_at = (
        f"Counted at commit {found['commit']} by `python -m benchmarks.executors`. For programs: "
        "[executors.json](executors.json)."
    )
    return "\n\n" + "\n\n".join([textwrap.fill(words, 120), "\n".join(lines), counted_at]) + "\n\n"


if __name__ == "__main__":
    main()
