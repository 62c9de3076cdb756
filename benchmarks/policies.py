"""Other policies of halving, on candidates that were trained to their end once (policies.json and docs/search.md).

    python -m benchmarks.policies [--searches 3] [--to benchmarks/policies.json] [--page docs/search.md]

Candidates of the built-in searches are proposed at random, so that every policy has the same ones, and all of them
train to the end. Each policy is then replayed on what was recorded: nothing is trained for it.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import tomli_w

from benchmarks import machine
from paribus.analysis.faults import faults_of
from paribus.analysis.results import load
from paribus.analysis.run import Run
from paribus.searching.driver import prepare_search, run_search
from paribus.searching.simulation import Trained, replayed
from paribus.spec import builtin
from paribus.spec.search import Halving, Search
from paribus.spec.study import parse
from paribus.store.workspace import Workspace

SPACES: Final = ("n16", "n64", "mlp")
HEADING: Final = "## Other policies, replayed"


def main() -> None:
    """Train, replay, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policies", description=__doc__)
    parser.add_argument("--searches", type=int, default=3, help="sets of candidates for each space")
    parser.add_argument("--to", type=Path, default=Path(__file__).with_name("policies.json"))
    parser.add_argument(
        "--page", type=Path, default=machine.ROOT / "docs/search.md", help="its last section is renewed"
    )
    options = parser.parse_args()
    rows = [row for space in SPACES for seed in range(options.searches) for row in _replayed(space, seed)]
    found = {"replays": rows, "environment": machine.environment(), "commit": machine.commit()}
    options.to.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = options.page.read_text(encoding="utf-8")
    options.page.write_text(text.partition(HEADING)[0].rstrip() + f"\n\n{HEADING}" + section(found), encoding="utf-8")


def _replayed(space: str, seed: int) -> list[dict[str, Any]]:
    """Every policy on the candidates of one space and seed."""
    document = tomllib.loads(builtin.text(f"search-{space}"))
    own = Halving.model_validate(document["search"].pop("halving"))
    document["search"] |= {"sampler": "random", "confirm": {"finalists": 1}}
    study = parse(tomli_w.dumps(document | {"replicates": 1, "seed": seed}), place=space)
    prepared = prepare_search(study)
    with (
        tempfile.TemporaryDirectory(prefix="paribus-policies-") as folder,
        Workspace.open(Path(folder) / "workspace", create=True, write=True) as workspace,
    ):
        run_search(prepared, workspace)
        runs = load(workspace, prepared.id).runs
        candidates = {int(run.arm.split()[1]): _trained(run, prepared.search) for run in runs}
        rows: list[dict[str, Any]] = []
        for name, halving in policies(own).items():
            search = prepared.search.model_copy(update={"halving": halving})
            found = replayed(search, candidates, prepared.epochs)
            rows.append({"space": space, "seed": seed, "policy": name, **asdict(found)})
        return rows


def policies(own: Halving) -> dict[str, Halving | None]:
    """The policies by name; `own` is that of the built-in search."""
    grace = own.grace
    return {
        "all to the end": None,
        "the search's own": own,
        "factor 2": own.model_copy(update={"factor": 2}),
        "factor 3": own.model_copy(update={"factor": 3}),
        "half the grace": own.model_copy(update={"grace": max(1, grace // 2)}),
        "twice the grace": own.model_copy(update={"grace": 2 * grace}),
        "2 brackets": own.model_copy(update={"brackets": 2}),
    }


def _trained(run: Run, search: Search) -> Trained:
    def faults(epochs: int) -> Sequence[str]:
        """What is seen of the run after so many epochs: before its end, what its curves show."""
        if epochs >= run.epochs_done:
            return faults_of(run, search.objective, search.without)
        curves = {name: curve[:epochs] for name, curve in run.curves.items()}
        early = replace(
            run, state="paused", epochs_done=epochs, curves=curves, selections={}, measurements={}, artifacts={}
        )
        return faults_of(early, search.objective, search.without)

    return Trained(run.curves[search.metric].tolist(), faults)


def section(found: Mapping[str, Any]) -> str:
    """The section without its heading."""
    replays = found["replays"]
    searches = len({row["seed"] for row in replays})
    lines = ["| space | policy | epochs | value over that of all to the end | no winner |", "|---|---|---|---|---|"]
    for space in SPACES:
        own = [row for row in replays if row["space"] == space]
        whole = {row["seed"]: row for row in own if row["policy"] == "all to the end"}
        for policy in dict.fromkeys(row["policy"] for row in own):
            rows = [row for row in own if row["policy"] == policy]
            share = fmean(row["epochs"] / whole[row["seed"]]["epochs"] for row in rows)
            pairs = [(row["value"], whole[row["seed"]]["value"]) for row in rows]
            ratios = [value / best for value, best in pairs if value is not None and best is not None]
            worse = f"{math.exp(fmean(map(math.log, ratios))):.3f}" if ratios else "unknown"
            none = sum(row["winner"] is None for row in rows)
            lines.append(f"| {space} | {policy} | {100 * share:.0f} % | {worse} | {none} of {len(rows)} |")
    words = (
        "Candidates proposed at random were trained to their end once, one replicate each, and policies of halving "
        f"replayed on what was recorded: {searches} {'set' if searches == 1 else 'sets'} of candidates for each space. "
        "Epochs: those that a policy trains, of those of all candidates. The value is the loss that the best candidate "
        "without a fault has in the search; the ratio is a geometric mean over the sets in which both have a winner. "
        "Before its end, a candidate's faults are those that its curves show."
    )
    printed = f"Printed by `python -m benchmarks.policies` at commit {found['commit']}."
    return f"\n\n{textwrap.fill(words, 120)}\n\n{chr(10).join(lines)}\n\n{printed}\n"


if __name__ == "__main__":
    main()
