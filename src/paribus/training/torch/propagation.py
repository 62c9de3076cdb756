"""Forward and backward through the layers of many networks at once.

Values are (run, example, unit), with padded units. A layer computes y = f(x W + b), so that

    db = sum over examples of dz,    dW = x^T dz,    dx = dz W^T,    dz = f'(z) dy

which is two launches forward and four backward, whatever the number of runs. With batch normalisation N, a layer
computes y = f(N(x W + b)).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from paribus.spec.activations import ActivationBase
from paribus.training.torch.activations import stacked_activation
from paribus.training.torch.batch_norm import BatchNorm
from paribus.training.torch.parameters import Parameters


@final
class ForwardPass:
    """Runs networks on inputs, and keeps what the backward pass needs: `inputs`, the input of each layer of weights,
    and `saved`, what each activation saves. `hidden` are the activations of each hidden layer, before dropout. In
    `training`, hidden layers are normalised over the batch, where the architecture says so."""

    def __init__(
        self, parameters: Parameters, activations: Sequence[ActivationBase], *, training: bool = False
    ) -> None:
        layout, self._training = parameters.layout, training
        statistics = layout.norm_statistics(parameters.statistics)
        self.norms = [BatchNorm(*of) for of in zip(layout.norm_parameters(parameters.values), statistics, strict=True)]
        self.activations = [stacked_activation(activation) for activation in activations]
        self.weights = [
            weight if transposed else weight.transpose(1, 2)
            for weight, transposed in zip(layout.weights(parameters.values), layout.transposed, strict=True)
        ]
        self._biases = [bias.unsqueeze(1) for bias in layout.biases(parameters.values)]
        self._widths, self._padded = layout.widths, layout.padded
        self.inputs: list[Tensor] = []
        self.saved: list[Tensor] = []
        self.hidden: list[Tensor] = []

    def __call__(self, inputs: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        """The last layer's output; `masks` are what dropout multiplies each hidden layer by."""
        self.inputs, self.saved, self.hidden = [inputs], [], []
        for i, activation in enumerate(self.activations):
            before = torch.baddbmm(self._biases[i], self.inputs[-1], self.weights[i])
            if self.norms:
                norm = self.norms[i]
                before = norm.of_batch(before) if self._training else norm.by_running_statistics(before)
            values = activation.forward(before)
            if not activation.zero_at_zero and self._padded[i + 1] > self._widths[i + 1]:
                values[:, :, self._widths[i + 1] :].zero_()
            self.saved.append(before if activation.saves == "input" else values)
            self.hidden.append(values)
            self.inputs.append(values if masks is None else values * masks[i])
        return torch.baddbmm(self._biases[-1], self.inputs[-1], self.weights[-1])


@final
class BackwardPass:
    """Every parameter's gradient after a forward pass; `gradients` (run, parameter) are laid out as the parameters."""

    def __init__(self, parameters: Parameters, forward: ForwardPass) -> None:
        layout = parameters.layout
        self.gradients = torch.zeros_like(parameters.values)
        self._forward, self._transposed = forward, layout.transposed
        self._weights, self._biases = layout.weights(self.gradients), layout.biases(self.gradients)
        self._norms = layout.norm_parameters(self.gradients)
        owners = layout.owners
        # the later half of tied layers comes first on the way back
        self._adds = [
            name == owner and owners.count(owner) > 1 for name, owner in zip(layout.layers, owners, strict=True)
        ]

    def __call__(self, gradient: Tensor, masks: Sequence[Tensor] | None = None) -> None:
        """From the gradient of the loss by the last layer's output, and the masks of the forward pass."""
        forward = self._forward
        for i in range(len(self._weights) - 1, -1, -1):
            inputs = forward.inputs[i]
            left, right = (inputs, gradient) if self._transposed[i] else (gradient, inputs)
            if self._adds[i]:
                self._weights[i].baddbmm_(left.transpose(1, 2), right)
            else:
                torch.bmm(left.transpose(1, 2), right, out=self._weights[i])
            if self._norms and i < len(self._norms):
                self._biases[i].zero_()  # normalisation takes away what a bias adds
            else:
                torch.sum(gradient, 1, out=self._biases[i])
            if i:
                below = torch.bmm(gradient, forward.weights[i].transpose(1, 2))
                if masks is not None:
                    below.mul_(masks[i - 1])
                gradient = forward.activations[i - 1].backward(below, forward.saved[i - 1])
                if self._norms:
                    gradient = forward.norms[i - 1].backward(gradient, self._norms[i - 1])
