"""Legends that charts beside each other share: each is shown once, above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.report.blocks import Block, Chart, Key, SideBySide


@dataclass(frozen=True)
class Group:
    """Blocks that follow each other on a page, and the legend that their charts share; empty where each has its own."""

    blocks: tuple[Block, ...]
    legend: tuple[Key, ...] = ()


def grouped(blocks: Sequence[Block]) -> list[Group]:
    """Blocks in their order: charts that follow each other, and agree on what a mark means, together."""
    groups: list[Group] = []
    charts: list[Block] = []
    for block in (*blocks, None):
        if block is not None and _charts(block):
            charts.append(block)
            continue
        groups += _together(charts)
        charts = []
        groups += [] if block is None else [Group((block,))]
    return groups


def _together(blocks: Sequence[Block]) -> list[Group]:
    legends = [chart.legend for block in blocks for chart in _charts(block) if chart.legend]
    keys = tuple(dict.fromkeys(key for legend in legends for key in legend))
    names = {(key.arm, key.glyph) for key in keys}
    if len(legends) < 2 or len(names) < len(keys):
        return [Group((block,)) for block in blocks]
    return [Group(tuple(blocks), tuple(sorted(keys, key=lambda key: key.arm is None)))]


def _charts(block: Block) -> tuple[Chart, ...]:
    """The charts that a block consists of; none of a block that is more than charts."""
    if isinstance(block, Chart):
        return (block,)
    if isinstance(block, SideBySide):
        found = tuple(part for part in block.blocks if isinstance(part, Chart))
        return found if len(found) == len(block.blocks) else ()
    return ()
