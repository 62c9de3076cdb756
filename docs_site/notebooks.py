"""Notebooks executed, and as pages of Markdown with what they have shown."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

TIMEOUT_S = 300
_CHARTS = 'import altair\n\naltair.renderers.enable("svg")\n'
"""What each kernel does first: a chart is a drawing then, and no page that loads scripts from elsewhere."""


def executed(path: Path, folder: Path) -> Any:
    """The notebook with its outputs, run in `folder`, where it also keeps its workspace.

    Raises nbclient.exceptions.CellExecutionError for the first cell that fails.
    """
    notebook = nbformat.read(path, as_version=4)
    startup = folder / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "charts.py").write_text(_CHARTS, encoding="utf-8")
    with _in(folder):
        client = NotebookClient(notebook, timeout=TIMEOUT_S, resources={"metadata": {"path": str(folder)}})
        asyncio.run(client.async_execute())
    return notebook


@contextmanager
def _in(folder: Path) -> Generator[None]:
    """The kernel's environment: a workspace in the folder, and Python files of the folder found."""
    changed = {
        "PARIBUS_WORKSPACE": str(folder / "paribus-workspace"),
        "PYTHONPATH": os.pathsep.join(filter(None, [*_source(), os.environ.get("PYTHONPATH", "")])),
        "JUPYTER_PLATFORM_DIRS": "1",
        "IPYTHONDIR": str(folder / ".ipython"),
    }
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _source() -> list[str]:
    import paribus

    return [str(Path(paribus.__file__).resolve().parents[1])]


def markdown(notebook: Any) -> str:
    """An executed notebook as a page: charts as SVG, tables as HTML, everything else as text."""
    parts: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        parts += [shown for output in cell.outputs if (shown := _output(output))]
    return "\n\n".join(parts) + "\n"


def _output(output: Any) -> str:
    if output.output_type == "stream":
        return "" if output.name == "stderr" else f"```text\n{output.text.rstrip()}\n```"
    data: Mapping[str, Any] = output.get("data", {})
    if "image/svg+xml" in data:
        return f'<div class="chart">{"".join(data["image/svg+xml"])}</div>'
    if "text/html" in data:
        return f'<div class="output">{"".join(data["text/html"])}</div>'
    text = "".join(data.get("text/plain", ""))
    return f"```text\n{text}\n```" if text else ""
