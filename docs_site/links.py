"""Every link and every file that the built site names: inside it, all must be there; outside, nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
"""What a browser loads when it opens a page."""
_KNOWN_OUTSIDE = ("canonical", "prev", "next", "edit")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[tuple[str, str]] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        for name in ("href", "src"):
            if name in given and given.get("rel") not in _KNOWN_OUTSIDE:
                self.links.append((tag, given[name]))
                if (tag, name) in LOADED:
                    self.loaded.append(given[name])


def problems(site: Path) -> Iterator[str]:
    """A line for each link that leads nowhere, and for each file that a page would load from elsewhere."""
    pages: dict[Path, _Page] = {}
    for path in sorted(site.rglob("*.html")):
        page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
        pages[path.resolve()] = page
    for path, page in pages.items():
        where = path.relative_to(site.resolve())
        for address in page.loaded:
            if urlsplit(address).scheme in ("http", "https") or address.startswith("//"):
                yield f"{where} loads {address}"
        for _, address in page.links:
            parts = urlsplit(address)
            if parts.scheme or address.startswith("//"):
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            if target.is_dir():
                target = target / "index.html"
            if not target.exists():
                yield f"{where} links to {address}, which is not there"
            elif target in pages and not _has(pages[target], unquote(parts.fragment)):
                yield f"{where} links to {address}, whose heading is not there"


def _has(page: _Page, fragment: str) -> bool:
    """Whether a page has a heading of that name; what begins with two underscores is the theme's own."""
    return not fragment or fragment.startswith("__") or fragment in page.anchors
