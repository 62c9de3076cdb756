"""Charts as files for slides and papers: SVG and PNG with the title, the legend and the drawing in one picture."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final
from urllib.parse import quote

from paribus.report.blocks import Chart, Key, Section, Verdict, within
from paribus.report.palette import arm_colours, arm_dashes
from paribus.report.pdf.words import clean
from paribus.report.static_charts import Drawing, drawings

WIDTH: Final = 720
"""Of a picture of one drawing, in CSS pixels; a PNG has `SCALE` times as many."""
SCALE: Final = 2.0
PANELS_ACROSS: Final = 2
PANEL: Final = 460
"""The width of each of several drawings in one picture: a confusion matrix has room for its digits."""
MOST_PANELS: Final = 12
STILL_ROWS: Final = 8_000
"""A page carries no picture of larger charts: it would be larger than their data."""
STILL_PANELS: Final = 4
_MARGIN: Final = 14
_TITLE: Final = 16
_SMALL: Final = 12
_LETTER: Final = 0.56
"""The width of a letter against its height, rather too much."""
_PLAIN: Final = " /:;=(),.-"
"""Characters that stand as they are in a data URI."""
_INK: Final = "#1c1d21"
_NAME: Final = re.compile(r'( id="|url\(#)')


def named_charts(sections: Sequence[Section]) -> Iterator[tuple[Chart, str]]:
    """Every chart with its title; that of a verdict is the claim."""
    for section in sections:
        statements = {
            block.chart.name: block.statement
            for block in within(section.blocks)
            if isinstance(block, Verdict) and block.chart is not None
        }
        for block in within(section.blocks):
            if isinstance(block, Chart):
                yield block, statements.get(block.name, block.title)


def still_pictures(sections: Sequence[Section], config: Mapping[str, Any]) -> dict[str, list[str]]:
    """The drawings of every chart as data URIs, by the chart's name; none of a chart of more than `STILL_ROWS` rows."""
    return {
        chart.name: [
            f"data:image/svg+xml,{quote(one.svg, safe=_PLAIN)}"
            for one in drawings(chart, width=WIDTH, config=config, most=STILL_PANELS)
        ]
        for chart, _ in named_charts(sections)
        if sum(map(len, chart.data.values())) <= STILL_ROWS
    }


def png(svg: str) -> bytes:
    """A picture as PNG of `SCALE` pixels for each CSS pixel."""
    import vl_convert

    return vl_convert.svg_to_png(svg, scale=SCALE)


def picture(chart: Chart, title: str, *, arms: int, config: Mapping[str, Any]) -> str:
    """A chart as SVG that stands alone, on white: `WIDTH` CSS pixels wide, and wider with several drawings.

    `arms` is how many the study has, and `config` Vega's configuration for light ground. A chart that shows one arm at
    a time is drawn once for each.
    """
    keys = [key for key in chart.legend if key.arm is not None]
    across = PANELS_ACROSS if chart.one_at_a_time and len(keys) > 1 else 1
    room = WIDTH - 2 * _MARGIN if across == 1 else PANEL * across + _MARGIN * (across - 1)
    total = room + 2 * _MARGIN
    panels = drawings(
        chart, width=(room - _MARGIN * (across - 1)) / across, config=config, most=MOST_PANELS if across > 1 else 1
    )
    named = chart.one_at_a_time or chart.names_inside
    legend = [key for key in chart.legend if key.arm is None or not named]
    family = escape(str(config["font"]), quote=True)
    parts: list[str] = []
    top = _MARGIN
    for line in textwrap.wrap(clean(title), round(room / (_TITLE * _LETTER))):
        top += _TITLE + 4
        parts.append(f'<text x="{_MARGIN}" y="{top}" font-size="{_TITLE}" font-weight="600">{escape(line)}</text>')
    marks, top = _legend(legend, top + 10 if parts else top, room, arms)
    parts += marks
    for at in range(0, len(panels), across):
        row = panels[at : at + across]
        lefts = [_MARGIN + place * (room + _MARGIN) / across for place in range(len(row))]
        parts += [_placed(one, left, top, at + i) for i, (one, left) in enumerate(zip(row, lefts, strict=True))]
        top += round(max(panel.height for panel in row)) + _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{total}" '
        f'height="{top}" viewBox="0 0 {total} {top}" role="img" font-family="{family}" fill="{_INK}">'
        f"<title>{escape(clean(title or chart.alt))}</title><desc>{escape(clean(chart.alt))}</desc>"
        f'<rect width="{total}" height="{top}" fill="#ffffff"/>{"".join(parts)}</svg>'
    )


def _placed(panel: Drawing, left: float, top: float, number: int) -> str:
    """A drawing at its place in a picture, its names told apart from those of the picture's other drawings."""
    own = _NAME.sub(rf"\g<1>p{number}-", panel.svg)
    return own.replace("<svg ", f'<svg x="{left:g}" y="{top:g}" ', 1)


def _legend(keys: Sequence[Key], top: int, room: float, arms: int) -> tuple[list[str], int]:
    """The legend's marks from `top` on, in as many lines as they need, and where they end."""
    if not keys:
        return [], top
    colours, dashes = arm_colours(arms), arm_dashes(arms)
    parts: list[str] = []
    left, base = float(_MARGIN), top + _SMALL
    for key in keys:
        name = clean(key.label)
        width = 26 + len(name) * _SMALL * _LETTER + 18
        if left > _MARGIN and left + width > _MARGIN + room:
            left, base = float(_MARGIN), base + _SMALL + 6
        if key.arm is None:
            parts.append(f'<text x="{left + 6:g}" y="{base}" font-size="{_SMALL}">{escape(key.glyph)}</text>')
        else:
            parts.append(
                f'<line x1="{left:g}" x2="{left + 20:g}" y1="{base - 4}" y2="{base - 4}" stroke="{colours[key.arm]}" '
                f'stroke-width="2.5" stroke-dasharray="{" ".join(map(str, dashes[key.arm]))}"/>'
            )
        parts.append(f'<text x="{left + 26:g}" y="{base}" font-size="{_SMALL}">{escape(name)}</text>')
        left += width
    return parts, base + 10
