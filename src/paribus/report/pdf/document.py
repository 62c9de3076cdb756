"""A report as the tree that the Typst template sets: plain values for JSON, and the files of its pictures.

What is folded away on a screen has no place on paper but the appendix, and so have tables that are long or wide; the
body says where they are. No text becomes mark-up: the template sets strings, and never reads them as Typst.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard, assert_never

from paribus.report.blocks import (
    Block,
    Cell,
    Chart,
    Fold,
    Gallery,
    Listing,
    Montage,
    Note,
    Notes,
    Prose,
    Section,
    SideBySide,
    Table,
    Verdict,
)
from paribus.report.palette import arm_colours, arm_dashes
from paribus.report.pdf.images import Band, cut, fits, gallery_size, png, sheet
from paribus.report.pdf.tables import UPRIGHT_PT, Part, broken, fitted
from paribus.report.pdf.words import breakable, clean, listing
from paribus.report.static_charts import drawings, left_out, longest_name
from paribus.report.writing import tied

Node = dict[str, Any]
"""A part of the document for the template: its `kind`, and values that JSON has."""

PT_A_PIXEL: Final = 2 / 3
"""Points for a CSS pixel of a chart: labels of 12 pixels have 8 points."""
SMALL_PT_A_PIXEL: Final = 0.56
"""The same where each arm has a picture of its own."""
HALF_PT: Final = (UPRIGHT_PT - 14.0) / 2
"""The width of each of two blocks that stand beside each other."""
INSIDE_PT: Final = UPRIGHT_PT - 22.0
"""The width inside a frame."""
TALLEST_PT: Final = 620.0
MOST_ROWS: Final = 24
"""Tables of more rows go into the appendix."""
SHORT_ROWS: Final = 14
"""Tables of at most this many rows are not broken over pages."""
MOST_PANELS: Final = 6
"""Arms that have a picture each where a chart shows one arm at a time."""
SHORT_NAME: Final = 18
"""Charts whose lines have longer names than this many characters stand alone."""


@dataclass(frozen=True)
class Away:
    """What the body leaves to the appendix, and the pointer to it, whose label is not known before all is placed."""

    title: str
    section: str
    pointer: Node
    blocks: tuple[Block, ...] = ()
    parts: tuple[Part, ...] = ()

    @property
    def sideways(self) -> bool:
        return any(part.sideways for part in self.parts)


@dataclass
class Document:
    """Nodes and files of a report with `arms` arms; `config` is the charts' configuration for paper."""

    arms: int
    config: Mapping[str, Any]
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    _away: list[Away] = field(default_factory=list[Away])
    _figures: int = 0
    _tables: int = 0

    def chapters(self, sections: Sequence[Section]) -> list[Node]:
        """The sections of the body."""
        return [
            {
                "title": _text(section.title),
                "lead": [_text(words) for words in section.lead],
                "blocks": _joined(self._nodes(section.blocks, section.title)),
            }
            for section in sections
        ]

    def appendix(self) -> list[Node]:
        """What the chapters left away, upright parts first. To be called once, after `chapters`.

        Wide tables of an upright part are left to the end in turn, so the list grows on the way.
        """
        items: list[Node] = []
        for sideways in (False, True):
            for away in self._away:
                if away.sideways == sideways:
                    away.pointer["label"] = f"A{len(items) + 1}"
                    items.append(self._item(away))
        return items

    def _item(self, away: Away) -> Node:
        if away.parts:
            blocks = [self._grid(part, caption=len(away.parts) > 1) for part in away.parts]
        else:
            blocks = _joined(self._nodes(away.blocks, away.section, inside=away.title))
        return {
            "anchor": away.pointer["anchor"],
            "label": away.pointer["label"],
            "title": _text(away.title),
            "section": _text(away.section),
            "sideways": away.sideways,
            "blocks": blocks,
        }

    def _nodes(self, blocks: Sequence[Block], section: str, *, inside: str = "") -> Iterator[Node]:
        """The nodes of blocks; `inside` a part of the appendix, named by its title, only wide tables are left away."""
        for block in blocks:
            match block:
                case Chart() | Montage() | Gallery():
                    yield self._figure(block, UPRIGHT_PT)
                case Table():
                    yield from self._table(block, section, inside=inside)
                case SideBySide():
                    yield from self._side(block, section, inside=inside)
                case Fold():
                    yield from self._fold(block, section, inside=inside)
                case Notes():
                    yield from self._notes(block, section, inside=inside)
                case Verdict():
                    yield self._verdict(block)
                case Prose() | Listing():
                    yield _words(block)
                case _:
                    assert_never(block)

    def _figure(self, block: Chart | Montage | Gallery, room: float) -> Node:
        """A figure with its number, `room` points wide."""
        match block:
            case Chart():
                return self._chart(block, room)
            case Montage():
                return self._montage(block, room)
            case Gallery():
                return self._gallery(block, room)

    def _fold(self, block: Fold, section: str, *, inside: str) -> Iterator[Node]:
        if inside:
            yield {"kind": "title", "text": _text(block.title)}
            yield from self._nodes(block.blocks, section, inside=inside)
        else:
            yield self._leave(Away(block.title, section, {}, blocks=block.blocks))

    def _notes(self, block: Notes, section: str, *, inside: str) -> Iterator[Node]:
        yield {"kind": "notes", "notes": [self._note(note) for note in (*block.notes, *(block.rest if inside else ()))]}
        if block.rest and not inside:
            yield self._leave(Away("More findings", section, {}, blocks=(Notes(block.rest),)))

    def _leave(self, away: Away) -> Node:
        """Leave a part to the appendix; the pointer to it is what the body has of it."""
        self._away.append(away)
        title = _text(away.title)
        away.pointer.update({"kind": "pointer", "anchor": f"a-{len(self._away)}", "title": title, "label": ""})
        return away.pointer

    def _table(self, block: Table, section: str, *, inside: str) -> Iterator[Node]:
        parts = fitted(block)
        if parts[0].sideways or (not inside and (block.fold or len(block.cells) > MOST_ROWS)):
            yield self._leave(Away(block.title, section, {}, parts=parts))
        else:
            yield from (self._grid(part, caption=block.title != inside) for part in parts)

    def _grid(self, part: Part, *, caption: bool = True) -> Node:
        """A table, or a part of one; without `caption` its title is that of its place in the appendix."""
        table = part.table
        label = ""
        if caption:
            self._tables += 1
            label = f"Table {self._tables}"
        return {
            "kind": "table",
            "label": label,
            "title": _text(table.title) if caption else "",
            "note": _text(table.note),
            "widths": list(part.widths),
            "font": part.font,
            "whole": len(table.cells) <= SHORT_ROWS,
            "headings": [
                {"text": broken(clean(heading.title), width, part.font), "numeric": heading.numeric}
                for heading, width in zip(table.headings, part.widths, strict=True)
            ],
            "rows": [
                [self._cell(cell, width, part.font) for cell, width in zip(row, part.widths, strict=True)]
                for row in table.cells
            ],
        }

    def _cell(self, cell: Cell, width: float, font: float) -> Node:
        return {
            "text": broken(tied(clean(cell.text)), width, font),
            "faint": broken(tied(clean(cell.faint)), width, font),
            "strong": cell.strong,
            "below": cell.below,
            "colour": self._colour(cell.arm),
        }

    def _side(self, block: SideBySide, section: str, *, inside: str) -> Iterator[Node]:
        """Figures that are narrow enough in rows of two, all else below each other."""
        row: list[Chart | Montage] = []
        for part in block.blocks:
            if _is_narrow(part):
                row.append(part)
                continue
            yield from self._rows(row)
            row = []
            yield from self._nodes((part,), section, inside=inside)
        yield from self._rows(row)

    def _rows(self, figures: Sequence[Chart | Montage]) -> Iterator[Node]:
        """Figures two by two; one alone has the whole width."""
        if len(figures) == 1:
            yield self._figure(figures[0], UPRIGHT_PT)
            return
        for at in range(0, len(figures), 2):
            yield {"kind": "row", "blocks": [self._figure(one, HALF_PT) for one in figures[at : at + 2]]}

    def _chart(self, chart: Chart, room: float) -> Node:
        panels = self._panels(chart, room)
        named = chart.one_at_a_time or chart.names_inside
        arms = [] if named else [key for key in chart.legend if key.arm is not None]
        marks = [key for key in chart.legend if key.arm is None]
        return {
            "kind": "chart",
            "label": self._next_figure(),
            "title": _text(chart.title),
            "note": _text(" ".join(filter(None, (chart.note, left_out(chart, len(panels)))))),
            "across": 2 if len(panels) > 1 else 1,
            "panels": panels,
            "legend": [
                *({"text": _text(key.label), "glyph": "", **self._line(key.arm or 0)} for key in arms),
                *({"text": _text(key.label), "glyph": key.glyph, "colour": "", "dash": []} for key in marks),
            ],
        }

    def _panels(self, chart: Chart, room: float) -> list[Node]:
        """The pictures of a chart in `room` points; several have half the room each."""
        keys = [key for key in chart.legend if key.arm is not None]
        several = chart.one_at_a_time and len(keys) > 1 and room == UPRIGHT_PT
        width, scale, most = (HALF_PT, SMALL_PT_A_PIXEL, MOST_PANELS) if several else (room, PT_A_PIXEL, 1)
        panels: list[Node] = []
        for drawing in drawings(chart, width=width / scale, config=self.config, most=most):
            factor = min(scale, TALLEST_PT / drawing.height)
            panels.append(
                {
                    "file": self._file("svg", drawing.svg.encode()),
                    "width": drawing.width * factor,
                    "height": drawing.height * factor,
                    "alt": _text(chart.alt),
                }
            )
        return panels

    def _verdict(self, block: Verdict) -> Node:
        return {
            "kind": "verdict",
            "statement": _text(block.statement),
            "outcome": block.outcome,
            "sentence": _text(block.sentence),
            "panels": self._panels(block.chart, INSIDE_PT) if block.chart is not None else [],
        }

    def _note(self, note: Note) -> Node:
        return {
            "label": _text(note.label),
            "text": _text(note.sentence),
            "grave": note.grave,
            "arms": [
                {"colour": self._colour(arm.arm), "name": _text(arm.name), "detail": _text(arm.detail)}
                for arm in note.arms
            ],
        }

    def _montage(self, montage: Montage, room: float) -> Node:
        layout = sheet(montage, room)
        bands = layout.bands or (Band(0, max(strip.count for strip in montage.strips), ()),)
        return {
            "kind": "montage",
            "label": self._next_figure(),
            "title": _text(montage.title),
            "note": _text(montage.note),
            "cell": layout.width,
            "names": layout.label,
            "whole": layout.total <= TALLEST_PT,
            "bands": [
                {
                    "heads": [_text(head) for head in band.heads],
                    "strips": [
                        {
                            "text": _text(strip.label),
                            "faint": _text(strip.faint),
                            "colour": self._colour(strip.arm),
                            "file": self._file("png", cut(strip, band) if layout.bands else png(strip.uri)),
                            "alt": _text(strip.alt),
                            "width": layout.width * _columns(strip.count, band, layout.across),
                            "height": layout.height * (1 if layout.bands else -(-strip.count // layout.across)),
                        }
                        for strip in montage.strips
                        if strip.count > band.first
                    ],
                }
                for band in bands
            ],
        }

    def _gallery(self, gallery: Gallery, room: float) -> Node:
        width, height, across = gallery_size(gallery, room)
        return {
            "kind": "gallery",
            "label": self._next_figure(),
            "title": _text(gallery.title),
            "note": "",
            "across": across,
            "pictures": [
                {
                    "file": self._file("png", png(picture.uri)),
                    "alt": _text(picture.alt),
                    "text": _text(picture.caption, 12),
                    "faint": _text(picture.faint, 12),
                    "width": width,
                    "height": height,
                }
                for picture in gallery.pictures
            ],
        }

    def _next_figure(self) -> str:
        self._figures += 1
        return f"Figure {self._figures}"

    def _file(self, ending: str, content: bytes) -> str:
        name = f"{len(self.files) + 1}.{ending}"
        self.files[name] = content
        return name

    def _colour(self, arm: int | None) -> str:
        return "" if arm is None else arm_colours(self.arms)[arm]

    def _line(self, arm: int) -> Node:
        dash = arm_dashes(self.arms)[arm]
        return {"colour": self._colour(arm), "dash": [] if dash == [1, 0] else dash}


def _columns(count: int, band: Band, across: int) -> int:
    """How many images of a strip stand beside each other."""
    return min(across, min(band.last, count) - band.first)


def _is_narrow(block: Block) -> TypeGuard[Chart | Montage]:
    """Whether a block is a figure that can be read at half the width."""
    if isinstance(block, Montage):
        return fits(block, HALF_PT)
    return isinstance(block, Chart) and not block.one_at_a_time and longest_name(block) <= SHORT_NAME


def _words(block: Prose | Listing) -> Node:
    match block:
        case Prose():
            return {"kind": "prose", "paragraphs": [_text(words) for words in block.paragraphs]}
        case Listing():
            return {"kind": "listing", "text": listing(block.text)}


def _joined(nodes: Iterator[Node]) -> list[Node]:
    """Pointers that follow each other as one node."""
    found: list[Node] = []
    for node in nodes:
        if node["kind"] != "pointer":
            found.append(node)
        elif found and found[-1]["kind"] == "pointers":
            found[-1]["pointers"].append(node)
        else:
            found.append({"kind": "pointers", "pointers": [node]})
    return found


def _text(words: str, longest: int = 40) -> str:
    """Words on one line whose units stay with their numbers; those of more than `longest` characters can be broken."""
    return breakable(tied(clean(words)), longest)
