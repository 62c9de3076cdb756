import pytest
import torch
from torch import nn

from paribus.analysis.capacity import layer_counts, sizes
from paribus.spec.network import Autoencoder


@pytest.mark.parametrize(
    ("widths", "parameters", "weights"),
    [
        ((4096, 16, 4096), 135_184, 131_072),
        ((4096, 64, 4096), 528_448, 524_288),
        ((784, 32, 10), 25_450, 25_408),
        ((784, 32, 64, 32, 10), 29_642, 29_504),
        ((784, 128, 64, 128, 10), 118_346, 118_016),
        ((784, 256, 128, 64, 128, 10), 251_722, 251_136),
    ],
)
def test_the_reference_s_networks_have_the_published_sizes(widths, parameters, weights) -> None:
    counts = layer_counts(widths)
    assert sum(layer.weights for layer in counts) == weights
    assert sum(layer.weights + layer.biases for layer in counts) == parameters
    assert [layer.name for layer in counts][:2] == ["fc1", "fc2"]


def test_normalisations_and_tied_weights_are_counted_as_pytorch_has_them() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.bn1, self.fc2, self.bn2 = (
                nn.Linear(20, 9),
                nn.BatchNorm1d(9),
                nn.Linear(9, 4),
                nn.BatchNorm1d(4),
            )
            self.bias3, self.bn3, self.bias4 = (
                nn.Parameter(torch.zeros(9)),
                nn.BatchNorm1d(9),
                nn.Parameter(torch.zeros(20)),
            )

    counts = layer_counts((20, 9, 4, 9, 20), batch_norm=True, tied=True)
    assert [layer.name for layer in counts] == ["fc1", "bn1", "fc2", "bn2", "fc3", "bn3", "fc4"]
    assert sum(layer.weights + layer.biases for layer in counts) == sum(p.numel() for p in Tied().parameters())
    network = Autoencoder(kind="autoencoder", hidden=(9, 4, 9), batch_norm=True, tied=True)
    assert network.parameter_count((20, 9, 4, 9, 20)) == sum(layer.weights + layer.biases for layer in counts)
    assert network.parameter_count((20, 9, 4, 9, 20), biases=False) == sum(layer.weights for layer in counts)
    assert [layer.formula for layer in counts][-3:] == [
        "9, with the weights of fc2",
        "9 + 9",
        "20, with the weights of fc1",
    ]


def test_what_was_counted_on_the_trained_network_stands_beside(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("fixed", 1, curves=steady(0), measured={("", "parameters"): 25450.0})
    maker.run("dropped", 0, curves=steady(0), state="running")
    fixed, dropped = sizes(maker.results())
    assert (fixed.parameters, fixed.weights, fixed.recorded) == (25_450, 25_408, 25_450)
    assert (dropped.widths, dropped.recorded) == ((784, 32, 10), None)


def test_an_arm_without_a_recorded_run_has_no_size_yet(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("dropped", 0, curves=steady(0))
    assert [size.arm for size in sizes(maker.results())] == ["dropped"]
