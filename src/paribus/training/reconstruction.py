"""What is measured of autoencoders: the error of their reconstructions, and what they make of corrupted images.

Images pass through the network some hundred at a time, and only their errors, moments and a few examples are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, final

import numpy as np
import numpy.typing as npt

from paribus import seeding
from paribus.data.corruption import Condition
from paribus.data.pool import Features, Split
from paribus.spec.identity import RunSpec
from paribus.training.engine import Floats
from paribus.training.inference import Inference
from paribus.training.measurements import Measurements, shown_positions
from paribus.training.moments import Moments
from paribus.training.principal_components import principal_components
from paribus.training.similarity import Similarity, has_ssim, psnr

Doubles = npt.NDArray[np.float64]
Prefix = Literal["", "val_", "test_"]
"""How names of what is measured begin: those of the training split with nothing."""

MAX_EXTREMES: Final = 6
"""Examples of the smallest error that are kept with their reconstructions, and as many of the largest."""
MAX_CORRUPTED: Final = 100
"""Examples of a split that are corrupted, spread evenly over it."""
MAX_CORRUPTED_SHOWN: Final = 4
"""Of these, how many are kept as images."""
_COUNTERS: Final[dict[Prefix, tuple[int, ...]]] = {"": (), "val_": (1,), "test_": (2,)}
"""Each split has draws of its own for its corruptions."""


def reconstruction_names(spec: RunSpec) -> tuple[str, ...]:
    """The metrics of one split, without its prefix, that are recorded of every run like this one."""
    return ("mse", "pca_mse", "mean_mse") if spec.recipe.widths(spec.dataset) else ("mse", "mean_mse")


def example_errors(network: Inference, split: Split) -> Doubles:
    """The mean squared error per feature of each example's reconstruction, (example,)."""
    return np.concatenate([_errors(network.unscaled(f.outputs[0]), part.inputs) for part, f in network.parts(split)])


@final
class ReconstructionErrors:
    """The error per feature on the examples of one split, which come in parts and in order.

    PCA is that of the training split, whichever split this is.
    """

    def __init__(self, network: Inference, spec: RunSpec, train: Split, split: Split, prefix: Prefix = "") -> None:
        self._network, self._prefix = network, prefix
        self._pca, self._rank = principal_components(train), _rank(spec, train)
        self._of_outputs, self._of_images = Moments(), Moments()
        self._shown, self._extremes = _Shown(len(split)), _Extremes()
        self._errors, self._of_pca, self._of_mean = list[Doubles](), list[Doubles](), list[Doubles]()

    def add(self, part: Split, outputs: Floats) -> None:
        """Take in the network's outputs (example, feature) for the next examples."""
        images, reconstructed = part.inputs, self._network.unscaled(outputs)
        errors = _errors(reconstructed, images)
        self._extremes.add(errors, part.source_rows, inputs=images, outputs=reconstructed)
        self._errors.append(errors)
        self._shown.add(inputs=images, outputs=reconstructed)
        if self._prefix:
            self._of_mean.append(_errors(self._pca.mean, images))
            if self._rank is not None:
                self._of_pca.append(_errors(self._pca.projected(images, self._rank), images))
        else:
            self._of_outputs.add(reconstructed)
            self._of_images.add(images)

    def by_example(self) -> Doubles:
        """The mean squared error per feature of each example, (example,)."""
        return np.concatenate(self._errors)

    def record(self, rule: str, into: Measurements) -> None:
        """The error, beside that of PCA of the same rank and of the mean image, and some reconstructions.

        Without PCA where the rank of the network's code is not known.
        """
        numbers = {"mse": float(self.by_example().mean())}
        if self._rank is not None:
            numbers["pca_mse"] = self._mean(self._of_pca, self._pca.mse_by_rank[self._rank])
        numbers["mean_mse"] = self._mean(self._of_mean, self._pca.mse_by_rank[0])
        variation = 0.0 if self._prefix else self._of_images.variance.sum()
        if variation > 0:
            numbers["output_variation"] = float(self._of_outputs.variance.sum() / variation)
        into.number(rule, **{f"{self._prefix}{name}": value for name, value in numbers.items()})
        into.arrays(rule, f"{self._prefix}reconstructions", **self._shown.arrays())
        into.arrays(rule, f"{self._prefix}extremes", **self._extremes.arrays())

    def _mean(self, errors: Sequence[Doubles], of_training: float) -> float:
        """The mean error on another split; on the training split PCA itself knows it."""
        return float(np.concatenate(errors).mean()) if self._prefix else float(of_training)


def measure_denoising(
    network: Inference,
    spec: RunSpec,
    rule: str,
    train: Split,
    split: Split,
    prefix: Prefix,
    conditions: Sequence[Condition],
    into: Measurements,
) -> None:
    """Corrupted images of `split` through the network, and through PCA of the same rank, against the clean ones.

    All conditions have the same random numbers: a larger share of zeroed features has those of a smaller one and
    further ones, and the figures of a condition do not depend on the others. PSNR and SSIM are means over the images.
    """
    pca, rank, shape = principal_components(train), _rank(spec, train), spec.dataset.shape
    assert rank is not None  # no recipe of a module has denoising conditions
    clean = split.take(shown_positions(len(split), MAX_CORRUPTED)).inputs
    similarity = Similarity(clean, shape) if has_ssim(shape) else None
    shown = shown_positions(len(clean), MAX_CORRUPTED_SHOWN)
    for condition in conditions:
        draws = seeding.draws(spec.streams.pixel_noise, "pixel_noise", *_COUNTERS[prefix])
        corrupted = condition.applied(clean, shape, draws)
        outputs, projected = network.reconstructions(corrupted), pca.projected(corrupted, rank)
        for name, images in (("noise", corrupted), ("denoise", outputs), ("pca_denoise", projected)):
            errors = _errors(images, clean)
            found = {"mse": errors.mean(), "psnr": psnr(errors).mean()}
            if similarity is not None:
                found["ssim"] = similarity.ssim(images).mean()
            into.number(rule, **{f"{prefix}{name}_{key}:{condition.name}": value for key, value in found.items()})
        kept = {"clean": clean, "inputs": corrupted, "outputs": outputs, "pca": projected}
        into.arrays(
            rule,
            f"{prefix}denoising/{condition.name}",
            **{name: _as_bytes(images[shown]) for name, images in kept.items()},
        )


def _as_bytes(images: Features) -> npt.NDArray[np.uint8]:
    """Images in [0, 1] as bytes, a quarter of the room; what is outside is clipped, and what is not a number is 0."""
    return np.rint(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)


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


@final
class _Extremes:
    """Collects the examples of the smallest and of the largest errors, of equal ones the first."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, npt.NDArray[Any]]] = {"best": {}, "worst": {}}

    def add(self, errors: Doubles, rows: npt.NDArray[np.int64], *, inputs: Features, outputs: Features) -> None:
        """Take in the next examples: their errors and source rows (example,), and their images (example, feature)."""
        new = {"error": errors, "row": rows, "inputs": inputs, "outputs": outputs}
        for which, sign in (("best", 1), ("worst", -1)):
            before = self._kept[which]
            both = {name: np.concatenate([before[name], values]) if before else values for name, values in new.items()}
            order = np.argsort(sign * both["error"], kind="stable")[:MAX_EXTREMES]
            self._kept[which] = {name: values[order] for name, values in both.items()}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """`best_error`, `best_row` (k,), `best_inputs`, `best_outputs` (k, feature), and the same of `worst`."""
        return {
            f"{which}_{name}": values.astype(_KEPT_AS[name])
            for which, found in self._kept.items()
            for name, values in found.items()
        }


_KEPT_AS: Final[dict[str, npt.DTypeLike]] = {
    "error": np.float32,
    "row": np.int32,
    "inputs": np.float16,
    "outputs": np.float16,
}


def _rank(spec: RunSpec, train: Split) -> int | None:
    """The rank of a linear code as wide as the network's narrowest layer; None for a module, whose layers are its own
    affair."""
    widths = spec.recipe.widths(spec.dataset)
    return min(*widths, len(principal_components(train).components)) if widths else None


def _errors(a: Features, b: Features) -> Doubles:
    """The mean squared difference of each row, (example,)."""
    return np.asarray(np.mean(np.square(a - b), axis=1, dtype=np.float64))
