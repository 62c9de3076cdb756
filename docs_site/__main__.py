"""`python -m docs_site [FOLDER]`: build the documentation into FOLDER (default `site`), and check every link."""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config

from docs_site.links import problems

ROOT = Path(__file__).parent.parent


def built(folder: Path) -> list[str]:
    """Build the site; a line for each problem. Warnings of MkDocs are errors."""
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
    build(config)
    (folder / "404.html").unlink(missing_ok=True)  # for servers alone, with addresses of theirs
    return list(problems(folder))


def main() -> int:
    """Build, say what is wrong, and where the site is."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site"
    found = built(folder)
    for line in found:
        print(line, file=sys.stderr)
    print(folder / "index.html")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
