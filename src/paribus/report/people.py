"""Reconstructions of examples that were not trained on, where PCA is a rival and no bound."""

from __future__ import annotations

from paribus.analysis.eigenfaces import PcaComparison, pca_comparisons
from paribus.analysis.results import Results
from paribus.analysis.unseen_answers import sentences
from paribus.report.blocks import Block, Section, Table
from paribus.report.dotplots import Line, plot
from paribus.report.reconstructions import grid
from paribus.report.tabulate import arm, estimated, mean_and_sd, table, text


def section(results: Results) -> Section | None:
    """Images not trained on, the errors on them beside PCA's and beside those of training; None without such images."""
    unseen = [f for f in pca_comparisons(results, "validation") if f.mse.n and f.rule == results.deploy(f.arm)]
    if not unseen:
        return None
    trained = {(f.arm, f.rule): f for f in pca_comparisons(results)}
    images = grid(results, "unseen", "", "validation")
    ratios = [Line(found.arm, found.arm, found.ratio, 1.0) for found in unseen if found.ratio.n]
    blocks: list[Block] = [] if images is None else [images]
    if ratios:
        blocks.append(
            plot(
                results,
                "unseen-ratio",
                "Error on images not trained on, relative to PCA",
                ratios,
                "val_mse",
                axis="error of the network / error of PCA of the same rank",
                reference="PCA",
            )
        )
    blocks.append(_table(results, unseen, trained))
    return Section("unseen", "Images not trained on", tuple(blocks), lead=(" ".join(sentences(results)),))


def _table(results: Results, unseen: list[PcaComparison], trained: dict[tuple[str, str], PcaComparison]) -> Table:
    records = [
        {
            "arm": found.arm,
            "rule": found.rule,
            "rank": found.rank,
            **estimated("trained", trained[found.arm, found.rule].mse),
            **estimated("unseen", found.mse),
            **estimated("pca_trained", trained[found.arm, found.rule].pca_mse),
            **estimated("pca_unseen", found.pca_mse),
            **estimated("ratio", found.ratio),
        }
        for found in unseen
    ]
    columns = [
        arm(results.arms),
        text("n", "rank"),
        mean_and_sd("network, trained on", "trained", "error"),
        mean_and_sd("network, not trained on", "unseen", "error"),
        mean_and_sd("PCA, trained on", "pca_trained", "error"),
        mean_and_sd("PCA, not trained on", "pca_unseen", "error"),
        mean_and_sd("network / PCA, not trained on", "ratio", "ratio"),
    ]
    note = "Mean squared errors per pixel. PCA is fitted to the training images only."
    return table("unseen", "Errors on images trained on and not", columns, records, note=note)
