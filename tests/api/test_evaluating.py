"""The network that a weight file is read for, without evaluating it."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from paribus.api.evaluating import _described, split_word
from paribus.execution.layer_names import with_names
from paribus.execution.runner import prepare
from paribus.training.cohort import fresh_state


@pytest.mark.parametrize("in_order", [True, False])
def test_batch_normalisation_is_read_as_pytorch_saves_it(in_order: bool) -> None:
    study = _described("mlp:13-8-3", "sklearn:wine", "relu", None, None, "unit", {"network.batch_norm": "true"})
    (run,) = prepare(study).runs
    wanted = {name: tensor.shape for name, tensor in fresh_state(run.spec).tensors.items()}
    network = nn.Sequential(nn.Linear(13, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    given: dict[str, Any] = {name: value.numpy() for name, value in network.state_dict().items()}
    found = with_names(wanted, given, in_order=in_order)
    assert {name: value.shape for name, value in found.items()} == wanted
    (mean,) = (value for name, value in found.items() if name.endswith("running_mean"))
    assert mean is given["1.running_mean"]


def test_a_source_may_have_a_colon_of_its_own() -> None:
    assert split_word("sklearn:wine") == ("sklearn:wine", None)
    assert split_word("fashion-mnist:test") == ("fashion-mnist", "test")
    assert split_word("a:b.csv:train") == ("a:b.csv", "train")
