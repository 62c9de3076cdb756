"""The canonical form of what a study says: plain values without defaults, the same for every spelling."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel


def canonical(model: BaseModel) -> dict[str, Any]:
    """A table as plain values: `kind` always, and every other field that is not at its default.

    A field that is added with a default therefore changes no canonical form. `kind` is always there because it decides
    what the other fields mean: SGD and Adam with equal rates are two recipes.
    """
    found: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        value: object = getattr(model, name)
        if name == "kind" or field.is_required() or value != field.get_default(call_default_factory=True):
            found[name] = _plain(value)
    for name, value in (model.model_extra or {}).items():
        found[name] = _plain(value)
    return found


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return canonical(value)
    if isinstance(value, tuple):
        return [_plain(entry) for entry in cast("tuple[object, ...]", value)]
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in cast("dict[str, object]", value).items()}
    return value
