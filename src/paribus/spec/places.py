"""Where a mistake is: in the file, in one of its arms, or in what `--set` gave."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from paribus.errors import CHANGE_IT_THERE, Shown, UserError
from paribus.spec.overrides import Override, as_table


@dataclass(frozen=True)
class Place:
    """Where a mistake can be: a study file with the values that `--set` gave over it, and in that one of its arms.

    `where` is "arms[1]", "factors", or "" for the file's own tables. `arm` is the arm's name, `own` are the keys that
    are its own, and `base` the tables that all arms share.
    """

    file: str
    overrides: tuple[Override, ...] = ()
    where: str = ""
    arm: str = ""
    own: Mapping[str, Any] = field(default_factory=dict[str, Any])
    base: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def refused(
        self, rule: str, *, given: object, key: str = "", remedy: str = CHANGE_IT_THERE, together: bool = False
    ) -> UserError:
        """A mistake at the dotted `key`, or of the whole study or arm where it is empty.

        The remedy names `--set` where that gave what is wrong. `together` says that values in the table at `key` do not
        go together; `rule` then names their keys.
        """
        words = re.sub(r"\[\d+\]", "", key).split(".") if key else []
        override = self._override(words, rule if together or not key else None)
        if override is not None:
            option = f"--set {override.written}"
            remedy = f"change it in {option}" if remedy == CHANGE_IT_THERE else f"{remedy} (in {option})"
        place = self.file
        if self.where and self._is_own(words):
            place += f", {self.where} ({self.arm})"
        if key:
            place += f", key {key}"
        return UserError(rule, given=Shown(str(given).lower()) if isinstance(given, bool) else given,
                         place=place, remedy=remedy)  # fmt: skip

    def whole_table(self, key: str) -> str | None:
        """The remedy where `--set` gave only the kind of the table around `key`: the other keys are of the old kind."""
        *table, _ = key.split(".")
        kind = [*table, "kind"]
        for override in self.overrides:
            if list(override.words) == kind and override.where in ("", self.where):
                option = override.written.removesuffix(".kind")
                return f"give the whole table: --set {option}='{{ kind = ..., ... }}'"
        return None

    def _is_own(self, words: Sequence[str]) -> bool:
        """Whether the arm has the key itself, and not from the tables that all arms share."""
        return not words or _reaches(self.own, words) or (words[0] in self.own and not _reaches(self.base, words))

    def _override(self, words: Sequence[str], rule: str | None) -> Override | None:
        """The `--set` that gave the value at `words`, or a part of it; the last one, if several.

        Where there is a `rule`, it names the parts that count.
        """
        for override in reversed(self.overrides):
            if self._all_given_by(override, words):
                return override
            longer = max(override.words, words, key=len)
            shared = not override.where and not _reaches(self.own, longer)
            if (override.where == self.where or shared) and _meets(override.words, words, rule):
                return override
        return None

    def _all_given_by(self, override: Override, words: Sequence[str]) -> bool:
        """Whether an override gave all arms, or all factors, and the mistake is in them; or one of the factors."""
        if self.where:
            return override.words == (self.where.partition("[")[0],) and self._is_own(words)
        return override.where == "factors" and list(words) == ["factors"]


def _reaches(table: Mapping[str, Any], words: Sequence[str]) -> bool:
    """Whether a table has something at a dotted key."""
    value: object = table
    for word in words:
        inner = as_table(value)
        if inner is None or word not in inner:
            return False
        value = inner[word]
    return True


def _meets(given: Sequence[str], wrong: Sequence[str], rule: str | None) -> bool:
    """Whether a given key is the wrong one, or one is in the other; a part that `rule` does not name is not wrong."""
    shared = min(len(given), len(wrong))
    if tuple(given[:shared]) != tuple(wrong[:shared]):
        return False
    rest = ".".join(given[shared:])
    return not rest or rule is None or re.search(rf"(?<![\w.-]){re.escape(rest)}(?![\w-])", rule) is not None
