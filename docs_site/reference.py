"""Reference pages made from the code: keys of study files, commands, and the Python API."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import paribus
import paribus.testing
from paribus.cli.main import parser
from paribus.spec.json_schema import study_schema


def study_file() -> str:
    """Every table and key of a study file, with its range and its default, from the JSON Schema."""
    schema = study_schema()
    lines = [
        "# The study file",
        "",
        "Every key, from the schema that `paribus schema` prints. An arm may have every table but those of the study.",
        "",
        "## The study",
        "",
        *_keys(schema, schema),
    ]
    shown = set[str]()
    for name in schema["properties"]:
        part = schema["properties"][name]
        for kind, table in _tables(part, schema):
            lines += ["", f"## `{name}`{f', `{kind}`' if kind else ''}", ""]
            if table.get("description"):
                lines += [_prose(str(table["description"])), ""]
            lines += _keys(table, schema)
            if name not in ("arms", "factors"):
                for heading, inner in _inner_tables(name, table, schema):
                    if heading not in shown:
                        shown.add(heading)
                        prose = [_prose(str(inner["description"])), ""] if inner.get("description") else []
                        lines += ["", heading, "", *prose, *_keys(inner, schema)]
    return "\n".join(lines) + "\n"


def _inner_tables(
    name: str, table: Mapping[str, Any], schema: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables inside a table by their headings, those of tables with keys of the user's own included."""
    for key, part in table["properties"].items():
        place, own = f"{name}.{key}", _resolved(part, schema).get("additionalProperties")
        found = list(_tables(part, schema))
        if isinstance(own, Mapping):
            place, found = f"{place}.KEY", list(_tables(own, schema))
        for kind, inner in found:
            if set(inner["properties"]) - {"kind"}:
                yield f"### `{place}`{f', `{kind}`' if kind else ''}", inner


def _tables(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables that a key may hold, by kind."""
    choices = part.get("anyOf") or part.get("oneOf") or [part]
    for choice in choices:
        found = _resolved(choice, schema)
        if found.get("anyOf"):
            yield from _tables(found, schema)
        elif found.get("items"):
            yield from _tables(found["items"], schema)
        elif found.get("properties"):
            kind = found["properties"].get("kind", {})
            yield str(kind.get("const", "")), found


def _keys(table: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    required = set(table.get("required", ()))
    lines = ["| key | value | default |", "|---|---|---|"]
    for name, part in table["properties"].items():
        if name == "kind" and "const" in part:
            continue
        default = json.dumps(part["default"], ensure_ascii=False) if "default" in part else ""
        shown = "required" if name in required else f"`{default}`" if default not in ("", "null") else ""
        lines.append(f"| `{name}` | {_cell(_value(part, schema))} | {_cell(shown)} |")
    return lines if len(lines) > 2 else ["No keys besides `kind`."]


_TABLE = "a table of kind "


def _value(part: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> str:  # noqa: PLR0911 - a line a type
    """What a key may hold, in words."""
    found = _resolved(part, schema)
    if "const" in found:
        return f"`{json.dumps(found['const'])}`"
    if "enum" in found:
        return " or ".join(f"`{json.dumps(value)}`" for value in found["enum"])
    choices = found.get("anyOf") or found.get("oneOf")
    if choices and depth < 3:
        words = dict.fromkeys(_value(choice, schema, depth + 1) for choice in choices)
        kinds = [word.removeprefix(_TABLE) for word in words if word.startswith(_TABLE)]
        others = [word for word in words if not word.startswith(_TABLE)]
        return " or ".join([*others, *([_TABLE + ", ".join(kinds)] if kinds else [])])
    match found.get("type"):
        case "object":
            kind = found.get("properties", {}).get("kind", {}).get("const")
            return f"{_TABLE}`{kind}`" if kind else "a table"
        case "array":
            items = found.get("items")
            return f"a list of {_value(items, schema, depth + 1)}" if isinstance(items, Mapping) else "a list"
        case "integer" | "number":
            return f"{'a whole number' if found['type'] == 'integer' else 'a number'}{_range(found)}"
        case "boolean":
            return "true or false"
        case "string":
            return "text"
        case _:
            return "any value"


def _range(found: Mapping[str, Any]) -> str:
    parts = [
        f"{words} {found[key]:g}"
        for key, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in found
    ]
    return f", {' and '.join(parts)}" if parts else ""


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in part:
        part = schema["$defs"][str(part["$ref"]).rpartition("/")[2]]
    return part


def command_line() -> str:
    """Every command with its options, from the parsers."""
    top = parser()
    lines = [
        "# The command line",
        "",
        "Exit codes: 0 done, 1 failure, 2 mistake in the command or the study, 3 some runs diverged or failed, or a",
        "search has no winner, 130 interrupted. `--workspace` and `--debug` go with every command.",
    ]
    commands = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        lines += ["", f"## paribus {name}", "", command.description or "", "", "| argument | meaning |", "|---|---|"]
        for action in command._actions:
            if action.dest in ("help", "workspace", "debug"):
                continue
            words = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            value = f" {action.metavar}" if action.option_strings and action.metavar else ""
            lines.append(f"| `{words}{value}` | {_cell(action.help or '')} |")
    return "\n".join(lines) + "\n"


def python_api() -> str:
    """Every public name with its signature and its docstring."""
    lines = ["# The Python API", "", "Names of `import paribus`, each imported when it is first used."]
    for name in paribus.__all__:
        found = getattr(paribus, name)
        if inspect.isfunction(found):
            lines += _documented(f"paribus.{name}", found)
    classes = {
        "Results": "paribus.api.results",
        "RecordedWorkspace": "paribus.api.workspaces",
        "StudyPlan": "paribus.api.planning",
        "SearchResults": "paribus.api.searching",
        "RateRange": "paribus.api.rate_ranges",
        "Audit": "paribus.api.auditing",
        "Evaluation": "paribus.api.evaluating",
        "Reviewed": "paribus.api.reviewing",
    }
    for name, where in classes.items():
        cls = getattr(importlib.import_module(where), name)
        lines += ["", f"## {name}", "", _prose(inspect.getdoc(cls) or "")]
        for member, value in vars(cls).items():
            own = value.fget if isinstance(value, property) else value
            if not member.startswith("_") and inspect.isfunction(own) and inspect.getdoc(own):
                lines += _documented(f"{name}.{member}", own, plain=isinstance(value, property), level=3)
    lines += ["", "## paribus.testing", "", _prose(paribus.testing.__doc__ or "")]
    for name in paribus.testing.__all__:
        lines += _documented(f"paribus.testing.{name}", getattr(paribus.testing, name), level=3)
    return "\n".join(lines) + "\n"


def _documented(name: str, found: Callable[..., Any], *, plain: bool = False, level: int = 2) -> list[str]:
    signature = "" if plain else str(inspect.signature(found)).replace("self, ", "").replace("(self)", "()")
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", signature)
    heading, code = f"{'#' * level} {name}", ["```python", f"{name}{signature}", "```"]
    return ["", heading, "", *code, "", _prose(inspect.getdoc(found) or "")]


def _prose(docstring: str) -> str:
    """A docstring as Markdown: parameters as a list, examples as code."""
    lines: list[str] = []
    section = ""
    text = docstring.splitlines()
    for at, line in enumerate(text):
        if re.fullmatch(r"-{3,}", line.strip()):
            continue
        if at + 1 < len(text) and re.fullmatch(r"-{3,}", text[at + 1].strip()):
            section = line.strip()
            lines += [f"**{section}**", ""]
        elif section == "Parameters" and (found := re.match(r"^(\w[\w, ]*) : (.*)$", line)):
            lines.append(f"- `{found[1]}`: {found[2]}")
        elif section == "Parameters" and line.strip() == "" and at + 1 < len(text) and not text[at + 1].startswith(" "):
            section = "" if not re.match(r"^\w[\w, ]* : ", text[at + 1]) else section
            lines.append("")
        elif line.startswith((">>>", "...")) or (section == "Examples" and line.strip()):
            lines.append(f"    {line}")
        elif line.startswith("    ") and section != "Parameters":
            lines.append(f"    {line.strip()}" if not lines or lines[-1].startswith("    ") or not lines[-1] else line)
        else:
            lines.append(f"  {line.strip()}" if section == "Parameters" and line.startswith("    ") else line)
    return "\n".join(lines).strip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/study-file.md": study_file,
    "reference/command-line.md": command_line,
    "reference/python.md": python_api,
}
"""Generated pages by their place in the site."""
