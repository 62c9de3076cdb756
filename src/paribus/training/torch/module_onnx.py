"""The process in which a user's module is exported to ONNX: `python -m paribus.training.torch.module_onnx`.

Standard input: a line of JSON, then the state dict and the preprocessing as safetensors. Standard output: a line of
JSON, which has no `problem` where all went well, and then the model's bytes.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import torch
from safetensors.torch import load
from torch import Tensor, nn

from paribus.training.torch.user_code import UserCodeError, error_line, import_file


@final
class Prepared(nn.Module):
    """A module that takes examples as their source has them, and gives what people ask for."""

    def __init__(self, module: nn.Module, prepared: Mapping[str, Tensor], seen: list[int], shape: list[int], task: str):  # noqa: ANN204
        super().__init__()
        self.divisor: Any
        self.fill: Any
        self.centre: Any
        self.factor: Any
        self.module, self._seen, self._shape, self._task = module, seen, shape, task
        for name in ("divisor", "fill", "centre", "factor", "target_centre", "target_factor"):
            self.register_buffer(name, prepared.get(name))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """`logits` and `probabilities`, or `predicted`, or `reconstruction`, for examples (example, *shape)."""
        values = x.flatten(1) / self.divisor
        if self.fill is not None:
            values = torch.where(torch.isnan(values), self.fill, values)
        if self.centre is not None:
            values = values - self.centre
        if self.factor is not None:
            values = values * self.factor
        outputs = self.module(values.reshape(-1, *self._seen)).flatten(1)
        if self._task == "classification":
            if outputs.shape[1] > 1:
                return outputs, torch.softmax(outputs, dim=1)
            second = torch.sigmoid(outputs)
            return outputs, torch.cat([1 - second, second], dim=1)
        factor, centre = (self.target_factor, self.target_centre)
        if self._task == "reconstruction":
            factor, centre = self.factor, self.centre
        outputs = outputs if factor is None else outputs / factor
        outputs = outputs if centre is None else outputs + centre
        return outputs.reshape(-1, *self._shape) if self._task == "reconstruction" else outputs


def exported(request: dict[str, Any], arrays: Mapping[str, Tensor]) -> bytes:
    """The model's bytes. Whatever the user's code or the exporter raises passes through."""
    found = import_file(Path(request["file"]), Path(request["folder"]))
    module = getattr(found, request["name"])(**request["arguments"])
    prefixed = ((name.partition("/"), tensor) for name, tensor in arrays.items())
    parts: dict[str, dict[str, Tensor]] = {"state": {}, "prepared": {}}
    for (part, _, name), tensor in prefixed:
        parts[part][name] = tensor
    module.load_state_dict(parts["state"])
    whole = Prepared(module, parts["prepared"], request["seen"], request["shape"], request["task"]).eval()
    names = {"classification": ["logits", "probabilities"], "regression": ["predicted"]}
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            whole,
            (torch.zeros(3, *request["shape"]),),
            str(path),
            input_names=["input"],
            output_names=names.get(request["task"], ["reconstruction"]),
            dynamic_shapes={"x": {0: torch.export.Dim("example")}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        import onnx

        model = onnx.load(path)
    onnx.helper.set_model_props(model, request["facts"])
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def main() -> None:
    """Export the module that standard input describes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the user's code and the exporter print goes to standard error
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    request = json.loads(sys.stdin.buffer.readline())
    arrays = load(sys.stdin.buffer.read())
    try:
        model = exported(request, arrays)
    except UserCodeError as error:
        answers.write(json.dumps({"problem": f"{error.rule}, got {error.given}"}).encode() + b"\n")
    except BaseException as error:  # noqa: BLE001 - told to the parent
        answers.write(json.dumps({"problem": error_line(error)}).encode() + b"\n")
    else:
        answers.write(b"{}\n" + model)
    answers.flush()
    os._exit(0)  # threads that the user's code has started may never end


if __name__ == "__main__":
    main()
