"""Energy and forecasts, measured: docs/energy.json and docs/energy.md.

    python -m benchmarks.energy [--studies N] [--quick]

Many small studies are trained one after the other in one workspace, and both of their forecasts are scored. Then
meters stand side by side, batching is compared with one run after another, and CarbonTracker's figure for `capacity`
stands beside ours, with each difference as a factor. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

import paribus
from benchmarks import machine
from benchmarks.energy_page import page
from paribus.energy.forecast import ENOUGH
from paribus.execution.forecasts import FIRST, PLAN
from paribus.execution.runner import PreparedStudy, prepare, run_study
from paribus.spec.builtin import text
from paribus.spec.study import Study, parse
from paribus.store.forecasts import ScoredForecast, scored
from paribus.store.records import UsageRecord
from paribus.store.workspace import Workspace

STUDIES: Final = 60
WHOLE_EPOCHS: Final = 1500
"""Of `capacity`, whose figure the reference's tracker has predicted from one epoch."""
EPOCHS: Final = 20
"""Epochs that are trained of it here."""
TOOLS: Final = ("codecarbon", "carbontracker")


@dataclass(frozen=True)
class Score:
    """One forecast of one small study: seconds expected and used, the range, and whether it was from a study's own
    workspace (after `ENOUGH` forecasts) or the default."""

    kind: str
    expected_s: float
    low_s: float
    high_s: float
    used_s: float
    own_range: bool

    @property
    def error(self) -> float:
        return self.expected_s / self.used_s - 1

    @property
    def within(self) -> bool:
        return self.low_s <= self.used_s <= self.high_s


def small_study(number: int) -> Study:
    """A study of random size, which trains for about two to twenty seconds."""
    random = np.random.default_rng([2021, number])
    hidden = [int(2 ** random.integers(4, 8)) for _ in range(int(random.integers(1, 4)))]
    arms = {f"lr-{place}": {"optimizer": {"lr": 0.02 * (place + 1)}} for place in range(int(random.integers(1, 4)))}
    return paribus.study(
        f"small-{number}",
        "How long does it take?",
        data={
            "source": "fashion-mnist",
            "split": "scarce",
            "limit": {"train": int(random.integers(300, 1500)), "validation": 300},
        },
        network={"hidden": hidden},
        optimizer={"kind": "sgd", "momentum": 0.9, "lr": 0.02},
        training={"epochs": int(random.integers(300, 1000)), "batch_size": int(2 ** random.integers(5, 8))},
        selection={"rules": ["min-val-loss", "last"]},
        arms=arms,
        replicates=int(random.integers(1, 4)),
        seed=number,
    )


def forecast_scores(studies: int, folder: Path) -> list[Score]:
    """Both forecasts of every small study, in the order in which they were trained."""
    found: list[Score] = []
    with Workspace.open(folder, create=True, write=True) as workspace:
        for number in range(studies):
            study = small_study(number)
            run_study(prepare(study), workspace)
            print(f"{study.name} of {studies} is trained", flush=True)
            record = workspace.study(study.name)
            runs = {run.id for _, _, run in workspace.runs_of(record.id)}
            scores = scored(workspace.forecasts(record.id), workspace.usage(runs))
            found += [_score(one, len([s for s in found if s.kind == _kind(one)])) for one in scores]
    return found


def repeated(studies: int, folder: Path) -> dict[str, Any]:
    """How much the time of a small study differs when it is trained again, which no forecast can know."""
    differences: list[float] = []
    for number in range(0, studies, 3):
        first, again = (_wall_s(small_study(number), folder / f"{number}-{time}") for time in ("first", "again"))
        differences.append(abs(again / first - 1))
    return {"studies": len(differences), "median": median(differences), "largest": max(differences)}


def _wall_s(study: Study, folder: Path) -> float:
    with Workspace.open(folder, create=True, write=True) as workspace:
        return _usage(study, workspace).wall_s


def _kind(one: ScoredForecast) -> str:
    return FIRST if one.basis.startswith(FIRST) else PLAN


def _score(one: ScoredForecast, earlier: int) -> Score:
    assert one.low_s is not None
    assert one.high_s is not None
    return Score(_kind(one), one.expected_wall_s, one.low_s, one.high_s, one.used_wall_s, earlier >= ENOUGH)


def summary(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """For each kind of forecast and of range: studies, median and largest error, and how often the range held."""
    rows: list[dict[str, Any]] = []
    for kind, words in ((PLAN, "the plan"), (FIRST, "the first epochs")):
        for own, range_words in ((False, "default"), (True, "earlier forecasts")):
            some = [score for score in scores if score.kind == kind and score.own_range == own]
            if some:
                errors = [abs(score.error) for score in some]
                rows.append(
                    {
                        "from": words,
                        "range": range_words,
                        "studies": len(some),
                        "median_error": median(errors),
                        "largest_error": max(errors),
                        "within": sum(score.within for score in some) / len(some),
                        "median_width": median(score.high_s / score.low_s for score in some),
                        "lowest_ratio": min(score.used_s / score.expected_s for score in some),
                        "highest_ratio": max(score.used_s / score.expected_s for score in some),
                    }
                )
    return rows


def capacity(epochs: int) -> Study:
    """`capacity` with one replicate and few epochs."""
    changes = {"training.epochs": str(epochs), "replicates": "1", "snapshots.outputs": "false"}
    return parse(text("capacity"), place="capacity", overrides=changes)


def side_by_side(epochs: int, folder: Path) -> dict[str, Any]:
    """One session of `capacity` with our model and both tools: joules, seconds and what each says of itself."""
    with Workspace.open(folder, create=True, write=True) as workspace:
        usage = _usage(capacity(epochs), workspace, meters=("model", *TOOLS))
        first = {"energy_j": usage.energy_j, "tag": usage.tag, **usage.method}
    meters = [first, *first.pop("beside")]
    return {
        "wall_s": usage.wall_s,
        "cpu_s": usage.cpu_s,
        "model_epochs": usage.model_epochs,
        "meters": [{key: value for key, value in meter.items() if key != "beside"} for meter in meters],
    }


def _usage(study: Study, workspace: Workspace, meters: Sequence[str] = ("model",)) -> UsageRecord:
    prepared = prepare(study)
    run_study(prepared, workspace, meters=meters)
    (usage,) = workspace.usage([run.id for run in prepared.runs])
    return usage


def batching(folder: Path) -> list[dict[str, Any]]:
    """Sixteen replicates of one network as cohorts of the size that is timed best, and one run at a time."""
    study = paribus.study(
        "batching",
        "What does training together save?",
        data={"source": "fashion-mnist", "split": "scarce"},
        network={"hidden": [32]},
        optimizer={"kind": "sgd", "momentum": 0.9, "lr": 1e-3},
        training={"epochs": 10, "batch_size": 128},
        selection={"rules": ["last"]},
        replicates=16,
    )
    rows: list[dict[str, Any]] = []
    for words, sizes in (("together", None), ("one by one", (1,))):
        prepared = prepare(study)
        if sizes is not None:
            prepared = PreparedStudy(study, prepared.runs, replace(prepared.device, cohort_sizes=sizes))
        with Workspace.open(folder / words.replace(" ", "-"), create=True, write=True) as workspace:
            run_study(prepared, workspace, meters=("model",))
            (usage,) = workspace.usage([run.id for run in prepared.runs])
        assert usage.energy_j is not None
        rows.append(
            {
                "how": words,
                "wall_s": usage.wall_s,
                "energy_j": usage.energy_j,
                "per_model_epoch_j": usage.energy_j / usage.model_epochs,
            }
        )
    return rows


def tracker_factors(meters: dict[str, Any], epochs: int) -> dict[str, Any]:
    """CarbonTracker's figure for the whole of `capacity`, and the factors that lead from ours to it.

    Its way: the energy of what it has seen, for as many epochs as there are to be, times its overhead. Ours: the
    model's joules for each model-epoch, for as many.
    """
    by_name = {meter["meter"]: meter for meter in meters["meters"]}
    ours, theirs = by_name["modelled"], by_name["carbontracker"]
    scale = WHOLE_EPOCHS / epochs
    whole = meters["model_epochs"] * scale
    overhead, wall_s = theirs["removed_overhead"], meters["wall_s"]
    our_w, their_w = ours["energy_j"] / wall_s, theirs["energy_j"] / wall_s
    return {
        "model_epochs": whole,
        "ours_j": ours["energy_j"] * scale,
        "carbontracker_j": theirs["energy_j"] * overhead * scale,
        "factors": [
            {"factor": their_w / our_w, "what": f"power: a constant {their_w:.3g} W in place of {our_w:.3g} W"},
            {"factor": overhead, "what": f"its overhead of a data centre, {overhead:g}"},
        ],
        "watts": {"ours": our_w, "carbontracker": their_w},
        "fallback_g_per_kwh": theirs["fallback_g_per_kwh"],
    }


def measured(studies: int, epochs: int) -> dict[str, Any]:
    """Everything that the page shows."""
    started, before, busy = datetime.now(UTC), machine.ticks(), [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scores = forecast_scores(studies, folder / "small")
        same = repeated(studies, folder)
        busy.append(os.getloadavg()[0])
        meters = side_by_side(epochs, folder / "meters")
        rows = batching(folder)
        busy.append(os.getloadavg()[0])
    here = machine.environment()
    return {
        "forecasts": summary(scores),
        "repeated": same,
        "scores": [asdict(score) for score in scores],
        "meters": meters,
        "batching": rows,
        "capacity": tracker_factors(meters, epochs),
        "machine": {
            "processor": here["processor"],
            "cores": machine.cores(),
            "commit": machine.commit(),
            "started": started.isoformat(timespec="minutes"),
            "stolen": round(machine.stolen_since(before), 3),
            "load": round(max(busy), 1),
        },
    }


def main() -> None:
    """Measure, and write both files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--studies", type=int, default=STUDIES, help=f"small studies (default {STUDIES})")
    parser.add_argument("--quick", action="store_true", help="few studies and epochs: to see that it works")
    parser.add_argument("--output", type=Path, default=machine.ROOT, help="the folder that has `docs`")
    options = parser.parse_args()
    content = measured(6 if options.quick else options.studies, 4 if options.quick else EPOCHS)
    (options.output / "docs" / "energy.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (options.output / "docs" / "energy.md").write_text(page(content), encoding="utf-8")
    print(page(content))


if __name__ == "__main__":
    main()
