"""The code blocks of a Markdown document, in their order.

A fenced block has a language. Its first line may name a file: `# wine.toml` is a file that the reader saves, and what
comes after uses it. An HTML comment on the line before a block marks what cannot run, with the reason:

    <!-- not run: trains for hours -->
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^( *)```([a-z]*)\s*$")
_MARK = re.compile(r"^\s*<!-- not run: (.+) -->\s*$")
_FILE = re.compile(r"^# ([\w./-]+\.(?:toml|py|csv))$")


@dataclass(frozen=True)
class Block:
    """One block: its language, its text, the line that it begins at, the file that it is, and why it is not run."""

    language: str
    text: str
    line: int
    file: str | None = None
    not_run: str | None = None


def blocks(text: str) -> list[Block]:
    """Every fenced block. Raises ValueError for one that does not end, and for indented lines that look like code."""
    found: list[Block] = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            if re.match(r"^ {4}(paribus|make|python|pip|import|\$) ", lines[at]):
                raise ValueError(f"line {at + 1}: code is fenced, so that its language is known: {lines[at]}")
            at += 1
            continue
        indent = opening[1]
        end = next((i for i in range(at + 1, len(lines)) if lines[i].rstrip() == f"{indent}```"), None)
        if end is None:
            raise ValueError(f"line {at + 1}: a block without an end")
        mark = _MARK.match(lines[at - 1]) if at else None
        inner = [line.removeprefix(indent) for line in lines[at + 1 : end]]
        file = _FILE.match(inner[0]) if inner and opening[2] in ("toml", "python", "csv") else None
        content = "\n".join(inner) + "\n"
        found.append(Block(opening[2], content, at + 1, file[1] if file else None, mark[1] if mark else None))
        at = end + 1
    return found


def commands(text: str) -> list[str]:
    """The commands of a shell block: without comments, those of one line apart, continued lines joined."""
    joined = text.replace("\\\n", " ")
    parts = (part for line in joined.splitlines() for part in re.sub(r"(^|\s)#.*$", "", line).split(";"))
    return [part.strip().removeprefix("$ ") for part in parts if part.strip()]


def documents(root: Path) -> list[Path]:
    """The documents that people read first, and the folder of all others."""
    return [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").rglob("*.md"))]
