"""The process in which a user's module is checked before training: what cannot work is told in one line.

It runs as `python -m paribus.training.torch.module_child` (see `training.modules`), as a process of its own because
whatever a user's file does when it is imported, it does there. Standard input has requests, each a line of JSON and
examples as safetensors, of which the line gives the number of bytes. Standard output has a line of JSON for each, with
the module's source and size, or what is wrong.

A module is made twice from the same random numbers, and each takes the same training step. So it shows whether a step
depends on anything else. A third one, loaded from the state dict of the first, takes the second step beside it: if they
part, the module keeps something that its state dict does not have, and a run could not be resumed.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load

from paribus.spec.modules import UserModule
from paribus.spec.network import Module
from paribus.spec.recipe import Recipe
from paribus.training.torch.module_check import ModuleCheck
from paribus.training.torch.module_size import module_size
from paribus.training.torch.user_code import UserCodeError, import_file, sources


def main() -> None:
    """Try the modules that standard input describes, until it ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the user's code prints goes to standard error
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    requests = sys.stdin.buffer
    while line := requests.readline():
        request = json.loads(line)
        batch = load(requests.read(request["bytes"]))
        try:
            answer = {"module": check(request, batch).to_json()}
        except UserCodeError as error:
            found = {"rule": error.rule, "given": error.given, "remedy": error.remedy, "where": error.where}
            answer = {"problem": found}
        print(json.dumps(answer), file=answers, flush=True)
    os._exit(0)  # threads that the user's code has started may never end


def check(request: dict[str, Any], batch: dict[str, Any]) -> UserModule:
    """The module of a request: its source and size. Raises UserCodeError where it cannot be trained."""
    recipe, file, folder = Recipe.model_validate(request["recipe"]), Path(request["file"]), Path(request["folder"])
    assert isinstance(recipe.network, Module)
    found = import_file(file, folder)
    own = ModuleCheck(recipe, found, file, folder, request, batch)
    own.run()
    size = module_size(own.made(), own.inputs, own.loss)
    step_s, example_s = own.timed()
    return UserModule(str(file), str(folder), sources(file, folder), size, step_s, example_s)


if __name__ == "__main__":
    main()
