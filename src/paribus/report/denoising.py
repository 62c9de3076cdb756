"""Corrupted images through the networks: what comes out, and how far that is from the clean image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paribus.analysis.denoising import Denoised, denoised, measured_conditions
from paribus.analysis.eigenfaces import pca_rank
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.wording import capital
from paribus.report.blocks import Block, Cell, Montage, Record, Section, SideBySide, Strip, Table
from paribus.report.dotplots import Line, plot
from paribus.report.montage import strip
from paribus.report.reconstructions import montage, runs_of_images
from paribus.report.tabulate import Column, arm, estimated, mean_and_sd, table
from paribus.store.records import Tensors

SHOWN = 6


def section(results: Results) -> Section | None:
    """Condition by condition: clean, noisy, every arm, PCA; then the errors."""
    found = [case for case in denoised(results) if case.network.n]
    if not found:
        return None
    images = _images(results)
    blocks: list[Block] = [SideBySide(tuple(images))] if len(images) > 1 else list(images)
    blocks += [_errors(results, found), _table(results, found)]
    made = "; ".join(dict.fromkeys(case.made for case in found))
    lead = (
        f"How the noise was made: {made}. The networks were trained on clean images only; noisy ones go through them "
        "as they are. PCA of the same rank, fitted to the same clean images, stands beside them."
    )
    return Section("denoising", "Noisy images through the networks", tuple(blocks), lead=(lead,))


def condition_words(condition: str) -> str:
    """A corruption in short: `uniform-0.4` as `uniform noise ±0.4`, `zeroed-0.5` as `50 % of pixels zeroed`."""
    kind, _, severity = condition.partition("-")
    if kind == "uniform":
        return f"uniform noise ±{severity}"
    if kind == "zeroed":
        return f"{100 * float(severity):g} % of pixels zeroed"
    return condition


def _images(results: Results) -> list[Montage]:
    runs, shape = runs_of_images(results)
    shown: dict[str, list[tuple[Run, Tensors]]] = {}
    for run in runs:
        for condition in measured_conditions(results, run.arm):
            found = run.artifact(results.deploy(run.arm), f"denoising/{condition}")
            if found is not None:
                shown.setdefault(condition, []).append((run, found))
    return [_condition(results, condition, arms, shape) for condition, arms in shown.items()]


def _condition(
    results: Results, condition: str, arms: Sequence[tuple[Run, Tensors]], shape: tuple[int, int]
) -> Montage:
    """One condition's rows: the clean images, the noisy ones, every arm that was shown them, PCA by rank."""
    _, arrays = arms[0]
    clean = np.asarray(arrays["clean"])[:SHOWN]
    words = condition_words(condition)

    def row(label: str, images: np.ndarray, alt: str, place: int | None = None) -> Strip:
        return Strip(label, strip(images[:SHOWN], shape), f"{capital(words)}: {alt}", len(clean), place)

    strips = [
        row("clean", clean, "the clean images"),
        row("noisy", np.asarray(arrays["inputs"]), "the noisy images"),
    ]
    ranks: dict[int, Strip] = {}
    for run, arrays in arms:
        place = results.arms.index(run.arm)
        strips.append(row(run.arm, np.asarray(arrays["outputs"]), f"what {run.arm} makes of them", place))
        if "pca" in arrays:
            rank = pca_rank(results, run.arm)
            pca = np.asarray(arrays["pca"])
            ranks.setdefault(rank, row(f"PCA, rank {rank}", pca, f"what PCA of rank {rank} makes of them"))
    return montage(f"noisy-{condition}", capital(words), (), [*strips, *ranks.values()], shape)


def _errors(results: Results, found: Sequence[Denoised]) -> Block:
    at_deploy = [case for case in found if case.rule == results.deploy(case.arm)] or list(found)
    at_deploy.sort(key=lambda case: (case.kind, case.severity, results.arms.index(case.arm)))
    lines = [
        Line(f"{condition_words(case.condition)} · {case.arm}", case.arm, case.network, case.pca.mean)
        for case in at_deploy
    ]
    return plot(
        results,
        "denoising-errors",
        "How far from the clean image",
        lines,
        "mse",
        axis="mean squared error to the clean image, per pixel",
        reference="PCA of the same rank",
    )


def _table(results: Results, found: Sequence[Denoised]) -> Table:
    records: list[Record] = [
        {
            "condition": case.condition,
            "kind": case.kind,
            "severity": case.severity,
            "arm": case.arm,
            "rule": case.rule,
            **estimated("noisy_mse", case.noisy),
            **estimated("network_mse", case.network),
            **estimated("pca_mse", case.pca),
        }
        for case in found
    ]
    columns = [
        Column("noise", lambda r: Cell(condition_words(r["condition"]))),
        arm(results.arms),
        Column("rule", lambda r: Cell(r["rule"])),
        mean_and_sd("noisy image", "noisy_mse", "error"),
        mean_and_sd("network's output", "network_mse", "error"),
        mean_and_sd("PCA, same rank", "pca_mse", "error"),
    ]
    title = "Mean squared error to the clean image, per pixel"
    return table("denoising", title, columns, records, fold=len(records) > 16)
