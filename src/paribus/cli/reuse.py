"""Recorded runs that a study does not reuse because it has changed, and what has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from paribus.cli.formatting import plural
from paribus.errors import shown

if TYPE_CHECKING:
    from paribus.store.records import RunRecord
    from paribus.store.workspace import Workspace
    from paribus.training.plan import PlannedRun

MAX_KEYS = 4
"""Keys that the note names; of more it gives the number."""
_ENDED = ("done", "diverged")


def note_unused_runs(workspace: Workspace, study: str, planned: Sequence[PlannedRun]) -> str | None:
    """One line that says how many ended runs of `study` are not reused and which keys differ, or None.

    A planned run that is not recorded is compared with the latest ended run of the same study, arm and replicate.
    """
    ended = _ended_runs(workspace, study)
    unused: set[str] = set()
    differences: dict[str, set[str]] = {}
    for run in planned:
        record = workspace.run(run.id)
        if record is not None and record.state in _ENDED:
            continue
        for member in run.members:
            before = ended.get(member)
            if before is not None and before.id not in unused:
                unused.add(before.id)
                for key, change in _differences(before, run).items():
                    differences.setdefault(key, set()).add(change)
    if not unused:
        return None
    are = "is" if len(unused) == 1 else "are"
    why = _listed(differences) or "the numerics of paribus have changed"
    return f"note: {plural(len(unused), 'recorded run')} of {study} {are} not reused but kept: {why}"


def differing_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Dotted key to (value before, value after) for each value that differs between two nested mappings.

    Lists are compared as a whole. A key that is absent equals one that is None. Where tables of another `kind` are
    compared, only the kind differs: the keys of two kinds have nothing in common.
    """
    found: dict[str, tuple[Any, Any]] = {}
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            old_table, new_table = cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", new)
            if old_table.get("kind") != new_table.get("kind"):
                found[f"{key}.kind"] = (old_table.get("kind"), new_table.get("kind"))
            else:
                inner = differing_keys(old_table, new_table)
                found |= {f"{key}.{name}": values for name, values in inner.items()}
        elif _plain(old) != _plain(new):
            found[key] = (old, new)
    return found


def _plain(value: Any) -> Any:
    """A list for a tuple: recipes hold tuples, and what was recorded as JSON holds lists."""
    return list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value


def _ended_runs(workspace: Workspace, study: str) -> dict[tuple[str, int], RunRecord]:
    """(arm, replicate) to the ended run that was registered last under the study's name."""
    return {
        (arm, replicate): run
        for record in workspace.studies()
        if record.name == study
        for arm, replicate, run in workspace.runs_of(record.id)
        if run.state in _ENDED
    }


def _differences(before: RunRecord, run: PlannedRun) -> dict[str, str]:
    """Dotted key to the change in words: `3, now 5` for plain values, nothing for tables and lists."""
    old_identity, new_identity = json.loads(before.identity), json.loads(run.spec.text)
    changes = differing_keys(_trained(before.recipe), _trained(run.recipe.model_dump(mode="json")))
    changed = {key: _change(old, new) for key, (old, new) in changes.items()}
    if old_identity["streams"] != new_identity["streams"]:
        changed["the seed, or what replicates vary"] = ""
    if old_identity["data"] != new_identity["data"]:
        changed[_changed_content(before, run)] = ""
    if old_identity.get("module") != new_identity.get("module"):
        changed["the source of the module"] = ""
    if old_identity["engine"] != new_identity["engine"]:
        changed["engine"] = _change(old_identity["engine"], new_identity["engine"])
    return changed


def _changed_content(before: RunRecord, run: PlannedRun) -> str:
    """What has another content: the source by its name, where the study names the same one as before."""
    source = run.recipe.data.source
    same = before.recipe.get("data", {}).get("source") == source
    return f"the content of {Path(source).name or source}" if same else "the content of the data"


def _trained(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe without what is only kept or measured."""
    from paribus.spec.identity import NOT_TRAINED

    return {key: value for key, value in recipe.items() if key not in NOT_TRAINED}


def _change(old: Any, new: Any) -> str:
    if any(isinstance(value, Mapping | list | tuple) for value in (old, new)):
        return ""
    return ", now ".join("unset" if value is None else shown(value, 24) for value in (old, new))


def _listed(differences: Mapping[str, set[str]]) -> str:
    """`training.epochs (3, now 5) and seed (0, now 1) differ`."""
    parts: list[str] = []
    for key, changes in list(differences.items())[:MAX_KEYS]:
        (change,) = changes if len(changes) == 1 else ("",)  # arms may differ in their values
        parts.append(f"{key} ({change})" if change else key)
    if len(differences) > MAX_KEYS:
        parts.append(f"{len(differences) - MAX_KEYS} more")
    if not parts:
        return ""
    *head, last = parts
    return f"{', '.join(head)} and {last} differ" if head else f"{last} differs"
