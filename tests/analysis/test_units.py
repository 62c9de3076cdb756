import numpy as np
import pytest
import torch

from paribus.analysis.units import hidden_layers


def _recorded(activation: torch.Tensor, weights: torch.Tensor, initial: torch.Tensor) -> dict[str, np.ndarray]:
    """What is recorded of one hidden layer, from its activations (example, unit) and its incoming weights."""
    values = activation.double()
    cosine = torch.nn.functional.cosine_similarity(weights.double(), initial.double(), dim=1)
    found = {"mean": values.mean(0), "variance": values.var(0, correction=0), "active": (values > 0).double().mean(0)}
    return {f"fc1.{name}": array.numpy() for name, array in {**found, "cosine": cosine}.items()}


@pytest.mark.parametrize("function", [torch.relu, torch.tanh, torch.sigmoid, torch.nn.functional.gelu])
def test_a_unit_that_gives_every_example_the_same_activation_is_dead(function) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(500, 20, generator=generator)
    weights = torch.randn(4, 20, generator=generator)
    bias = torch.zeros(4)
    bias[1], bias[2] = -1e4, 1e4  # far below and far above zero for every example
    layer = hidden_layers(_recorded(function(x @ weights.T + bias), weights, weights))["fc1"]
    above_varies = function in (torch.relu, torch.nn.functional.gelu)
    assert layer.dead.tolist() == [False, True, not above_varies, False]


def test_a_unit_that_has_turned_away_from_its_initial_weights_has_moved() -> None:
    initial = torch.eye(4)
    turned = torch.tensor([[3.0, 0, 0, 0], [0, 1, 0.4, 0], [0, 0, 1, 0.6], [0, 0, 0, -1]])
    layer = hidden_layers(_recorded(torch.rand(9, 4), turned, initial))["fc1"]
    assert layer.unmoved.tolist() == [True, True, False, False]  # cosines 1, 0.93, 0.86 and -1
