from __future__ import annotations

from paribus.report.blocks import Block, Chart, Fold, Key, Prose, SideBySide
from paribus.report.legends import grouped

ONE, TWO, MARK = Key("one", arm=0), Key("two", arm=1), Key("last epoch", glyph="●")


def chart(name: str, *keys: Key) -> Chart:
    return Chart(name, name, {}, {}, name, legend=keys)


def test_charts_that_follow_each_other_share_one_legend() -> None:
    blocks: list[Block] = [
        SideBySide((chart("a", ONE, MARK), chart("b", ONE, TWO))),
        chart("c", TWO),
        Prose(("words",)),
    ]
    together, rest = grouped(blocks)
    assert together.blocks == tuple(blocks[:2])
    assert together.legend == (ONE, TWO, MARK)
    assert (rest.blocks, rest.legend) == ((blocks[2],), ())


def test_a_chart_alone_or_folded_keeps_its_own() -> None:
    blocks: list[Block] = [
        chart("a", ONE),
        Prose(("words",)),
        chart("b", ONE),
        Fold("more", (chart("c", ONE),)),
        chart("d"),
    ]
    found = grouped(blocks)
    assert [block for group in found for block in group.blocks] == blocks
    assert not any(group.legend for group in found)


def test_marks_that_mean_different_things_are_not_mixed() -> None:
    blocks: list[Block] = [chart("a", MARK), chart("b", Key("epoch 5", glyph="●"))]
    assert [group.legend for group in grouped(blocks)] == [(), ()]
