"""Corrupted images through a network: how far the noisy image, its output and PCA's are from the clean image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from paribus.analysis.estimates import Estimate, estimate
from paribus.analysis.results import Results

Kind = Literal["uniform", "gaussian", "zeroed", "block"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Quality = Literal["mse", "psnr", "ssim"]
SplitName = Literal["train", "validation"]
QUALITIES: Final[dict[Quality, str]] = {
    "mse": "mean squared error per pixel",
    "psnr": "peak signal-to-noise ratio (dB)",
    "ssim": "structural similarity (SSIM)",
}
"""What is measured of each image; all but the error are better where they are larger."""

PREFIX: Final[dict[SplitName, str]] = {"train": "", "validation": "val_"}
"""How the names of what is measured on a split begin."""
_SHORT: Final[dict[Kind, str]] = {
    "uniform": "uniform noise ±{0:g}",
    "gaussian": "normal noise, sd {0:g}",
    "zeroed": "{1:g} % of pixels zeroed",
    "block": "block of {1:g} % missing",
}
AXES: Final[dict[Kind, str]] = {
    "uniform": "half-width of uniform noise",
    "gaussian": "standard deviation of normal noise",
    "zeroed": "share of pixels set to zero",
    "block": "share of pixels under a block",
}
"""What the severity of each kind is."""


@dataclass(frozen=True)
class Denoised:
    """One corruption of the images of a split, shown to an arm at a rule: one quality of what comes out.

    `noisy` is the corrupted image itself: doing nothing. `pca` projects it on as many eigenfaces as the network's
    narrowest layer has units. All three are compared with the clean image.
    """

    arm: str
    rule: str
    condition: str
    kind: Kind
    severity: float
    split: SplitName
    quality: Quality
    noisy: Estimate
    network: Estimate
    pca: Estimate

    @property
    def gain(self) -> Estimate:
        """How much better the network's output is than the noisy image, paired by replicate: + where it cleans."""
        return self._better(self.noisy)

    @property
    def against_pca(self) -> Estimate:
        """How much better the network's output is than PCA's, paired by replicate."""
        return self._better(self.pca)

    def _better(self, other: Estimate) -> Estimate:
        sign = -1.0 if self.quality == "mse" else 1.0
        pairs = zip(self.network.values, other.values, strict=True)
        return estimate(None if a is None or b is None else sign * (a - b) for a, b in pairs)


@dataclass(frozen=True)
class Help:
    """At which severities of one kind an arm's output has a clearly lower error than the noisy image, or a higher one.

    Clearly: by the interval of the paired difference. `severities` are all that were measured, ascending.
    """

    arm: str
    kind: Kind
    split: SplitName
    severities: tuple[float, ...]
    helps: tuple[float, ...]
    harms: tuple[float, ...]

    @property
    def helps_at(self) -> str:
        """Where it helps: `≥ 0.4`, `all`, empty for nowhere."""
        return _range(self.helps, self.severities)

    @property
    def harms_at(self) -> str:
        """Where it harms: `≤ 0.1`."""
        return _range(self.harms, self.severities)


def condition_words(condition: str) -> str:
    """A corruption in short: `uniform-0.4` as `uniform noise ±0.4`, `zeroed-0.5` as `50 % of pixels zeroed`."""
    kind, _, severity = condition.partition("-")
    return _SHORT[kind].format(float(severity), 100 * float(severity)) if kind in _SHORT else condition


def denoised(results: Results, quality: Quality = "mse", split: SplitName = "train") -> tuple[Denoised, ...]:
    """Every arm x rule x corruption of which the quality was measured, as `measured_conditions` orders them."""
    return tuple(
        found
        for arm in results.arms
        for rule in results.rules(arm)
        for condition in measured_conditions(results, arm, split)
        if (found := _denoised(results, arm, rule, condition, quality, split)).network.n
    )


def deployed(results: Results, quality: Quality = "mse", split: SplitName = "train") -> tuple[Denoised, ...]:
    """`denoised` at the rule that each arm deploys by."""
    return tuple(case for case in denoised(results, quality, split) if case.rule == results.deploy(case.arm))


def measured_conditions(results: Results, arm: str, split: SplitName = "train") -> tuple[str, ...]:
    """The corruptions that an arm was shown, such as `uniform-0.4` and `zeroed-0.5`, in the order of measurement.

    The images of each are the arm's artifact `denoising/CONDITION`, of unseen examples `val_denoising/CONDITION`.
    """
    start = f"{PREFIX[split]}denoise_mse:"
    names = (name for run in results.of(arm) for _, name in run.measurements if name.startswith(start))
    return tuple(dict.fromkeys(name.removeprefix(start) for name in names))


def images_name(condition: str, split: SplitName = "train") -> str:
    """The name of the artifact with the images of a corruption."""
    return f"{PREFIX[split]}denoising/{condition}"


def helps(results: Results, split: SplitName = "train") -> tuple[Help, ...]:
    """For each arm and kind of corruption, where the output has a lower error than the noisy image: where it helps."""
    grouped: dict[tuple[str, Kind], list[Denoised]] = {}
    for case in deployed(results, "mse", split):
        grouped.setdefault((case.arm, case.kind), []).append(case)
    return tuple(_help(arm, kind, split, cases) for (arm, kind), cases in grouped.items())


def _help(arm: str, kind: Kind, split: SplitName, cases: list[Denoised]) -> Help:
    ordered = sorted(cases, key=lambda case: case.severity)
    known = [(case.severity, case.gain.interval) for case in ordered]
    return Help(
        arm,
        kind,
        split,
        tuple(severity for severity, _ in known),
        tuple(severity for severity, interval in known if interval is not None and interval.low > 0),
        tuple(severity for severity, interval in known if interval is not None and interval.high < 0),
    )


def _range(at: tuple[float, ...], severities: tuple[float, ...]) -> str:
    """`≥0.4`, `≤0.2`, `all`, the severities themselves, or nothing."""
    if not at:
        return ""
    if at == severities:
        return "all"
    if at == severities[-len(at) :]:
        return f"≥{at[0]:g}"
    if at == severities[: len(at)]:
        return f"≤{at[-1]:g}"
    return ", ".join(f"{severity:g}" for severity in at)


def _denoised(results: Results, arm: str, rule: str, condition: str, quality: Quality, split: SplitName) -> Denoised:
    noisy, network, pca = (
        estimate(results.values(arm, rule, f"{PREFIX[split]}{name}_{quality}:{condition}"))
        for name in ("noise", "denoise", "pca_denoise")
    )
    kind, _, severity = condition.partition("-")
    return Denoised(arm, rule, condition, cast("Kind", kind), float(severity), split, quality, noisy, network, pca)


def curves(cases: tuple[Denoised, ...]) -> Iterator[tuple[Kind, tuple[Denoised, ...]]]:
    """The cases of each kind of corruption, by arm and then by severity."""
    for kind in KINDS:
        own = [case for case in cases if case.kind == kind]
        order = list(dict.fromkeys(case.arm for case in own))
        if own:
            yield kind, tuple(sorted(own, key=lambda case: (order.index(case.arm), case.severity)))
