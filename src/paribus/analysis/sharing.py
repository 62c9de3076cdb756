"""What the arms of one replicate share, in words: all else equal, as far as their networks allow."""

from __future__ import annotations

import json
from collections.abc import Iterator

from paribus.analysis.results import Results
from paribus.analysis.wording import listed
from paribus.spec.network import Module


def sharing(results: Results) -> Iterator[str]:
    """A sentence on what pairs the arms, and one on where initial weights come from, for each kind of network."""
    paired = "so that differences between arms can be paired"
    if len(results.arms) > 1 and _module_arms(results):
        yield f"The arms of one replicate share their split, their noise and their order of examples, {paired}."
        yield from _about_modules(results)
    else:
        yield (
            "The arms of one replicate share their split, their noise, their order of examples and, where shapes "
            f"agree, their initial weights, {paired}."
        )
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
