"""What is known of a data set once it has been found: its facts, without a single value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, cast

from paribus.spec.inspection import Inspection


@dataclass(frozen=True)
class Dataset:
    """The facts of one arm's data, recorded with each of its runs.

    `shape` is that of one example: (height, width) for grey images, (channel, height, width) for colour images,
    (feature,) for rows of a table. `features` is how many numbers it has, and `feature_names` are their names, empty
    for images. `classes` are the names of the classes, and `targets` those of the numbers to be predicted: at most one
    of them is not empty. `train`, `validation` and `test` count examples; 0 means that there is no such
    split. `held_out_of` is the number of examples that training and validation were drawn from together. `folds` is the
    number of parts where each replicate is tested on a part of its own, 0 where all are tested on the same examples.
    `inspection` is what was found out about the examples; it differs from replicate to replicate.
    """

    source: str
    features: int
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    train: int
    validation: int
    test: int
    held_out_of: int
    targets: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    folds: int = 0
    inspection: Inspection | None = field(default=None, compare=False)

    @property
    def outputs(self) -> int:
        """Classes, or numbers to be predicted."""
        return len(self.classes) or len(self.targets)

    @property
    def has_labels(self) -> bool:
        return bool(self.classes)

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` restores the same facts."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Dataset:
        inspection = content.get("inspection")
        plain: dict[str, Any] = {
            name: tuple(cast("list[Any]", value)) if isinstance(value, list) else value
            for name, value in content.items()
        }
        plain["inspection"] = None if inspection is None else Inspection.from_json(inspection)
        return cls(**plain)
