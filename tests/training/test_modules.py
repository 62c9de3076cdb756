"""The process in which a module is checked: what it finds comes back in one line, whatever the user's file does."""

from __future__ import annotations

import importlib.util

import pytest

from paribus.data.loading import load_splits
from paribus.errors import UserError
from paribus.seeding import Streams
from paribus.spec.overrides import merged
from paribus.spec.recipe import Recipe
from paribus.training import modules
from paribus.training.modules import ModuleChecks, checked
from tests.training.torch.module_runs import BASE, BLOCKS, checked_here, prepared


@pytest.fixture
def folder(tmp_path):
    return prepared(tmp_path)


def attempt(folder, how=checked, checks=None, **network):
    own = checks is None
    recipe = Recipe.model_validate(merged(BASE, {"network": network}))
    streams = Streams.of_replicate(7, 0)
    splits = load_splits(recipe.data, folder, streams)
    if how is not checked:
        return how(recipe, splits, streams, folder)
    checks = ModuleChecks() if checks is None else checks
    try:
        return checked("small", recipe, splits, streams, folder, checks)
    finally:
        if own:
            checks.close()


def refused(folder, text):
    (folder / "own.py").write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        attempt(folder, module="own.py:Net")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_child_finds_what_is_found_here(folder):
    found, here = attempt(folder, **BLOCKS), attempt(folder, checked_here, **BLOCKS)
    assert found.fingerprint == here.fingerprint
    assert found.size == here.size


def test_a_mistake_is_one_line_with_arm_file_and_line(folder):
    message = refused(folder, "import torch\nprint('hello')\nimport not_there\n")
    assert message.startswith("arm small, key network.module, own.py:3: must be imported without an error")
    assert "not_there" in message


def test_a_long_error_is_shown_whole(folder):
    message = refused(folder, f"raise ValueError('{'long ' * 30}end')\n")
    assert "long end" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [("import os\nos._exit(3)\n", "exit code 3"), ("import os, signal\nos.kill(os.getpid(), 9)\n", "SIGKILL")],
)
def test_a_file_that_ends_its_process_is_told(folder, text, words):
    assert words in refused(folder, text)


def test_a_file_that_never_ends_is_told(folder, monkeypatch):
    monkeypatch.setattr(modules, "WALL_S", 6.0)
    assert "within 6 s" in refused(folder, "import time\ntime.sleep(60)\n")


def test_modules_of_one_file_are_checked_in_one_process(folder, monkeypatch):
    began, start = [], modules._Child
    monkeypatch.setattr(modules, "_Child", lambda: began.append(1) or start())
    text = "from torch import nn\nclass Net(nn.Sequential):\n    def __init__(self, width):\n"
    text += "        super().__init__(nn.Flatten(), nn.Linear(784, width), nn.ReLU(), nn.Linear(width, 3))\n"
    (folder / "wide.py").write_text(text, encoding="utf-8")
    checks = ModuleChecks()
    sizes = [attempt(folder, checks=checks, module="wide.py:Net", arguments={"width": n}).size for n in (4, 8)]
    assert [size.parameters for size in sizes] == [784 * n + n + 3 * n + 3 for n in (4, 8)]
    assert len(began) == 1
    with pytest.raises(UserError, match="TypeError"):
        attempt(folder, checks=checks, module="wide.py:Net", arguments={"width": "none"})
    assert len(began) == 2  # tried again in a new one, in case that the first import was to blame
    attempt(folder, checks=checks, **BLOCKS)
    assert len(began) == 3
    checks.close()


def test_a_file_that_is_not_there_is_told(folder):
    with pytest.raises(UserError, match=r"beside the study file.*there is no .*none\.py"):
        attempt(folder, module="none.py:Net")


def test_a_missing_torch_is_one_line_that_names_the_extra(folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs PyTorch.*install paribus\[torch\]"):
        attempt(folder)
