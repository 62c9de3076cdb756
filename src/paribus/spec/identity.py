"""A run's identity: the hash of all that can change its result, and of nothing else."""

from __future__ import annotations

import hashlib
import json

from paribus.spec.recipe import Recipe

NUMERICS = 4
"""Raised when paribus itself comes to compute other numbers from the same recipe."""


def run_id(recipe: Recipe, *, seed: int, replicate: int, data_fingerprint: str) -> str:
    """32 hexadecimal digits. `data_fingerprint` is the SHA-256 of the source's bytes; a file's path is left out."""
    said = recipe.model_dump(mode="json")
    said["data"].pop("file")
    content = {
        "numerics": NUMERICS,
        "recipe": said,
        "seed": seed,
        "replicate": replicate,
        "data": data_fingerprint,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
