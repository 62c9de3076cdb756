"""What a module takes is counted as torchinfo counts it."""

from __future__ import annotations

import pytest
import torch
import torchinfo
from torch import nn

from paribus.training.torch.module_size import module_size
from paribus.training.torch.user_code import import_file
from tests.training.torch.module_runs import NETS


@pytest.fixture(scope="module")
def nets():
    return import_file(NETS / "nets.py", NETS)


CASES = {
    "LeNet": (lambda nets: nets.LeNet(), (1, 28, 28)),
    "blocks": (lambda nets: nets.Blocks([4, 6, 8]), (1, 28, 28)),
    "table": (lambda nets: nets.Table(5, 2), (5,)),
}


@pytest.mark.parametrize("case", CASES)
def test_parameters_and_operations_are_those_of_torchinfo(nets, case):
    make, shape = CASES[case]
    model, inputs = make(nets).train(), torch.rand(4, *shape)
    size = module_size(model, inputs, lambda outputs: outputs.square().sum())
    found = torchinfo.summary(model, input_size=(1, *shape), verbose=0, mode="eval")
    assert size.parameters == found.total_params
    layers = {layer.name: layer for layer in size.layers}
    for info in found.summary_list:
        if not isinstance(info.module, nn.Conv2d | nn.Linear):
            continue
        name = next(name for name, part in model.named_modules() if part is info.module)
        # torchinfo counts a bias as one more product for each output
        biases = 0 if info.module.bias is None else torch.Size(info.output_size[1:]).numel()
        assert layers[name].operations == 2 * (info.macs - biases)
        assert layers[name].parameters == info.trainable_params
        assert layers[name].shape == tuple(info.output_size[1:])
    assert size.operations == sum(layer.operations for layer in size.layers)


def test_training_costs_three_forward_passes_less_the_first_layers_input_gradient(nets):
    size = module_size(nets.LeNet(), torch.rand(4, 1, 28, 28), lambda outputs: outputs.sum())
    first = next(layer for layer in size.layers if layer.name == "conv1")
    assert size.training_operations == 3 * size.operations - first.operations


def test_activations_are_what_is_kept_for_the_backward_pass():
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 3))
    size = module_size(model, torch.rand(4, 10), lambda outputs: outputs.sum())
    assert size.activation_bytes == 4 * (10 + 20)  # the input, and what ReLU gives
    assert size.tensors == size.parameters == 10 * 20 + 20 + 20 * 3 + 3
