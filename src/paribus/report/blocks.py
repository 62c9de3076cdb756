"""What a report is made of: sections of prose, tables, charts and images, free of any mark-up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from paribus.analysis.wording import listed

MAX_NAMED: Final = 3
"""Of more arms that a note is about, only their number is said where it is folded."""
Record = Mapping[str, Any]
"""One row of a table as data: column name to plain value (None where there is none)."""


@dataclass(frozen=True)
class Heading:
    """A column's title; numbers stand to the right."""

    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Cell:
    """What a table shows in one place: `faint` beside or `below` the text; `arm` is the arm's position in the study."""

    text: str
    arm: int | None = None
    faint: str = ""
    strong: bool = False
    below: bool = False


@dataclass(frozen=True)
class Prose:
    """Paragraphs set apart from the rest, as an aside."""

    paragraphs: tuple[str, ...]
    kind: str = "prose"


@dataclass(frozen=True)
class Table:
    """A table as shown (`cells`) and as written to a CSV file (`records`)."""

    name: str
    title: str
    headings: tuple[Heading, ...]
    cells: tuple[tuple[Cell, ...], ...]
    records: tuple[Record, ...]
    note: str = ""
    fold: bool = False
    kind: str = "table"


@dataclass(frozen=True)
class Key:
    """A line of a chart's legend: an arm (its position in the study), or a mark and what it stands for."""

    label: str
    arm: int | None = None
    glyph: str = ""


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite specification without its data, and the table that it is drawn from, by data set name.

    `one_at_a_time`: it shows one of the arms in its legend, which the reader chooses; on paper each has a picture.
    `hint` says what a reader can do with it on a screen. Where `names_inside`, its curves are named in the drawing, and
    its legend is for phones, on which there is no room for that.
    """

    name: str
    title: str
    spec: Mapping[str, Any]
    data: Mapping[str, Sequence[Record]]
    alt: str
    note: str = ""
    height: int = 300
    legend: tuple[Key, ...] = ()
    one_at_a_time: bool = False
    hint: str = ""
    names_inside: bool = False
    kind: str = "chart"


@dataclass(frozen=True)
class Strip:
    """One row of a montage: a PNG data URI of `count` images, and its description for those who cannot see it.

    `hover` is what a screen says of it under the pointer.
    """

    label: str
    uri: str
    alt: str
    count: int
    arm: int | None = None
    faint: str = ""
    hover: str = ""


@dataclass(frozen=True)
class Montage:
    """Rows of images under shared column titles. A image takes `width` x `height` CSS pixels, its gap included.

    The row is `rows` images high (more than one where a strip is a grid of `across` images a row). `enlarged` images
    show their pixels; others may be drawn smaller.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    strips: tuple[Strip, ...]
    width: int
    height: int
    across: int | None = None
    note: str = ""
    enlarged: bool = False
    kind: str = "montage"


@dataclass(frozen=True)
class Picture:
    """One image of a gallery as a PNG data URI, its description, and the words below it."""

    uri: str
    alt: str
    caption: str
    faint: str = ""


@dataclass(frozen=True)
class Gallery:
    """Images with words of their own, as many to a row as there is room for, each `width` x `height` CSS pixels."""

    title: str
    pictures: tuple[Picture, ...]
    width: int
    height: int
    kind: str = "gallery"


@dataclass(frozen=True)
class Verdict:
    """A claim, its outcome, and the interval drawn against the band of the smallest effect that matters."""

    statement: str
    outcome: str
    sentence: str
    chart: Chart | None
    kind: str = "verdict"


@dataclass(frozen=True)
class Mention:
    """An arm that a note is about: its position in the study, its name, and what is said of it."""

    arm: int
    name: str
    detail: str


@dataclass(frozen=True)
class Note:
    """A finding: what kind, how grave, what it means, and the arms that have it."""

    label: str
    sentence: str
    grave: bool = False
    arms: tuple[Mention, ...] = ()

    @property
    def whose(self) -> str:
        """Which arms have it, or how many."""
        names = [arm.name for arm in self.arms]
        return f"in {listed(names)}" if len(names) <= MAX_NAMED else f"in {len(names)} arms"


@dataclass(frozen=True)
class Notes:
    """Findings, one below the other; `rest` are folded away."""

    notes: tuple[Note, ...]
    rest: tuple[Note, ...] = ()
    kind: str = "notes"


@dataclass(frozen=True)
class SideBySide:
    """Blocks beside each other where the page is wide enough."""

    blocks: tuple[Block, ...]
    kind: str = "side"


@dataclass(frozen=True)
class Fold:
    """Blocks folded away under a title."""

    title: str
    blocks: tuple[Block, ...]
    kind: str = "fold"


@dataclass(frozen=True)
class Listing:
    """The text of a file, line by line."""

    text: str
    kind: str = "listing"


Block = Listing | Prose | Table | Chart | Montage | Gallery | Verdict | Notes | SideBySide | Fold


@dataclass(frozen=True)
class Section:
    """A part of the report under one heading. `hint` says what a reader can do with it on a screen.

    `folded` is what a screen shows of a section that few readers need, until they unfold it; paper has it all.
    """

    slug: str
    title: str
    blocks: tuple[Block, ...]
    lead: tuple[str, ...] = field(default=())
    hint: str = ""
    folded: str = ""


def within(blocks: Iterable[Block]) -> Iterator[Block]:
    """Every block, those inside others too."""
    for block in blocks:
        yield block
        if isinstance(block, SideBySide | Fold):
            yield from within(block.blocks)
        elif isinstance(block, Verdict) and block.chart is not None:
            yield block.chart


def tables(blocks: Iterable[Block]) -> Iterator[tuple[str, Sequence[Record]]]:
    """Every table by name: those shown, and those that charts are drawn from."""
    for block in within(blocks):
        if isinstance(block, Table):
            yield block.name, block.records
        elif isinstance(block, Chart):
            for part, records in block.data.items():
                yield (block.name if len(block.data) == 1 else f"{block.name}-{part}"), records
