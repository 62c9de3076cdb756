"""A fully connected network as an ONNX graph, with everything that is done to its inputs and outputs inside.

The graph takes examples as the source has them: bytes of images as float32 from 0 to 255, missing values as NaN. Its
outputs are `logits` and `probabilities` (example, class), or `predicted` (example, target) in original units, or
`reconstruction`, on the scale of the examples divided by `divisor`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from paribus.spec.activations import ActivationBase
from paribus.spec.dataset import Dataset
from paribus.spec.network import FullyConnected, layer_names, norm_names, tied_layers
from paribus.spec.recipe import Recipe

OPSET: Final = 17
"""Of the operators used: runtimes since 2022 have it."""
IR: Final = 8
"""The version of the file format that belongs to it."""
INPUT: Final = "input"
BATCH_NORM_EPS: Final = 1e-5

Arrays = Mapping[str, npt.NDArray[Any]]


@final
@dataclass(eq=False)
class _Graph:
    """Nodes in order, and constants by name. `at` is the tensor that the next node takes."""

    helper: Any
    numpy_helper: Any
    at: str = INPUT
    nodes: list[Any] = field(default_factory=list[Any])
    constants: dict[str, npt.NDArray[Any]] = field(default_factory=dict[str, npt.NDArray[Any]])

    def constant(self, name: str, value: npt.ArrayLike, dtype: Any = np.float32) -> str:
        self.constants[name] = np.ascontiguousarray(np.asarray(value, dtype))
        return name

    def node(self, kind: str, *more: str, to: str = "", after: str | None = None, **attributes: Any) -> str:
        """A node that takes the present tensor (or `after`) and `more`; its output becomes the present one."""
        name = to or f"{kind.lower()}_{len(self.nodes)}"
        source = self.at if after is None else after
        self.nodes.append(self.helper.make_node(kind, [source, *more], [name], **attributes))
        self.at = name
        return name


def network_graph(recipe: Recipe, dataset: Dataset, state: Arrays, prepared: Arrays, facts: Mapping[str, str]) -> Any:
    """The ONNX model of a state dict. `prepared` is the run's artifact `preprocessing`, `facts` are written into it.

    Raises ValueError for a network that is not a fully connected one.
    """
    network = recipe.network
    if not isinstance(network, FullyConnected):
        raise ValueError("modules are exported by PyTorch")
    onnx: Any = importlib.import_module("onnx")
    graph = _Graph(importlib.import_module("onnx.helper"), importlib.import_module("onnx.numpy_helper"))
    graph.node("Flatten", axis=1)
    _prepare(graph, prepared)
    _layers(graph, network, recipe.widths(dataset), state)
    outputs = _outputs(graph, recipe, dataset, prepared)
    kinds = onnx.TensorProto
    made = graph.helper.make_graph(
        graph.nodes,
        "paribus",
        [graph.helper.make_tensor_value_info(INPUT, kinds.FLOAT, ["example", *dataset.shape])],
        [graph.helper.make_tensor_value_info(name, kinds.FLOAT, ["example", *shape]) for name, shape in outputs],
        [graph.numpy_helper.from_array(value, name) for name, value in graph.constants.items()],
    )
    opsets = [graph.helper.make_opsetid("", OPSET)]
    model = graph.helper.make_model(made, opset_imports=opsets, ir_version=IR, producer_name="paribus")
    graph.helper.set_model_props(model, dict(facts))
    onnx.checker.check_model(model, full_check=True)
    return model


def _prepare(graph: _Graph, prepared: Arrays) -> None:
    """What is done to features, in the order in which it is done (see `Splits.preprocessing`)."""
    divisor = float(prepared["divisor"][0])
    if divisor != 1:
        graph.node("Div", graph.constant("divisor", divisor))
    if "fill" in prepared:
        values = graph.at
        graph.node("IsNaN")
        graph.node("Where", graph.constant("fill", prepared["fill"]), values)
    if "centre" in prepared:
        graph.node("Sub", graph.constant("centre", prepared["centre"]))
    if "factor" in prepared:
        graph.node("Mul", graph.constant("factor", prepared["factor"]))


def _layers(graph: _Graph, network: FullyConnected, widths: tuple[int, ...], state: Arrays) -> None:
    names, norms = layer_names(widths), norm_names(widths)
    shared = tied_layers(widths) if network.ties_weights else {}
    for place, name in enumerate(names):
        owner = shared.get(name, name)
        weight = graph.constant(f"{owner}.weight", state[f"{owner}.weight"])
        bias = graph.constant(f"{name}.bias", state[f"{name}.bias"])
        graph.node("Gemm", weight, bias, transB=int(owner == name))
        if place == len(names) - 1:
            return
        if network.batch_norm:
            parts = ("weight", "bias", "running_mean", "running_var")
            more = [graph.constant(f"{norms[place]}.{part}", state[f"{norms[place]}.{part}"]) for part in parts]
            graph.node("BatchNormalization", *more, epsilon=BATCH_NORM_EPS)
        _activate(graph, network.activations[place])


def _activate(graph: _Graph, activation: ActivationBase) -> None:
    """The arithmetic of an activation, as its `formula` in `spec/activations.py` says."""
    before = graph.at
    match activation.kind:
        case "relu":
            graph.node("Relu")
        case "leaky-relu":
            graph.node("LeakyRelu", alpha=activation.parameter)
        case "elu":
            graph.node("Elu", alpha=activation.parameter)
        case "tanh":
            graph.node("Tanh")
        case "sigmoid":
            graph.node("Sigmoid")
        case "silu":
            graph.node("Sigmoid")
            graph.node("Mul", before)
        case "gelu":
            graph.node("Div", graph.constant("sqrt_2", np.sqrt(2.0)))
            graph.node("Erf")
            graph.node("Add", graph.constant("one", 1.0))
            graph.node("Mul", before)
            graph.node("Mul", graph.constant("half", 0.5))
        case "identity":
            pass
        case _:
            raise ValueError(f"no ONNX arithmetic for {activation.kind}")


def _outputs(
    graph: _Graph, recipe: Recipe, dataset: Dataset, prepared: Arrays
) -> list[tuple[str, tuple[int | str, ...]]]:
    """The graph's outputs, by name and shape of one example's."""
    if recipe.task == "reconstruction":
        if "factor" in prepared:
            graph.node("Div", "factor")
        if "centre" in prepared:
            graph.node("Add", "centre")
        graph.node("Reshape", graph.constant("shape", [-1, *dataset.shape], np.int64), to="reconstruction")
        return [("reconstruction", dataset.shape)]
    if recipe.task == "regression":
        if "target_factor" in prepared:
            graph.node("Div", graph.constant("target_factor", prepared["target_factor"]))
        if "target_centre" in prepared:
            graph.node("Add", graph.constant("target_centre", prepared["target_centre"]))
        graph.node("Identity", to="predicted")
        return [("predicted", (len(dataset.targets),))]
    width = recipe.loss.outputs_for(dataset.outputs)
    graph.node("Identity", to="logits")
    if width > 1:
        graph.node("Softmax", to="probabilities", axis=1)
        return [("logits", (width,)), ("probabilities", (width,))]
    second = graph.node("Sigmoid")  # of two classes, the logit is the second one's
    graph.nodes.append(graph.helper.make_node("Sub", [graph.constant("one", 1.0), second], ["first"]))
    graph.nodes.append(graph.helper.make_node("Concat", ["first", second], ["probabilities"], axis=1))
    return [("logits", (1,)), ("probabilities", (2,))]
