"""What is measured of autoencoders: the error of their reconstructions, and what they make of corrupted images.

Images pass through the network some hundred at a time, and only their errors, moments and a few examples are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
import numpy.typing as npt

from paribus import seeding
from paribus.data.corruption import Condition
from paribus.data.pool import Features, Split
from paribus.spec.identity import RunSpec
from paribus.training.engine import Floats
from paribus.training.inference import ROWS, Inference
from paribus.training.measurements import Measurements, shown_positions
from paribus.training.moments import Moments
from paribus.training.principal_components import principal_components

Doubles = npt.NDArray[np.float64]


def example_errors(network: Inference, split: Split) -> Doubles:
    """The mean squared error per feature of each example's reconstruction, (example,)."""
    return np.concatenate([_errors(network.unscaled(f.outputs[0]), part.inputs) for part, f in network.parts(split)])


@final
class ReconstructionErrors:
    """The error per feature on the training images, which come in parts and in order."""

    def __init__(self, network: Inference, spec: RunSpec, train: Split) -> None:
        self._network, self._pca, self._rank = network, principal_components(train), _rank(spec, train)
        self._of_outputs, self._of_images = Moments(), Moments()
        self._shown, self._errors = _Shown(len(train)), list[Doubles]()

    def add(self, part: Split, outputs: Floats) -> None:
        """Take in the network's outputs (example, feature) for the next examples."""
        images, reconstructed = part.inputs, self._network.unscaled(outputs)
        self._errors.append(_errors(reconstructed, images))
        self._of_outputs.add(reconstructed)
        self._of_images.add(images)
        self._shown.add(inputs=images, outputs=reconstructed)

    def by_example(self) -> Doubles:
        """The mean squared error per feature of each example, (example,)."""
        return np.concatenate(self._errors)

    def record(self, rule: str, into: Measurements) -> None:
        """The error, beside that of PCA of the same rank and of the mean image, and a few reconstructions.

        Without PCA where the rank of the network's code is not known.
        """
        by_rank = self._pca.mse_by_rank
        into.number(rule, mse=self.by_example().mean())
        if self._rank is not None:
            into.number(rule, pca_mse=by_rank[self._rank])
        into.number(rule, mean_mse=by_rank[0])
        variation = self._of_images.variance.sum()
        if variation > 0:
            into.number(rule, output_variation=self._of_outputs.variance.sum() / variation)
        into.arrays(rule, "reconstructions", **self._shown.arrays())


def measure_denoising(
    network: Inference, spec: RunSpec, rule: str, train: Split, conditions: Sequence[Condition], into: Measurements
) -> None:
    """Corrupted training images through the network, and through PCA of the same rank, against the clean ones.

    All conditions have the same random numbers: a larger share of zeroed features has those of a smaller one and
    further ones, and what a condition comes to does not depend on the others.
    """
    pca, rank = principal_components(train), _rank(spec, train)
    assert rank is not None  # no recipe of a module has denoising conditions
    for condition in conditions:
        draws = seeding.draws(spec.streams.pixel_noise, "pixel_noise")
        shown, errors = _Shown(len(train)), dict[str, list[Doubles]](noise=[], denoise=[], pca_denoise=[])
        for clean in _blocks(train):
            corrupted = condition.applied(clean, draws)
            outputs, projected = network.reconstructions(corrupted), pca.projected(corrupted, rank)
            for name, images in (("noise", corrupted), ("denoise", outputs), ("pca_denoise", projected)):
                errors[name].append(_errors(images, clean))
            shown.add(clean=clean, inputs=corrupted, outputs=outputs, pca=projected)
        means = {name: np.concatenate(of_parts).mean() for name, of_parts in errors.items()}
        into.number(rule, **{f"{name}_mse:{condition.name}": mean for name, mean in means.items()})
        into.arrays(rule, f"denoising/{condition.name}", **shown.arrays())


@final
@dataclass
class _Shown:
    """Collects a few examples, spread evenly over `examples` of them, from parts that come in order."""

    examples: int
    _at: int = 0
    _kept: dict[str, list[Features]] = field(default_factory=dict[str, list[Features]])

    def add(self, **images: Features) -> None:
        """Take in the next examples: arrays (example, feature) of equal length."""
        count = len(next(iter(images.values())))
        positions = shown_positions(self.examples) - self._at
        chosen = positions[(positions >= 0) & (positions < count)]
        for name, values in images.items():
            self._kept.setdefault(name, []).append(values[chosen])
        self._at += count

    def arrays(self) -> dict[str, Features]:
        return {name: np.concatenate(parts) for name, parts in self._kept.items()}


def _rank(spec: RunSpec, train: Split) -> int | None:
    """The rank of a linear code as wide as the network's narrowest layer; None for a module, whose layers are its own
    affair."""
    widths = spec.recipe.widths(spec.dataset)
    return min(*widths, len(principal_components(train).components)) if widths else None


def _blocks(split: Split) -> Iterator[Features]:
    for at in range(0, len(split), ROWS):
        yield split.take(slice(at, at + ROWS)).inputs


def _errors(a: Features, b: Features) -> Doubles:
    """The mean squared difference of each row, (example,)."""
    return np.asarray(np.mean(np.square(a - b), axis=1, dtype=np.float64))
