from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def mini() -> str:
    """The text of a small, valid study: two arms (`fixed`, `steps`), two replicates."""
    return (Path(__file__).parent / "mini.toml").read_text(encoding="utf-8")
