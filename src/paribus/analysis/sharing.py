"""What the arms of one replicate share, in words: all else equal, as far as their networks allow."""

from __future__ import annotations

import json
from collections.abc import Iterator

from paribus.analysis.pairs import differing
from paribus.analysis.results import Results
from paribus.analysis.wording import listed
from paribus.spec.network import Module


def sharing(results: Results) -> Iterator[str]:
    """A sentence on what pairs the arms, and one on where initial weights come from, for each kind of network."""
    if len(results.arms) > 1:
        start = "" if _module_arms(results) else "; layers of equal shape start from the same weights"
        yield (
            "Differences are paired by replicate: arms with the same data settings see the same examples in the same "
            f"order{start}."
        )
        yield from _other_data(results)
        if _module_arms(results):
            yield from _about_modules(results)
    inits = dict.fromkeys(
        network.init
        for network in (results.recipe(arm).network for arm in results.arms)
        if not isinstance(network, Module)
    )
    if inits:
        yield f"Initial weights: {listed(f'{init.kind} ({init.formula})' for init in inits)}."
    if _module_arms(results):
        yield (
            "A module makes its initial weights itself, from random generators that are seeded by the replicate's "
            "stream for them; in each epoch they are seeded by its stream for modules."
        )


def _other_data(results: Results) -> Iterator[str]:
    """The arms that do not see what the control sees."""
    control = results.study.control
    for arm in results.arms:
        keys = differing(results.recipe(control), results.recipe(arm))
        own = [key.replace("_", " ").replace(".", " ") for key in keys if key.startswith(("data.", "augmentation."))]
        if own:
            yield f"{arm} differs from {control} in its data ({listed(own)}), and so in its examples or their order."


def _about_modules(results: Results) -> Iterator[str]:
    """Which arms begin with the same weights."""
    groups: dict[str, list[str]] = {}
    for arm in results.arms:
        network = results.recipe(arm).network
        key = {"module": network.module, "arguments": network.arguments} if isinstance(network, Module) else "layers"
        groups.setdefault(json.dumps(key, sort_keys=True), []).append(arm)
    same = [arms for arms in groups.values() if len(arms) > 1]
    for arms in same:
        layers = isinstance(results.recipe(arms[0]).network, Module)
        where = "" if layers else ", where shapes agree"
        yield f"{listed(arms)} share their initial weights, too{where}."
    if len(groups) > 1:
        yield (
            "Arms of different architectures do not share initial weights: a difference between them has the spread of "
            "both arms' initial weights in it."
        )


def _module_arms(results: Results) -> list[str]:
    return [arm for arm in results.arms if isinstance(results.recipe(arm).network, Module)]
