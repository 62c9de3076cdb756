"""What autoencoders make of examples that they were not trained on, in words."""

from __future__ import annotations

from paribus.analysis import wording
from paribus.analysis.eigenfaces import PcaComparison, pca_comparisons
from paribus.analysis.estimates import LEVEL_TEXT
from paribus.analysis.results import Results


def sentences(results: Results) -> list[str]:
    """Who is not trained on, that the bound does not hold there, and how each arm compares with PCA."""
    found = [f for f in pca_comparisons(results, "validation") if f.mse.n and f.rule == results.deploy(f.arm)]
    if not found:
        return []
    trained = {(f.arm, f.rule): f for f in pca_comparisons(results)}
    bound = (
        f"{_who(results, found[0].arm)} PCA is fitted to the training images, so it bounds the error on those only: on "
        "other images a network can have a smaller error than PCA of the same rank."
    )
    return [bound, *(_compared(one, trained[one.arm, one.rule]) for one in found)]


def _who(results: Results, arm: str) -> str:
    data = results.recipe(arm).data
    dataset = results.dataset(arm)
    count = "" if dataset is None else f"{dataset.validation:,} "
    if data.split.by == "group":
        return (
            f"Each replicate holds out {count}images, by {data.split.column}: no {data.split.column} is in both parts."
        )
    return f"Each replicate holds out {count}images."


def _compared(found: PcaComparison, trained: PcaComparison) -> str:
    text = (
        f"{found.arm}: error {wording.mean_and_sd('mse', found.mse)} per pixel on images not trained on, "
        f"{wording.quantity('mse', trained.mse.mean)} on training images"
    )
    if found.ratio.mean is None:
        return f"{text}."
    text += (
        f"; {found.ratio.mean:.2f} times PCA's error there ({trained.ratio.mean or 0.0:.2f} times on training images)"
    )
    between = found.excess.interval
    if between is None:
        return f"{text}."
    if between.high < 0:
        return f"{text}. PCA's error is larger, by the {LEVEL_TEXT} interval of the paired difference."
    if between.low > 0:
        return f"{text}. PCA's error is smaller, by the {LEVEL_TEXT} interval of the paired difference."
    return f"{text}: no clear difference from PCA."
