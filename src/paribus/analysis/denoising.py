"""Noisy images through the network: the error of the noisy input, of the network's output, and of PCA's projection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.results import Results

Kind = Literal["uniform", "zeroed"]
_MADE = {
    "uniform": "uniform noise in [-{0:g}, {0:g}] added to every pixel, clipped to [0, 1]",
    "zeroed": "{1:g} % of the pixels, drawn at random, set to zero",
}


_MEASURED = "denoise_mse:"
"""The beginning of the names of a network's errors; the rest is the condition, kind and severity."""


@dataclass(frozen=True)
class Denoised:
    """One corruption of the training images, shown to an arm at a rule. Errors are mean squares per pixel to the clean.

    `severity` is the half-width of uniform noise or the share of zeroed pixels. `pca` projects the noisy image on as
    many eigenfaces as the network's narrowest layer has units.
    """

    arm: str
    rule: str
    condition: str
    kind: Kind
    severity: float
    noisy: Estimate
    network: Estimate
    pca: Estimate

    @property
    def made(self) -> str:
        """How the noise was made, in words."""
        return _MADE[self.kind].format(self.severity, 100 * self.severity)

    @property
    def gain(self) -> Estimate:
        """Noisy minus network error, paired by replicate: + where the network cleans."""
        return _difference(self.noisy, self.network)

    @property
    def against_pca(self) -> Estimate:
        """PCA minus network error, paired by replicate: + where the network cleans better than PCA of its rank."""
        return _difference(self.pca, self.network)


def _difference(one: Estimate, other: Estimate) -> Estimate:
    pairs = zip(one.values, other.values, strict=True)
    return estimate(None if a is None or b is None else a - b for a, b in pairs)


def denoised(results: Results) -> tuple[Denoised, ...]:
    """Every arm x rule x corruption that was measured, corruptions as `measured_conditions` orders them."""
    return tuple(
        _denoised(results, arm, rule, condition)
        for arm in results.arms
        for rule in results.rules(arm)
        for condition in measured_conditions(results, arm)
        if any(value is not None for value in results.values(arm, rule, f"denoise_mse:{condition}"))
    )


def measured_conditions(results: Results, arm: str) -> tuple[str, ...]:
    """The corruptions that an arm was shown, such as `uniform-0.4` and `zeroed-0.5`, in the order of measurement.

    The images of each are the arm's artifact `denoising/CONDITION`.
    """
    names = (name for run in results.of(arm) for _, name in run.measurements if name.startswith(_MEASURED))
    return tuple(dict.fromkeys(name.removeprefix(_MEASURED) for name in names))


def _denoised(results: Results, arm: str, rule: str, condition: str) -> Denoised:
    noisy, network, pca = (
        estimate(results.values(arm, rule, f"{name}:{condition}"))
        for name in ("noise_mse", "denoise_mse", "pca_denoise_mse")
    )
    kind, _, severity = condition.partition("-")
    return Denoised(arm, rule, condition, cast("Kind", kind), float(severity), noisy, network, pca)
