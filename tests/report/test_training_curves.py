from __future__ import annotations

import numpy as np

from paribus.analysis.results import Results
from paribus.report import training_curves
from paribus.report.blocks import Chart, within


def charts_of(results: Results) -> dict[str, Chart]:
    section = training_curves.section(results)
    assert section is not None
    return {block.name: block for block in within(section.blocks) if isinstance(block, Chart)}


def test_thinning_keeps_the_first_the_last_and_every_selected_epoch(selection_results: Results) -> None:
    chart = charts_of(selection_results)["curve-val-accuracy"]
    marks = chart.data["marks"]
    rules = 3
    assert len(marks) == len(selection_results.arms) * selection_results.study.replicates.count * rules
    drawn = {row["epoch"] for row in chart.data["curves"]}
    assert {row["epoch"] for row in marks} <= drawn
    assert {1, 1500} <= drawn
    assert len(drawn) <= 1.1 * training_curves.POINTS + len(marks)


def test_a_drawn_value_is_the_mean_and_the_range_of_the_runs(selection_results: Results) -> None:
    row = next(r for r in charts_of(selection_results)["curve-val-loss"].data["curves"] if r["epoch"] == 1500)
    curves = [run.curves["val_loss"][1499] for run in selection_results.finished(row["arm"])]
    assert np.allclose([row["mean"], row["lo"], row["hi"]], [np.mean(curves), min(curves), max(curves)], rtol=1e-5)


def test_every_selected_epoch_is_in_sight(selection_results: Results) -> None:
    for chart in charts_of(selection_results).values():
        domains = [
            layer["encoding"]["y"]["scale"]["domain"]
            for layer in chart.spec["layer"]
            if "domain" in layer["encoding"].get("y", {}).get("scale", {})
        ]
        for low, high in domains:
            assert all(low <= mark["value"] <= high for mark in chart.data["marks"])


def test_a_learning_rate_that_steps_is_drawn_with_its_step(selection_results: Results) -> None:
    rows = charts_of(selection_results)["curve-lr"].data["curves"]
    arm = next(a.name for a in selection_results.study.arms if a.recipe.schedule.kind == "multi-step")
    rates = {row["epoch"]: row["mean"] for row in rows if row["arm"] == arm}
    assert (rates[80], rates[81]) == (1e-3, 1e-4)


def test_a_diverged_run_leaves_the_others_curves(noisy_results: Results) -> None:
    rows = [r for r in charts_of(noisy_results)["curve-test-accuracy"].data["curves"] if r["arm"] == "dropout"]
    assert max(row["epoch"] for row in rows) == noisy_results.recipe("dropout").training.epochs
