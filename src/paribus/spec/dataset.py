"""What is known of a data set once it has been found: its facts, without a single value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Dataset:
    """The facts of one arm's data, recorded with each of its runs.

    `shape` is that of one example, (height, width) for images, and `features` how many numbers it has. `classes` are
    their names, empty without labels. `train`, `validation` and `test` count examples; 0 means that there is no such
    split. `held_out_of` is the number of examples that training and validation were drawn from together.
    """

    source: str
    features: int
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    train: int
    validation: int
    test: int
    held_out_of: int

    @property
    def has_labels(self) -> bool:
        return bool(self.classes)

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` restores the same facts."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Dataset:
        plain: dict[str, Any] = {**content, "shape": tuple(content["shape"]), "classes": tuple(content["classes"])}
        return cls(**plain)
