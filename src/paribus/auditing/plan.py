"""The study that an audit plans: the same network on every fold, with labels as given and with planted flips.

Each arm is cross-validated, `repetitions` times over: every example is held out once in each repetition, and is
trained on in the others of its folds. The arm `given` trains on the labels as they are. In each `planted` arm a share
of all labels is flipped first, other examples in each arm, so that the audit knows some labels to be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomli_w

from paribus.auditing.examples import Examples
from paribus.errors import UserError
from paribus.spec.study import Study, parse

GIVEN: Final = "given"
RULE: Final = "min-val-loss"
STRATIFIED_FROM: Final = 20
"""Examples of the smallest class from which folds are stratified: planting takes some of them away."""
_BATCH_SIZES: Final = (128, 64, 32, 16, 8)
_LEAST_STEPS: Final = 20
"""Steps of an epoch that a batch size must leave."""
STEPS: Final = 340
"""Steps that training has at least: on 10,000 images, more of them rank wrong labels no better."""
MAX_VALIDATION: Final = 20_000
"""Examples for validation at most: they only choose the epoch."""


@dataclass(frozen=True)
class Settings:
    """How an audit trains. `planted` is the share of labels that each of `planted_arms` arms flips.

    Without `epochs` there are as many as make `STEPS` steps, from 6 to 60. The epoch of the lowest validation loss is
    taken, so that training is in effect stopped early.
    """

    folds: int = 5
    repetitions: int = 1
    planted: float = 0.05
    planted_arms: int = 2
    hidden: tuple[int, ...] = (128,)
    epochs: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("folds", 2, 100),
            ("repetitions", 1, 100),
            ("planted_arms", 1, 10),
            ("epochs", 1, 10_000),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UserError(f"must be from {low} to {high}", given=value, place=f"audit {name}",
                                remedy="change it")  # fmt: skip
        if not 0 < self.planted * self.planted_arms <= 0.5:
            raise UserError("must be above 0, and at most a half for all planted arms together", given=self.planted,
                            place="audit planted", remedy="choose a smaller share, such as 0.05")  # fmt: skip


def planned(
    name: str, examples: Examples, settings: Settings, folder: Path, own: Mapping[str, Any] | None = None
) -> Study:
    """The study of an audit. `own` are tables of a user's study, in place of the default network and its training.

    Raises UserError where they do not serve classification.
    """
    tables = _default(examples, settings)
    tables |= {key: value for key, value in (own or {}).items() if key in ("network", "loss", "optimizer", "schedule")}
    if own is not None:
        tables |= {key: own[key] for key in ("augmentation",) if key in own}
        training = dict(own.get("training", tables["training"]))
        if training.get("early_stop", {}).get("rule", RULE) != RULE:
            training["early_stop"] = {**training["early_stop"], "rule": RULE}
        tables["training"] = training
        if "schedule" not in own:
            tables.pop("schedule", None)
    document: dict[str, Any] = {
        "name": name,
        "title": f"Audit of {name.removeprefix('audit-')}"[:60],
        "question": "Which labels are wrong?",
        "seed": settings.seed,
        "replicates": settings.folds * settings.repetitions,
        "data": _data(examples, settings),
        **tables,
        "selection": {"rules": [RULE]},
        "snapshots": {"margins": True},
        "test": {"read_at": [RULE]},
        "arms": [{"name": GIVEN}, *(_planted(settings, arm) for arm in range(settings.planted_arms))],
    }
    return parse(tomli_w.dumps(document), place="the audit's study", folder=folder)


def _data(examples: Examples, settings: Settings) -> dict[str, Any]:
    share = min(0.1, round(MAX_VALIDATION / len(examples), 4))
    split: dict[str, Any] = {"by": "folds", "folds": settings.folds, "validation": share}
    if examples.column is not None:
        split["column"] = examples.column
    elif examples.smallest_class < STRATIFIED_FROM:
        split["stratify"] = False
    if examples.within is not None:
        split["within"] = dict(examples.within)
    return {**examples.table, "split": split}


def _planted(settings: Settings, arm: int) -> dict[str, Any]:
    planted: dict[str, Any] = {"share": settings.planted, "seed": settings.seed}
    if arm:
        planted["after"] = round(arm * settings.planted, 12)
    return {"name": f"planted-{arm + 1}", "data": {"planted": planted}}


def _default(examples: Examples, settings: Settings) -> dict[str, Any]:
    """The network that an audit trains where no study says otherwise, and how."""
    trained = round(0.9 * (1 - 1 / settings.folds) * len(examples))
    size = next((size for size in _BATCH_SIZES if _LEAST_STEPS * size <= trained), _BATCH_SIZES[-1])
    steps = -(-trained // size)
    epochs = settings.epochs or min(60, max(6, -(-STEPS // steps)))
    return {
        "network": {"kind": "mlp", "hidden": list(settings.hidden), "activation": "relu"},
        "optimizer": {"kind": "adam", "lr": 4e-3},
        "schedule": {"kind": "one-cycle"},
        "training": {"epochs": epochs, "batch_size": min(size, trained)},
    }
