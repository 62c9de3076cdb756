"""Searches by paribus, Ray Tune with ASHA, and Optuna, on the same spaces and budgets: search.json and docs/search.md.

    python -m benchmarks.search [--searches N] [--spaces n16 n64 mlp] [--tools paribus ray optuna]

Each search has a seed of its own: other splits, other starts, other proposals. What a tool returns is trained again by
paribus, on fresh replicates that no tool has seen and with the same splits for every tool. paribus's time includes the
confirmation of its finalists; the others confirm nothing. What was measured before is kept: what is missing is added.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import textwrap
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import tomli_w

from benchmarks import machine
from benchmarks.policies import HEADING
from benchmarks.searching.spaces import SPACES, study_of
from paribus.analysis.choice import choices
from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.results import Results, load
from paribus.analysis.search_outcome import search_outcome
from paribus.execution.runner import prepare, run_study
from paribus.spec.study import parse
from paribus.store.workspace import Workspace

TOOLS: Final = ("paribus", "ray", "optuna")
NAMES: Final = {"paribus": "paribus", "ray": "Ray Tune + ASHA", "optuna": "Optuna"}
FRESH: Final = 5
"""Fresh replicates on which every tool's winner is trained again."""
FIRST: Final = 50_000
ENOUGH: Final = 10
"""Searches of each tool on each space from which on the comparison says something."""
QUIET: Final = 1.5
"""Processes that want to run, for each core, up to which a machine has no other work."""
OUTPUT: Final = Path(__file__).with_name("search.json")
PAGE: Final = machine.ROOT / "docs/search.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write both files after each search."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--searches", type=int, default=10, help="of each tool on each space (default: %(default)s)")
    parser.add_argument("--spaces", nargs="+", choices=list(SPACES), default=list(SPACES))
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no search after this time")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    known: dict[str, Any] = (
        json.loads(options.output.read_text(encoding="utf-8")) if options.output.exists() else {"searches": []}
    )
    done = {(row["space"], row["seed"], row["tool"]) for row in known["searches"]}
    began = time.monotonic()
    for seed in range(options.searches):
        for name in options.spaces:
            missing = [tool for tool in options.tools if (name, seed, tool) not in done]
            if missing and time.monotonic() - began < options.seconds:
                known["searches"] += measured(name, seed, missing)
                known["environment"] = machine.environment()
                options.output.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
                write_page(known, options.page)
    print(page(known))


def measured(name: str, seed: int, tools: Sequence[str]) -> list[dict[str, Any]]:
    """One search of each tool, and what their winners come to on fresh replicates."""
    rows: list[dict[str, Any]] = []
    same = {"space": name, "seed": seed, "tools": list(tools), "processor": machine.environment()["processor"],
            "commit": machine.commit()}  # fmt: skip
    for tool in tools:
        found = by_paribus(name, seed) if tool == "paribus" else by_peer(tool, name, seed)
        rows.append({**same, "tool": tool, **found, "load": os.getloadavg()[1]})
        print(f"{name}, search {seed}: {tool} {found}", file=sys.stderr, flush=True)
    confirm(name, seed, rows)
    return rows


def by_paribus(name: str, seed: int) -> dict[str, Any]:
    """`paribus search` in a new workspace: time of the whole command, its start and the confirmation included."""
    with tempfile.TemporaryDirectory(prefix="paribus-search-") as folder:
        workspace = Path(folder) / "workspace"
        words = [
            "search",
            SPACES[name],
            "--set",
            f"seed={seed}",
            "--workspace",
            str(workspace),
            "--to",
            f"{folder}/w.toml",
        ]
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "paribus", *words, "--json"], capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - began
        if done.returncode not in (0, 3):
            raise RuntimeError(done.stderr)
        with Workspace.open(workspace) as opened:
            return {"seconds": seconds, **found_by_paribus(load(opened, SPACES[name]))}


def found_by_paribus(results: Results) -> dict[str, Any]:
    """The winner with what was proposed and found of it, if there is one; how many candidates had each fault, and the
    seconds of training that confirmed the finalists.
    """
    outcome = search_outcome(results)
    assert outcome is not None
    also = {
        "faults": {fault: len(candidates) for fault, candidates in outcome.disqualified.items()},
        "confirming": sum(used.wall_s for used in results.confirmed.usage) if results.confirmed is not None else 0.0,
    }
    won = next((one for one in outcome.finalists if one.chosen), None)
    if won is None:
        return {"lr": None, "batch": None, "found": None, **also}
    rate, batch = won.values["optimizer.lr"], won.values["training.batch_size"]
    return {"lr": rate, "batch": batch, "found": won.found, **also}


def by_peer(tool: str, name: str, seed: int) -> dict[str, Any]:
    """One search of another tool, in a process of its own."""
    words = [sys.executable, "-W", "ignore", "-m", "benchmarks.searching.peers", tool, name, str(seed)]
    # Ray gives its workers a low priority unless it is told otherwise, and then other programs take their time.
    environment = {**os.environ, "RAY_DEDUP_LOGS": "0", "RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return json.loads(done.stdout.splitlines()[-1])


def confirm(name: str, seed: int, rows: Sequence[dict[str, Any]]) -> None:
    """Train every tool's winner again on the same fresh replicates, and write its values to the rows."""
    study = study_of(name, seed)
    assert study.search is not None
    base = {key: value for key, value in tomllib.loads(study.document).items() if key not in ("search", "test")}
    for row in rows:
        row |= {"confirmed": [], "excluded": "no winner"}
    arms = [
        {"name": row["tool"], "optimizer": {"lr": row["lr"]}, "training": {"batch_size": row["batch"]}}
        for row in rows
        if row["lr"] is not None
    ]
    if not arms:
        return
    faults = list(study.search.without)
    base |= {
        "name": "fresh",
        "replicates": {"count": FRESH, "first": FIRST},
        "arms": arms,
        "choose": {"metric": study.search.metric, "faults": faults, "confirm": {"first": 2 * FIRST}},
    }
    with (
        tempfile.TemporaryDirectory(prefix="paribus-fresh-") as folder,
        Workspace.open(Path(folder) / "workspace", create=True, write=True) as workspace,
    ):
        run_study(prepare(parse(tomli_w.dumps(base), place="fresh")), workspace)
        write_confirmed(load(workspace, "fresh"), rows)


def write_confirmed(results: Results, rows: Sequence[dict[str, Any]]) -> None:
    """The values of each winner on fresh replicates, and why it is disqualified, if it is."""
    (chosen,) = choices(results)
    excluded = {one.arm: one.excluded for one in chosen.candidates}
    metric = results.study.choose.metric if results.study.choose else "val_loss"
    for row in rows:
        if row["lr"] is not None:
            row["confirmed"] = list(results.values(row["tool"], results.deploy(row["tool"]), metric))
            row["excluded"] = excluded[row["tool"]]


def summary(known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each space and tool: searches, and seconds, found and confirmed value, each with its interval over searches.

    Of the seconds it is the logarithm: the interval of the mean of few times may go below 0. `against` is the paired
    difference of the confirmed values from paribus's, and `log_ratio` the paired logarithm of paribus's time over the
    tool's.
    """
    rows: list[dict[str, Any]] = []
    for name in SPACES:
        by_tool = {tool: list(_of(known, name, tool)) for tool in TOOLS}
        ours = {row["seed"]: row for row in by_tool["paribus"]}
        for tool, found in by_tool.items():
            if not found:
                continue
            pairs = [(row, ours[row["seed"]]) for row in found if row["seed"] in ours]
            differences = [
                a - b for row, own in pairs if (a := _mean(row)) is not None and (b := _mean(own)) is not None
            ]
            rows.append(
                {
                    "space": name,
                    "tool": tool,
                    "searches": len(found),
                    "log_seconds": estimate(math.log(row["seconds"]) for row in found),
                    "found": estimate(row["found"] for row in found),
                    "confirmed": estimate(_mean(row) for row in found),
                    "against": estimate(differences),
                    "log_ratio": estimate(math.log(own["seconds"] / row["seconds"]) for row, own in pairs),
                    "disqualified": sum(bool(row["excluded"]) and row["lr"] is not None for row in found),
                    "without": sum(row["lr"] is None for row in found),
                }
            )
    return rows


def _of(known: Mapping[str, Any], name: str, tool: str) -> Iterator[dict[str, Any]]:
    return (row for row in known["searches"] if row["space"] == name and row["tool"] == tool)


def _mean(row: Mapping[str, Any]) -> float | None:
    return estimate(row["confirmed"]).mean


def write_page(known: Mapping[str, Any], path: Path) -> None:
    """Write docs/search.md; what `benchmarks.policies` has written at its end stays."""
    _, heading, policies = path.read_text(encoding="utf-8").partition(HEADING) if path.exists() else ("", "", "")
    path.write_text(f"{page(known)}\n{heading}{policies}".rstrip() + "\n", encoding="utf-8")


def page(known: Mapping[str, Any]) -> str:
    """docs/search.md."""
    heads = (
        "space",
        "tool",
        "searches",
        "seconds",
        "found",
        "confirmed",
        "difference from paribus",
        "paribus time / tool time",
        "disqualified",
        "no winner",
    )
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in summary(known):
        ours = row["tool"] == "paribus"
        cells = (
            row["space"],
            NAMES[row["tool"]],
            str(row["searches"]),
            _geometric(row["log_seconds"], 0),
            _with_interval(row["found"], 5, of=row["searches"]),
            _with_interval(row["confirmed"], 5, of=row["searches"]),
            "" if ours else _with_interval(row["against"], 5, signed=True, of=row["searches"]),
            "" if ours else _geometric(row["log_ratio"], 2),
            f"{row['disqualified']} of {row['searches']}",
            f"{row['without']} of {row['searches']}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    table = "\n".join(lines)
    return f"""\
# Searches beside other tools

The same spaces, budgets, data and machine: the built-in searches `search-n16` and `search-n64` (20 candidates, 200
epochs, grace 25) and `search-mlp` (50 candidates, 500 epochs, grace 50). Ray Tune samples at random and stops early by
ASHA, as the reference study did; Optuna proposes by TPE and stops early by its pruner of successive halving. Both train
a plain PyTorch loop on all cores, one trial on each, and one replicate of each trial. paribus proposes by TPE, trains a
second replicate from a stated rung on, and halves synchronously: all candidates of a rung end before any goes on. All
three keep one of four candidates at a rung. Every search has its own seed, and so its own splits.

Found: the validation loss that the tool reports of its winner: paribus that of the best epoch, the others that of the
last one. Confirmed: the validation loss of the winner at its best epoch, on {FRESH} fresh replicates, the same ones for
every tool, trained by paribus. Means are over the searches that have a winner, with the 95 % interval where there are
several; of the seconds it is the geometric mean over all searches. Difference from paribus: the confirmed loss minus
that of paribus, paired by search; above 0 the tool is worse. Paribus time / tool time: the geometric mean of the ratios
in the same search. paribus's time includes its start-up and the confirmation of the finalists; that of the others is
their search alone, without imports. Disqualified: winners with a fault in some fresh replicate, by the rule of the
built-in search: diverged, collapsed or unstable, and for the classifier dead. No winner: searches that ended without
one. That is what paribus says where no candidate comes to the end of training without such a fault, or every finalist
has one on fresh replicates; the others always name one. A search without finalists has nothing to confirm, so its time
has no confirmation in it.

{table}

{_faults(known)}
{_confirming(known)}

{_load(known)}

{_printed(known)}
"""


def _faults(known: Mapping[str, Any]) -> str:
    """How many of paribus's candidates had each fault, in each space: why a search may have no winner."""
    parts: list[str] = []
    for name in SPACES:
        rows = [row for row in _of(known, name, "paribus") if "faults" in row]
        counted = sum((Counter(row["faults"]) for row in rows), Counter[str]())
        search = study_of(name, 0).search
        if rows and search is not None:
            each = ", ".join(f"{count} {fault}" for fault, count in counted.most_common()) or "none"
            parts.append(f"{name}: {each} of {search.candidates * len(rows)}")
    words = f"Candidates of paribus that were disqualified in its searches. {'; '.join(parts)}." if parts else ""
    return textwrap.fill(words, 120, break_on_hyphens=False)


def _confirming(known: Mapping[str, Any]) -> str:
    """Which share of paribus's time the finalists took on fresh replicates, which the other tools do not train."""
    parts: list[str] = []
    for name in SPACES:
        rows = [row for row in _of(known, name, "paribus") if "confirming" in row]
        if rows and (confirming := sum(row["confirming"] for row in rows)):
            share = confirming / sum(row["seconds"] for row in rows)
            parts.append(f"{name} {100 * share:.0f} %")
    words = f"Of paribus's time, the finalists on fresh replicates took: {', '.join(parts)}." if parts else ""
    return textwrap.fill(words, 120, break_on_hyphens=False)


def _printed(known: Mapping[str, Any]) -> str:
    words = f"Printed by `python -m benchmarks.search`, at {_commits(known)}, on {_processors(known)}."
    return textwrap.fill(words, 120, break_on_hyphens=False)


def _commits(known: Mapping[str, Any]) -> str:
    """Which commits the searches were measured at, the one with the most of them first."""
    found = Counter(row["commit"] for row in known["searches"])
    each = [f"{commit} ({count} searches)" if len(found) > 1 else commit for commit, count in found.most_common()]
    return f"{'commit' if len(each) == 1 else 'commits'} {', '.join(each) or 'unknown'}"


def _processors(known: Mapping[str, Any]) -> str:
    """Where the searches ran. All tools of one seed run on one machine, but seeds may run on several."""
    searches = Counter(row["processor"] for row in known["searches"])
    if len(searches) < 2:
        return f"an {next(iter(searches), 'unknown processor')}"
    named = ", ".join(f"{processor} ({count} searches)" for processor, count in sorted(searches.items()))
    return f"several machines, so that seconds differ by more than the tools do: {named}"


def _load(known: Mapping[str, Any]) -> str:
    """What else the machine did meanwhile, and what the numbers do not show."""
    loads = [row["load"] for row in known["searches"] if row.get("load") is not None]
    cores = known.get("environment", {}).get("cores", os.cpu_count() or 1)
    few = [name for name in SPACES if min(len(list(_of(known, name, tool))) for tool in TOOLS) < ENOUGH]
    words = [f"Searches of one seed follow each other, one tool after the other. Each tool uses all {cores} cores."]
    apart = Counter(NAMES[row["tool"]] for row in known["searches"] if len(row.get("tools", TOOLS)) < len(TOOLS))
    if apart:
        each = ", ".join(f"{tool} in {count} search{'es' if count > 1 else ''}" for tool, count in apart.items())
        words.append(f"Measured at another time than the other tools: {each}.")
    if loads and max(loads) > QUIET * cores:
        words.append(
            f"Other programs ran on this machine: when a search ended, {min(loads):.0f} to {max(loads):.0f} processes "
            "wanted to run. Times are therefore long, and differ by more than the tools do. What the other tools find "
            "changes with load, too: they stop a trial early by those that were faster."
        )
    if few:
        words.append(
            f"There are fewer than {ENOUGH} searches of some tool on {', '.join(few)}, so intervals there are wide or "
            "missing: they say little about which tool is better."
        )
    return "\n".join(textwrap.fill(one, 120, break_on_hyphens=False) for one in words)


def _geometric(logarithms: Estimate, digits: int) -> str:
    """The geometric mean, and the interval that belongs to it."""
    if logarithms.mean is None:
        return ""
    text, interval = f"{math.exp(logarithms.mean):.{digits}f}", logarithms.interval
    if interval is None:
        return text
    return f"{text} ({math.exp(interval.low):.{digits}f} to {math.exp(interval.high):.{digits}f})"


def _with_interval(found: Estimate, digits: int, *, of: int, signed: bool = False) -> str:
    """The mean with its interval, and over how many searches it is, if not over all of them."""
    if found.mean is None:
        return ""
    form = f"{'+' if signed else ''}.{digits}f"
    text, interval = f"{found.mean:{form}}", found.interval
    if interval is not None:
        text += f" ({interval.low:{form}} to {interval.high:{form}})"
    return text if found.n == of else f"{text}, {found.n} search{'es' if found.n > 1 else ''}"


if __name__ == "__main__":
    main()
