"""Hooks of MkDocs: pages that are made when the site is built, and links to files that are no pages."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from docs_site.notebooks import executed, markdown
from docs_site.reference import PAGES

ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"\]\((\.\./[^)#\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the reference, and every notebook as a page."""
    for place, make in PAGES.items():
        files.append(File.generated(config, place, content=make()))
    for path in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            content = markdown(executed(path, Path(folder)))
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links that leave `docs` become text: the site has the documentation alone."""
    here = Path(page.file.src_path).parent

    def resolved(found: re.Match[str]) -> str:
        target = (ROOT / "docs" / here / found[1]).resolve()
        return found[0] if target.is_relative_to(ROOT / "docs") else f"]({_NOWHERE})"

    return re.sub(r"\[([^\]]*)\]\(" + re.escape(_NOWHERE) + r"\)", r"\1", _LINK.sub(resolved, markdown))


def on_post_page(output: str, **_: Any) -> str:
    """Without the script that the theme would load from elsewhere: pages load nothing but what lies beside them."""
    return _SHIM.sub("", output)


_SHIM = re.compile(r'<script src="https://unpkg[.]com/[^"]*"></script>')
_NOWHERE = "#outside-of-the-documentation"
