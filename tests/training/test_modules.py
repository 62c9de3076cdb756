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
from paribus.training.modules import checked
from tests.training.torch.module_runs import BASE, BLOCKS, checked_here, prepared


@pytest.fixture
def folder(tmp_path):
    return prepared(tmp_path)


def attempt(folder, how=checked, **network):
    recipe = Recipe.model_validate(merged(BASE, {"network": network}))
    streams = Streams.of_replicate(7, 0)
    splits = load_splits(recipe.data, folder, streams)
    return how("small", recipe, splits, streams, folder) if how is checked else how(recipe, splits, streams, folder)


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


def test_a_file_that_is_not_there_is_told(folder):
    with pytest.raises(UserError, match=r"beside the study file.*there is no .*none\.py"):
        attempt(folder, module="none.py:Net")


def test_a_missing_torch_is_one_line_that_names_the_extra(folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs PyTorch.*install paribus\[torch\]"):
        attempt(folder)
