from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import numba
import numpy as np
import pytest
import torch

from paribus.execution.environment import environment

BY_TORCH = {"AVX2": "AVX2", "AVX512": "AVX-512"}


def test_it_names_the_versions_and_the_processor_that_this_process_has():
    here = environment()
    assert (here["python"], here["numpy"], here["numba"]) == (
        platform.python_version(), np.__version__, numba.__version__,
    )  # fmt: skip
    assert here["cores"] == os.cpu_count()
    assert here["device"] == "cpu"
    assert json.loads(json.dumps(here)) == here


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() not in BY_TORCH, reason="PyTorch names no vectors here")
def test_the_vector_instructions_are_those_that_pytorch_finds():
    assert environment()["vector_instructions"] == BY_TORCH[torch.backends.cpu.get_cpu_capability()]


def test_pytorch_is_named_where_it_trains_and_nowhere_else():
    assert "torch" not in environment()
    named = environment("NVIDIA H100")
    assert torch.__version__.startswith(named["torch"])
    assert named["device"] == "NVIDIA H100"


def test_it_is_known_without_pytorch():
    ask = "import sys; from paribus.execution.environment import environment as of; of(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout == "False\n"
