"""How large a module is: parameters, operations and memory, counted on a batch of real examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from paribus.spec.modules import LayerSize, ModuleSize


def module_size(module: nn.Module, inputs: Tensor, loss: Callable[[Tensor], Tensor]) -> ModuleSize:
    """Count a module on `inputs` (example, ...), whose outputs `loss` makes a number of.

    Buffers change as in a training step, and gradients are set. A layer is a module that has parameters or operations
    of its own, besides those of the modules in it.
    """
    examples = len(inputs)
    forward, shapes = _forward(module, inputs)
    with FlopCounterMode(display=False) as counter:
        loss(module(inputs)).backward()
    layers: list[LayerSize] = []
    seen: set[int] = set()
    for name, part in module.named_modules():
        parameters = 0
        for parameter in part.parameters(recurse=False):
            parameters += 0 if id(parameter) in seen else parameter.numel()
            seen.add(id(parameter))
        operations = _own_operations(forward, type(module).__name__, name, part)
        if parameters or operations:
            kind = type(part).__name__
            layers.append(LayerSize(name or kind, kind, shapes.get(name, ()), parameters, operations // examples))
    return ModuleSize(
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        tensors=sum(tensor.numel() for tensor in module.state_dict().values()),
        operations=sum(forward.get("Global", {}).values()) // examples,
        training_operations=counter.get_total_flops() // examples,
        activation_bytes=-(-_kept_bytes(module, inputs) // examples),
        layers=tuple(layers),
    )


_Counts = dict[str, dict[Any, int]]
"""Operations by module (`Net.conv1`, and `Global` for all), and in each by kind."""


def _forward(module: nn.Module, inputs: Tensor) -> tuple[_Counts, dict[str, tuple[int, ...]]]:
    """The operations of a forward pass in training mode, and the shape of what each module gives for an example."""
    shapes: dict[str, tuple[int, ...]] = {}

    def hook_for(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(_module: Any, _inputs: Any, outputs: Any) -> None:
            if isinstance(outputs, Tensor):
                shapes.setdefault(name, tuple(outputs.shape[1:]))

        return hook

    hooks = [part.register_forward_hook(hook_for(name)) for name, part in module.named_modules()]
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return {str(name): dict(counts) for name, counts in counter.get_flop_counts().items()}, shapes


def _own_operations(counts: _Counts, root: str, name: str, part: nn.Module) -> int:
    """The operations of a module without those of the modules in it."""
    full = f"{root}.{name}" if name else root
    inner = sum(sum(counts.get(f"{full}.{child}", {}).values()) for child, _ in part.named_children())
    return sum(counts.get(full, {}).values()) - inner


def _kept_bytes(module: nn.Module, inputs: Tensor) -> int:
    """What a forward pass keeps for the backward pass, besides the parameters."""
    kept: dict[int, int] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        module(inputs)
    return sum(kept.values())
