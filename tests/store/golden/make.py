"""Makes the golden workspace of the current format beside this file: `python tests/store/golden/make.py`.

A format's golden workspace is made once, when the format is settled, and never again: it stands for the workspaces that
people have.
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from paribus.store import schema, workspace

HERE = Path(__file__).parent


def main() -> None:
    spec = importlib.util.spec_from_file_location("sequence", HERE.parent / "sequence.py")
    assert spec is not None
    assert spec.loader is not None
    sequence = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = sequence
    spec.loader.exec_module(sequence)
    folder = HERE / f"v{schema.VERSION}"
    if folder.exists():
        sys.exit(f"{folder} exists, and a golden workspace is never made again")
    workspace._now = lambda: "2026-01-02T03:04:06+00:00"
    sequence.run_all(folder)
    (folder / "lock").unlink()
    with closing(sqlite3.connect(folder / "workspace.sqlite")) as connection:  # small pages: the file is kept for good
        connection.executescript("PRAGMA page_size = 512; VACUUM")
    text = json.dumps(sequence.contents(folder), indent=1, ensure_ascii=False)
    folder.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
