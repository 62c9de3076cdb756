"""Corrupted images through the networks: quality against severity, and images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from paribus.analysis.denoising import (
    QUALITIES,
    Denoised,
    Quality,
    SplitName,
    condition_words,
    curves,
    deployed,
    helps,
    images_name,
    measured_conditions,
)
from paribus.analysis.denoising_answers import IMAGES, NAMES, help_sentence, tally
from paribus.analysis.eigenfaces import pca_rank
from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.analysis.shown_arms import shown_arms
from paribus.analysis.wording import capital, listed
from paribus.report.blocks import Block, Cell, Chart, Fold, Montage, Record, Section, SideBySide, Strip, Table
from paribus.report.denoising_charts import severity_chart
from paribus.report.montage import strip
from paribus.report.reconstructions import montage, runs_of_images
from paribus.report.tabulate import NONE, Column, arm, estimated, mean_and_sd, table
from paribus.spec.metrics import Form
from paribus.store.records import Tensors

SHOWN = 6
_FORMS: dict[Quality, Form] = {"mse": "error", "psnr": "ratio", "ssim": "ratio"}
_IN_SHORT: dict[Quality, str] = {"mse": "error", "psnr": "PSNR, dB", "ssim": "SSIM"}
_SPLITS: tuple[SplitName, ...] = ("train", "validation")


def section(results: Results) -> Section | None:
    """Curves of error, PSNR and SSIM, images of each corruption, and the numbers; on trained images, then on others."""
    measured: list[SplitName] = [split for split in _SPLITS if deployed(results, "mse", split)]
    if not measured:
        return None
    blocks: list[Block] = []
    for split in measured:
        for quality in QUALITIES:
            drawn = charts_of(results, quality, split)
            if drawn and quality == "mse":
                blocks += [SideBySide(drawn)] if len(drawn) > 1 else drawn
            elif drawn:
                blocks.append(Fold(f"{capital(QUALITIES[quality])}, {IMAGES[split]}", (SideBySide(drawn),)))
        blocks.append(_help_table(results, split))
        blocks += _galleries(results, split)
        blocks.append(_table(results, split))
    return Section("denoising", "Corrupted images through the networks", tuple(blocks), lead=_lead(results))


def _lead(results: Results) -> tuple[str, ...]:
    noisy = [arm for arm in results.arms if results.recipe(arm).augmentation.present]
    words = "The networks were trained on clean images only, like PCA."
    if noisy:
        verb = "were" if len(noisy) > 1 else "was"
        words = f"{listed(noisy)} {verb} trained to remove noise, the other arms and PCA on clean images."
    counted = tally([case for case in deployed(results) if case.gain.interval is not None])
    return (*([counted] if counted else []), f"{words} {help_sentence()}")


def _help_table(results: Results, split: SplitName) -> Table:
    """Where each arm helps: a row for each arm, a column for each kind of corruption."""
    found = [one for one in helps(results, split) if one.arm in shown_arms(results)]
    kinds = list(dict.fromkeys(one.kind for one in found))
    by_arm: dict[str, dict[str, str]] = {}
    for one in found:
        own = by_arm.setdefault(one.arm, {})
        own |= {f"{one.kind}_helps": one.helps_at, f"{one.kind}_harms": one.harms_at}
    records = [{"arm": name, **own} for name, own in by_arm.items()]
    columns = [arm(results.arms), *(Column(NAMES[kind], _help(kind)) for kind in kinds)]
    name = f"helps{'-unseen' if split == 'validation' else ''}"
    return table(name, f"Severities at which the networks help (harm), {IMAGES[split]}", columns, records)


def _help(kind: str) -> Callable[[Record], Cell]:
    """Where an arm helps with a kind of corruption, and in brackets where it harms: `≥0.4 (≤0.1)`."""

    def show(record: Record) -> Cell:
        harms = record.get(f"{kind}_harms")
        return Cell(str(record.get(f"{kind}_helps") or NONE), faint=f"({harms})" if harms else "")

    return show


def charts_of(results: Results, quality: Quality, split: SplitName) -> tuple[Chart, ...]:
    """A chart for each kind of corruption: the quality against severity."""
    arms = shown_arms(results)
    cases = tuple(case for case in deployed(results, quality, split) if case.arm in arms)
    return tuple(severity_chart(results, kind, own, IMAGES[split]) for kind, own in curves(cases))


def pixels(images: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Kept images (image, pixel) in [0, 1]: bytes are divided by 255."""
    return np.asarray(images, np.float64) / (255 if images.dtype == np.uint8 else 1)


def _galleries(results: Results, split: SplitName) -> list[Block]:
    """The images of the middle severity of each kind of corruption, all but the first kind folded.

    More of them would make the page heavy.
    """
    found = _images(results, split)
    kinds: dict[str, list[Montage]] = {}
    for condition, block in found.items():
        kinds.setdefault(condition.partition("-")[0], []).append(block)
    shown = tuple(blocks[len(blocks) // 2] for blocks in kinds.values())
    rest = [Fold(f"Images of other corruptions, {IMAGES[split]}", (SideBySide(shown[1:]),))] if shown[1:] else []
    return [*shown[:1], *rest]


def _images(results: Results, split: SplitName) -> dict[str, Montage]:
    runs, shape = runs_of_images(results)
    shown: dict[str, list[tuple[Run, Tensors]]] = {}
    for run in runs:
        for condition in measured_conditions(results, run.arm, split):
            found = run.artifact(results.deploy(run.arm), images_name(condition, split))
            if found is not None:
                shown.setdefault(condition, []).append((run, found))
    return {condition: _condition(results, condition, arms, shape, split) for condition, arms in shown.items()}


def _condition(
    results: Results, condition: str, arms: Sequence[tuple[Run, Tensors]], shape: tuple[int, int], split: SplitName
) -> Montage:
    """One condition's rows: the clean images, the noisy ones, every arm that was shown them, PCA by rank."""
    _, arrays = arms[0]
    clean = pixels(arrays["clean"])[:SHOWN]
    words = condition_words(condition)

    def row(label: str, images: npt.NDArray[np.generic], alt: str, place: int | None = None) -> Strip:
        return Strip(label, strip(pixels(images)[:SHOWN], shape), f"{capital(words)}: {alt}", len(clean), place)

    strips = [
        row("clean", arrays["clean"], "the clean images"),
        row("noisy", arrays["inputs"], "the noisy images"),
    ]
    ranks: dict[int, Strip] = {}
    for run, found in arms:
        if not np.array_equal(found["clean"], arrays["clean"]):
            continue
        strips.append(row(run.arm, found["outputs"], f"what {run.arm} makes of them", results.arms.index(run.arm)))
        if "pca" in found:
            rank = pca_rank(results, run.arm)
            alt = f"what PCA of rank {rank} makes of them"
            ranks.setdefault(rank, row(f"PCA, rank {rank}", found["pca"], alt))
    name = f"noisy-{'unseen-' if split == 'validation' else ''}{condition}"
    return montage(name, f"{capital(words)}, {IMAGES[split]}", (), [*strips, *ranks.values()], shape)


def _table(results: Results, split: SplitName) -> Table:
    found = {quality: {_key(case): case for case in deployed(results, quality, split)} for quality in QUALITIES}
    records: list[Record] = [
        {
            "condition": case.condition,
            "kind": case.kind,
            "severity": case.severity,
            "arm": case.arm,
            "rule": case.rule,
            **{
                name: value
                for quality, cases in found.items()
                if (own := cases.get(key)) is not None
                for who, got in (("noisy", own.noisy), ("network", own.network), ("pca", own.pca))
                for name, value in estimated(f"{who}_{quality}", got).items()
            },
        }
        for key, case in found["mse"].items()
    ]
    columns = [Column("corruption", lambda r: Cell(condition_words(r["condition"]))), arm(results.arms)]
    for quality, short in _IN_SHORT.items():
        if found[quality]:
            columns += [
                mean_and_sd(f"{who}: {short}", f"{key}_{quality}", _FORMS[quality])
                for who, key in (("noisy", "noisy"), ("network", "network"), ("PCA", "pca"))
            ]
    name = "denoising" if split == "train" else "denoising-unseen"
    title = f"Every corruption, {IMAGES[split]}"
    return table(name, title, columns, records, fold=True)


def _key(case: Denoised) -> tuple[str, str]:
    return case.arm, case.condition
