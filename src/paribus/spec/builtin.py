"""The studies that come with paribus: TOML files in the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from paribus.errors import UserError, nearest

NAMES = (
    "recipe", "faces", "selection", "capacity", "noisy-labels", "faces-recipes", "faces-rates", "faces-people",
    "search-n16", "search-n64", "search-mlp", "rates-mlp",
    "label-remedies", "noise-rates",
)  # fmt: skip


def text(name: str) -> str:
    """The text of a built-in study. Raises UserError where there is none of that name."""
    if name not in NAMES:
        raise UserError("must be a built-in study", given=name, place="study", remedy=nearest(name, NAMES))
    return resources.files("paribus.studies").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def find(name_or_path: str) -> tuple[str, str] | Path:
    """A study as named on the command line: (text, place) of a built-in one, else the path of a file."""
    if name_or_path in NAMES:
        return text(name_or_path), f"built-in study {name_or_path}"
    return Path(name_or_path)
