"""Charts as pictures that need no script: SVG drawn by vl-convert, for print and for files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

from paribus.analysis.wording import listed
from paribus.report.blocks import Chart, Record

_NUMBER: Final = re.compile(r"-?\d+\.\d{2,}")
_PATH: Final = re.compile(r' d="([^"]+)"')
_SIZE: Final = re.compile(r'<svg[^>]* width="([\d.]+)" height="([\d.]+)"')
_NAME: Final = re.compile(r'( id="|url\(#|href="#)([\w-]+)')
_INTERACTION: Final = ("tooltip", "href", "cursor")


@dataclass(frozen=True)
class Drawing:
    """A chart as SVG of `width` x `height` CSS pixels; `arm` is the place of the one arm that it shows, if it does."""

    svg: str
    width: float
    height: float
    arm: int | None = None


def drawings(chart: Chart, *, width: float, config: Mapping[str, Any], most: int | None = None) -> tuple[Drawing, ...]:
    """The pictures of a chart, each `width` CSS pixels wide: one, or one for each arm where it shows one at a time.

    `config` is Vega's configuration, and `most` the largest number of pictures.
    """
    keys = [key.arm for key in chart.legend if key.arm is not None] if chart.one_at_a_time else []
    return tuple(_drawing(chart, width, config, arm) for arm in (keys[:most] or [None]))


def _drawing(chart: Chart, width: float, config: Mapping[str, Any], arm: int | None) -> Drawing:
    import vl_convert

    spec = static(chart.spec, only="" if arm is None else f"a{arm}")
    spec |= {"width": width, "datasets": chart.data, "config": {**config, "aria": False}}
    svg = _renamed(_rounded(vl_convert.vegalite_to_svg(spec)))
    size = _SIZE.match(svg)
    if size is None:
        raise ValueError(f"chart {chart.name} was drawn without a size")
    return Drawing(svg, float(size[1]), float(size[2]), arm)


def static(spec: Mapping[str, Any], *, only: str = "") -> dict[str, Any]:
    """A specification without what only a pointer brings to light; `only` is the key of the arm to show, empty for all.

    Selections go, and the layers that are invisible until one of them holds something.
    """
    params = cast("Sequence[Mapping[str, Any]]", spec.get("params", ()))
    selections = frozenset(str(param["name"]) for param in params if "select" in param)
    kept = [{**param, "value": only} if param["name"] == "only" else param for param in params if "select" not in param]
    found = cast("dict[str, Any]", _without(dict(spec), selections))
    return {**found, "params": kept} if kept else {key: part for key, part in found.items() if key != "params"}


def _without(part: Any, selections: frozenset[str]) -> Any:
    if isinstance(part, Mapping):
        entries = cast("Mapping[str, Any]", part)
        return {key: _without(value, selections) for key, value in entries.items() if key not in _INTERACTION}
    if isinstance(part, list):
        items = cast("list[Any]", part)
        return [_without(item, selections) for item in items if not _is_hidden(item, selections)]
    return part


def _is_hidden(layer: Any, selections: frozenset[str]) -> bool:
    """Whether a layer can be seen only where a selection holds something."""
    if not isinstance(layer, Mapping):
        return False
    encoding = cast("Mapping[str, Any]", layer).get("encoding")
    opacity = encoding.get("opacity") if isinstance(encoding, Mapping) else None
    if not isinstance(opacity, Mapping) or not isinstance(opacity.get("condition"), Mapping):
        return False
    return opacity.get("value") == 0 and opacity["condition"].get("param") in selections


def _rounded(svg: str) -> str:
    """The coordinates of paths to a tenth of a pixel: half the bytes, and nothing that an eye can see."""
    return _PATH.sub(lambda path: f' d="{_NUMBER.sub(_tenth, path[1])}"', svg)


def _renamed(svg: str) -> str:
    """The names of clips and gradients numbered within the picture: Vega goes on counting from one to the next."""
    found: dict[str, str] = {}
    return _NAME.sub(lambda name: name[1] + found.setdefault(name[2], f"n{len(found)}"), svg)


def _tenth(number: re.Match[str]) -> str:
    return _short(round(float(number[0]), 1))


@lru_cache(maxsize=4096)
def _short(value: float) -> str:
    return f"{value + 0.0:g}" if abs(value) < 1e5 else f"{value:.1f}"


def left_out(chart: Chart, pictures: int) -> str:
    """Which arms have one of the `pictures` of a chart that shows one at a time; empty where all of them have."""
    arms = [key.label for key in chart.legend if key.arm is not None]
    if not chart.one_at_a_time or pictures >= len(arms):
        return ""
    return f"Printed: {listed(arms[:pictures])}; the page has {listed(arms[pictures:])}, too."


def longest_name(chart: Chart) -> int:
    """Characters of the longest name along the vertical axis; 0 where that axis has none."""
    fields = {str(field) for field in _nominal(chart.spec)}
    rows: list[Record] = [row for records in chart.data.values() for row in records]
    return max((len(str(row[field])) for row in rows for field in fields if row.get(field) is not None), default=0)


def _nominal(part: Any) -> list[str]:
    """The fields that stand on the vertical axis as names."""
    if isinstance(part, list):
        return [field for item in cast("list[Any]", part) for field in _nominal(item)]
    if not isinstance(part, Mapping):
        return []
    entries = cast("Mapping[str, Any]", part)
    found = [field for key, value in entries.items() if key != "y" for field in _nominal(value)]
    y = entries.get("y")
    if isinstance(y, Mapping) and y.get("type") in ("nominal", "ordinal") and "field" in y:
        found.append(str(y["field"]))
    return found
