from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import ModuleType

import pytest

import paribus

SEQUENCE = Path(__file__).with_name("sequence.py")


@pytest.fixture(scope="session")
def sequence() -> ModuleType:
    """The module sequence.py: a short history of a workspace."""
    spec = importlib.util.spec_from_file_location("paribus_store_sequence", SEQUENCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a process that is killed loses nothing that another could read."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="paribus-test-") as folder:
        yield Path(folder)


@pytest.fixture
def complete(sequence: ModuleType, quick_path: Path) -> Path:
    """A workspace after all steps of sequence.py: one run is done, the other paused."""
    folder = quick_path / "workspace"
    sequence.run_all(folder)
    return folder


@pytest.fixture
def other_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start sequence.py in a process of its own, which does not outlive the test."""
    with ExitStack() as stack:

        def start(*words: str | Path, fault: str = "", shared: bool = False) -> subprocess.Popen[str]:
            source = Path(paribus.__file__).parents[1]
            environment = {**os.environ, "PYTHONPATH": str(source), "PARIBUS_FAULT": fault, "OPENBLAS_NUM_THREADS": "1"}
            environment |= {"SHARED_FILE_SYSTEM": "1"} if shared else {}
            command = [sys.executable, str(SEQUENCE), *map(str, words)]
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, env=environment, text=True, stdin=pipe, stdout=pipe, stderr=pipe)
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture
def ordinary_user() -> Callable[[], AbstractContextManager[None]]:
    """A context in which rights count even if the tests run as root, to whom all is open."""

    @contextmanager
    def become() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return become
