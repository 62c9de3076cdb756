"""The comparison of tools on a user's own modules: what its page says, and that each tool trains."""

from __future__ import annotations

import pytest
import torch

from benchmarks import module_tools, modules
from benchmarks.modules import Row, page


def rows(paribus: float) -> list[Row]:
    return [
        Row("LeNet", "loop", 1, 300.0, 290.0, 310.0),
        Row("LeNet", "processes", 2, 200.0, 190.0, 210.0),
        Row("LeNet", "paribus", 2, paribus, 190.0, 220.0),
    ]


@pytest.mark.parametrize(("ms", "words"), [(209.0, "is reached"), (211.0, "is missed")])
def test_the_page_says_whether_the_target_is_reached(ms, words):
    text = page(rows(ms), {"processor": "one"})
    assert words in text
    assert "| plain loop, one run | 1 | 300 | 290 to 310 | 1.50 |" in text
    assert "- processor: one" in text


def test_every_tool_has_words_and_every_network_a_class():
    assert set(modules.WORDS) == set(module_tools.TOOLS)
    for network in modules.NETWORKS:
        assert hasattr(module_tools.module_nets, network)


@pytest.mark.parametrize("network", modules.NETWORKS)
def test_the_loop_trains_and_validates(network, monkeypatch):
    monkeypatch.setattr(module_tools, "TRAIN", 64)
    monkeypatch.setattr(module_tools, "VALIDATION", 32)
    torch.manual_seed(0)
    loop = module_tools.Loop(network)
    first = loop.epoch()
    for _ in range(8):
        last = loop.epoch()
    assert last < first
    assert loop.validate() > 0
