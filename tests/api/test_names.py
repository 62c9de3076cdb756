"""The public names: few, typed, and imported only when they are used."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import paribus


def test_every_name_is_there() -> None:
    for name in paribus.__all__:
        assert getattr(paribus, name) is not None
        assert name in dir(paribus)
    assert len(paribus.__all__) <= 22
    with pytest.raises(AttributeError, match="has no attribute 'rum'"):
        paribus.rum  # noqa: B018


def test_no_package_hides_a_name() -> None:
    """An imported package becomes an attribute of `paribus`, in the place of a function of its name."""
    assert set(paribus.__all__).isdisjoint(module.name for module in pkgutil.iter_modules(paribus.__path__))


def test_importing_paribus_imports_nothing_else() -> None:
    code = "import sys, paribus; print([m for m in sys.modules if m in ('numpy', 'pydantic', 'numba', 'rich')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    code = "import sys, paribus; paribus.study, paribus.load; print('numba' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
