"""Which weights of a study are exported, and what their files are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from paribus.analysis.results import Results
from paribus.analysis.run import Run
from paribus.errors import Shown, UserError, nearest
from paribus.spec.network import Autoencoder, Module

NETWORKS: Final = {
    (784, 32, 10): "ShallowMLP",
    (784, 32, 64, 32, 10): "DeepMLP",
    (784, 128, 64, 128, 10): "DeepWideMLP",
    (784, 256, 128, 64, 128, 10): "CustomMLP",
    (4096, 16, 4096): "AE_n16",
    (4096, 64, 4096): "AE_n64",
}
"""The names that the reference's published weight files have for its networks, by the units of their layers."""
SCHEDULES: Final = {
    "constant": "FixedLR",
    "step": "StepLR",
    "multi-step": "MultiStepLR",
    "exponential": "ExponentialLR",
    "cosine": "CosineAnnealingLR",
    "cosine-restarts": "CosineAnnealingWarmRestarts",
    "one-cycle": "OneCycleLR",
    "reduce-on-plateau": "ReduceLROnPlateau",
    "settle": "SettleLR",
}
"""The first as the reference's files have it, the others as PyTorch's classes are called."""


@dataclass(frozen=True, eq=False)
class KeptWeights:
    """The weights of one epoch of a run: those of one selection rule, or of several that chose the same epoch.

    `stem` is the name of the file, without its ending.
    """

    run: Run
    rules: tuple[str, ...]
    epoch: int
    tensors: str
    stem: str

    def facts(self) -> dict[str, Any]:
        """What is to be known of the file, as plain values."""
        return {
            "arm": self.run.arm,
            "replicate": self.run.replicate,
            "rules": list(self.rules),
            "epoch": self.epoch,
            "run": self.run.id,
        }


@dataclass(frozen=True)
class Choice:
    """What is wanted of a study: arms, replicates and rules; empty for all of them."""

    arms: tuple[str, ...] = ()
    replicates: tuple[int, ...] = ()
    rules: tuple[str, ...] = ()


def kept_weights(results: Results, choice: Choice) -> tuple[KeptWeights, ...]:
    """The selected weights of the runs that are done, in the study's order.

    Raises UserError for an arm, a replicate or a rule that the study does not have, and where nothing is recorded.
    """
    _check("--arm", choice.arms, results.arms)
    _check("--rule", choice.rules, tuple(dict.fromkeys(rule for arm in results.arms for rule in results.rules(arm))))
    known = tuple(map(str, results.study.replicates.indices))
    _check("--replicate", tuple(map(str, choice.replicates)), known)
    names, first = arm_names(results), results.study.replicates.indices[0]
    found: list[KeptWeights] = []
    for run in results.runs:
        if run.state != "done" or (choice.arms and run.arm not in choice.arms):
            continue
        if choice.replicates and run.replicate not in choice.replicates:
            continue
        by_epoch: dict[tuple[int, str], list[str]] = {}
        for rule in results.rules(run.arm):
            chosen = run.selections.get(rule)
            wanted = not choice.rules or rule in choice.rules
            if chosen is not None and chosen.epoch is not None and chosen.tensors is not None and wanted:
                by_epoch.setdefault((chosen.epoch, chosen.tensors), []).append(rule)
        suffix = "" if run.replicate == first else f"_r{run.replicate}"
        found += [
            KeptWeights(run, tuple(rules), epoch, tensors, f"{names[run.arm]}{suffix}_{epoch:04d}")
            for (epoch, tensors), rules in by_epoch.items()
        ]
    if not found:
        raise UserError(
            "needs runs that are done, with selected weights",
            given=Shown("none"),
            place=f"study {results.study.name}",
            remedy="run the study first, or name other arms",
        )
    return tuple(found)


def arm_names(results: Results) -> dict[str, str]:
    """What files are called for each arm: `ShallowMLP_FixedLR` where all arms are networks of the reference that such
    names tell apart, else the arms' own names."""
    published: dict[str, str] = {}
    for arm in results.arms:
        recipe, widths = results.recipe(arm), results.widths(arm) or ()
        plain = not isinstance(recipe.network, Module) and not recipe.network.batch_norm
        is_coder = isinstance(recipe.network, Autoencoder)
        known = NETWORKS.get(widths) if plain and is_coder == (widths[:1] == widths[-1:]) else None
        if known is not None:
            published[arm] = f"{known}_{SCHEDULES[recipe.schedule.kind]}"
    if len(set(published.values())) == len(results.arms):
        return published
    return {arm: arm for arm in results.arms}


def _check(place: str, given: Sequence[str], known: Sequence[str]) -> None:
    for word in given:
        if word not in known:
            raise UserError("must be one of the study's", given=word, place=place, remedy=nearest(word, known))
