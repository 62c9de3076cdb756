"""Identities: the hash of all that can change a run's result, and of nothing else.

The text that is hashed is canonical (`spec.canonical`): recipes that train differently have different texts, and
recipes that differ in spelling, or only in what is measured or kept, have the same text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel

from paribus.seeding import Streams
from paribus.spec.canonical import canonical
from paribus.spec.dataset import Dataset
from paribus.spec.losses import FunctionLoss
from paribus.spec.modules import UserModule
from paribus.spec.network import Module
from paribus.spec.recipe import Recipe
from paribus.spec.rules import parse_rule
from paribus.spec.study import Study

NUMERICS = 5
"""Raised when paribus itself comes to compute other numbers from the same recipe."""

EngineFamily = Literal["cpu", "cuda", "module"]
"""Engines of one family give the same bits: the compiled engine, stacked tensors on a GPU, or a user's own module."""

NOT_TRAINED = ("snapshots", "test", "denoising", "occlusion", "metrics", "references")
"""Fields of a recipe that say what is kept or measured, and change nothing that is trained."""


@dataclass(frozen=True, eq=False)
class RunSpec:
    """What one run is: a recipe on a data set, its streams of random numbers, and the engine's family.

    `data_fingerprint` is the SHA-256 that names the source's content; the path of a file is not part of an identity.
    `module` is the code of a user's own module, whose content is a part of it; None for every other network.
    """

    recipe: Recipe
    dataset: Dataset
    streams: Streams
    data_fingerprint: str
    family: EngineFamily = "cpu"
    module: UserModule | None = None

    @cached_property
    def id(self) -> str:
        """32 hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:32]

    @cached_property
    def text(self) -> str:
        """The canonical text that `id` is the hash of, as JSON."""
        content = {
            "numerics": NUMERICS,
            "engine": self.family,
            "task": self.recipe.task,
            "recipe": trained(self.recipe),
            "data": self.data_fingerprint,
            "streams": {name: _as_list(self.streams, name) for name in self._used_streams()},
        }
        if self.module is not None:
            content["module"] = self.module.fingerprint
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)

    def _used_streams(self) -> Iterable[str]:
        """The purposes whose random numbers this recipe draws in training."""
        yield from ("split", "init", "order")
        if self.recipe.data.label_noise is not None:
            yield "label_noise"
        if self.recipe.network.dropout:
            yield "dropout"
        if self.recipe.augmentation.present:
            yield "augmentation"
        if isinstance(self.recipe.network, Module):
            yield "module"


def trained(recipe: Recipe) -> dict[str, Any]:
    """The part of a recipe's canonical form that can change what is trained, or which epochs are selected.

    The source and the task are not in it: `RunSpec.text` has the source's fingerprint, and the task in its full form.
    Nor are the paths of index files, whose content is part of that fingerprint.
    Of a module or a loss of the user's own it has the name and not the file, whose content has a fingerprint, too.
    How the test set is monitored is in it only where a selection rule looks at test metrics.
    """
    found = {name: part for name, part in canonical(recipe).items() if name not in NOT_TRAINED}
    found["data"] = {name: part for name, part in found["data"].items() if name not in ("source", "task")}
    found["data"]["split"].pop("index", None)
    found["data"]["split"].get("within", {}).pop("index", None)
    if isinstance(recipe.network, Module):
        found["network"] |= {"module": recipe.network.name}
    if isinstance(recipe.loss, FunctionLoss):
        found["loss"] |= {"function": recipe.loss.name}
    if "selection" in found:
        found["selection"] |= {"rules": sorted(recipe.selection.rules)}
    if any(parse_rule(rule).split == "test" for rule in recipe.selection.rules):
        found["monitored"] = canonical(recipe.test.model_copy(update={"read_at": ()}))
    return found


def _as_list(streams: Streams, purpose: str) -> list[int]:
    stream = getattr(streams, purpose)
    return [stream.seed, stream.index]


def study_id(study: Study, run_ids: Iterable[str]) -> str:
    """The identity of a study as registered: what it says, and the runs that it then had.

    A study whose data file has changed has other runs, and so is another study of the same name.
    """
    return hashlib.sha256("\n".join([study.digest, *run_ids]).encode()).hexdigest()[:32]


def claim_text(claim: BaseModel) -> str:
    """A claim's canonical text: the same claim in two versions of a study has the same text."""
    return json.dumps(canonical(claim), sort_keys=True, separators=(",", ":"))
