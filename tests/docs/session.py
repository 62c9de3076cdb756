"""What a reader does who follows a document in an empty folder: saves its files, runs its commands and its Python."""

from __future__ import annotations

import fnmatch
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from paribus.cli.main import parser, run_command
from paribus.spec.json_schema import study_schema
from paribus.spec.study import parse
from tests.docs.blocks import Block, commands

ROOT = Path(__file__).parents[2]
_FRAGMENTS = Draft202012Validator({k: v for k, v in study_schema().items() if k not in ("required", "oneOf")})
_TARGETS = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


class Session:
    """Runs the blocks of one document, one after the other, in the current folder.

    `printed` gives what was printed since it was last called.
    """

    def __init__(self, printed: Callable[[], str]) -> None:
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._printed = printed
        self._last = ""

    def run(self, block: Block) -> None:
        """Do what a block says, or what can be said of it where it is marked as not run."""
        getattr(self, f"_{block.language or 'unmarked'}")(block)

    def _toml(self, block: Block) -> None:
        document = tomllib.loads(block.text)
        if not document.keys().isdisjoint(("arms", "factors", "search")) and "name" in document:
            parse(block.text, place="a document")
        errors = [f"{error.json_path}: {error.message}" for error in _FRAGMENTS.iter_errors(document)]
        assert not errors, errors
        self._save(block)

    def _python(self, block: Block) -> None:
        code = compile(block.text, block.file or f"line {block.line}", "exec")
        self._save(block)
        if block.file is None and block.not_run is None:
            self._printed()
            exec(code, self._names)  # noqa: S102
            self._last = self._printed()

    def _csv(self, block: Block) -> None:
        self._save(block)

    def _sh(self, block: Block) -> None:
        printed: list[str] = []
        for command in commands(block.text):
            words = shlex.split(command)
            if words[0] == "make":
                assert words[1] in _TARGETS, command
            elif words[0] == "paribus":
                printed.append(self._paribus(words[1:], block))
            else:
                assert block.not_run, f"only paribus and make are run: {command}"
        self._last = "\n".join(printed)

    def _paribus(self, words: list[str], block: Block) -> str:
        target = None
        if ">" in words:
            words, target = words[: words.index(">")], words[words.index(">") + 1]
        parser().parse_args(words)
        if block.not_run:
            return ""
        self._printed()
        code = run_command(words)
        printed = self._printed()
        assert code == 0, f"{words}: {printed}"
        if target is not None:
            Path(target).write_text(printed, encoding="utf-8")
        return printed

    def _text(self, block: Block) -> None:
        """What the block before has printed, line for line; `...` stands for anything."""
        if block.not_run is None:
            printed = [" ".join(line.split()) for line in self._last.splitlines()]
            for line in block.text.splitlines():
                pattern = re.sub(r"([\[\]?*])", r"[\1]", " ".join(line.split())).replace("...", "*")
                assert not pattern or fnmatch.filter(printed, pattern), f"nothing like {line!r} in {self._last}"

    def _save(self, block: Block) -> None:
        if block.file is not None:
            path = Path(block.file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
