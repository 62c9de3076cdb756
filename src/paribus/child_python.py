"""Where a Python process of ours finds modules: where this one does."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def python_path() -> str:
    """PYTHONPATH for a child that must find the same modules as this process, from whatever folder it starts."""
    package = str(Path(__file__).resolve().parents[1])
    paths = [package, *(str(Path(path).absolute()) for path in sys.path if path)]
    return os.pathsep.join(dict.fromkeys(paths))
