"""What was done to training inputs, in words, and the examples that runs recorded of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paribus.analysis.results import Results
from paribus.analysis.wording import listed
from paribus.spec.augmentation import Augmentation

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Augmented:
    """Arms whose training inputs are changed in one way.

    `examples` are (row of the source, features (feature,) before and after) of the first examples of the first epoch of
    a finished run, before scaling; none where nothing is recorded.
    """

    arms: tuple[str, ...]
    sentence: str
    examples: tuple[tuple[int, Floats, Floats], ...]


def augmented(results: Results) -> tuple[Augmented, ...]:
    """Each way of augmentation of a study, with its arms, in the study's order."""
    ways: dict[tuple[Augmentation, bool, bool], list[str]] = {}
    for arm in results.arms:
        recipe, dataset = results.recipe(arm), results.dataset(arm)
        if recipe.augmentation.present:
            is_image = dataset is None or len(dataset.shape) > 1
            ways.setdefault((recipe.augmentation, is_image, recipe.task == "reconstruction"), []).append(arm)
    return tuple(
        Augmented(tuple(arms), _sentence(results, arms, *way), _examples(results, arms)) for way, arms in ways.items()
    )


def _sentence(results: Results, arms: list[str], own: Augmentation, is_image: bool, reconstructs: bool) -> str:
    whose = "" if len(arms) == len(results.arms) else f" of {listed(arms)}"
    target = " The target stays the clean example." if reconstructs else ""
    done = "; ".join(_operations(own, is_image))
    return (
        f"Training inputs{whose} are changed at random, anew for each example in each epoch: {done}. Validation and "
        f"test inputs are not changed.{target}"
    )


def _operations(own: Augmentation, is_image: bool) -> Iterator[str]:
    """What is done to one example, in the order in which it is done."""
    thing, scale = ("pixel", "") if is_image else ("feature", " on the scale that the network sees")
    if own.flip == "horizontal":
        yield "it is mirrored, left and right, with probability 1/2"
    if own.shift:
        pixels = "1 pixel" if own.shift == 1 else f"{own.shift} pixels"
        yield f"it is moved by up to {pixels} along each axis, and the edge is filled with zeros"
    if own.noise.gaussian:
        yield f"normal noise with standard deviation {own.noise.gaussian:g} is added to each {thing}{scale}"
    if own.noise.uniform:
        yield f"uniform noise from −{own.noise.uniform:g} to {own.noise.uniform:g} is added to each {thing}{scale}"
    if own.zeroed:
        yield f"each {thing} is set to zero{scale} with probability {own.zeroed:g}"
    if own.mixup:
        yield (
            "it is mixed with another example, inputs and label, and its own share is drawn from the beta distribution "
            f"with parameters {own.mixup:g} and {own.mixup:g} (mixup)"
        )


def _examples(results: Results, arms: list[str]) -> tuple[tuple[int, Floats, Floats], ...]:
    for arm in arms:
        run = results.first(arm)
        arrays = None if run is None else run.artifact("", "augmented")
        if arrays is not None:
            rows = np.asarray(arrays["rows"]).tolist()
            divisor = np.asarray(arrays["divisor"]).item()
            clean, seen = np.asarray(arrays["clean"]), np.asarray(arrays["seen"])
            divided = divisor if seen.dtype == clean.dtype else 1.0
            pairs = zip(rows, clean.astype(np.float64) / divisor, seen.astype(np.float64) / divided, strict=True)
            return tuple(pairs)
    return ()
