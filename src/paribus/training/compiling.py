"""How loops are compiled: once for this machine, kept on disk where that can be, and run without Python's lock.

Numba tells whether what it has kept is still right by the file of the function. But what that function calls from
other files is compiled into it: so code is kept in a folder that is named by the content of all these files.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

_config: Any = config
_LOG = logging.getLogger("paribus.training")


def compiled(function: Callable[..., Any]) -> Any:
    """A function as machine code, compiled when it is first called.

    The code is kept beside the source, or else in the user's cache folder. Where neither may be written to, it is
    compiled in every process anew.
    """
    settings = {"nogil": True, "error_model": "numpy"}
    folder = _folder()
    if folder is None:
        return _for_all_numbers(njit(function, **settings))
    before = _config.CACHE_DIR
    _config.CACHE_DIR = str(folder)
    try:
        return _for_all_numbers(njit(function, cache=True, **settings))
    finally:
        _config.CACHE_DIR = before


def _for_all_numbers(function: Any) -> Any:
    """The same, compiled once for every kind of arguments.

    Numba takes a number that is written out in a call for a kind of its own, and would compile the function, and all
    that it calls, for that number again.
    """
    template = function.get_call_template
    function.get_call_template = lambda args, kws: template(
        [types.unliteral(kind) for kind in args], {name: types.unliteral(kind) for name, kind in kws.items()}
    )
    return function


def written(count: int, write: Callable[..., None]) -> Any:
    """A function for compiled code of a tuple of `count` whole numbers, which `write(builder, *numbers)` writes.

    For what Python has no words for: `builder` is LLVM's.
    """

    def typed(_context: Any, _numbers: Any) -> Any:
        def generate(_generating: Any, builder: Any, _signature: Any, given: Any) -> Any:
            write(builder, *(builder.extract_value(given[0], i) for i in range(count)))
            return whole(0)

        return types.int64(types.UniTuple(types.int64, count)), generate

    return intrinsic(typed)


def _fused(_context: Any, a: Any, b: Any, c: Any) -> Any:
    def generate(_generating: Any, builder: Any, _signature: Any, given: Any) -> Any:
        return builder.fma(*given)

    return types.float32(a, b, c), generate


fused: Any = intrinsic(_fused)
"""For compiled code: `fused(a, b, c)` is `a` * `b` + `c`, rounded once, of float32."""


def whole(number: int) -> Any:
    """A whole number in LLVM's language."""
    return ir.Constant(ir.IntType(64), number)


@lru_cache(maxsize=1)
def _folder() -> Path | None:
    here = Path(__file__).parent
    user = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    name = f"compiled-{_content(here)}"
    folder = next(filter(_writable, (here / "__pycache__" / name, user / "paribus" / name)), None)
    if folder is None or not any(folder.iterdir()):
        _LOG.info("compiling for this processor, %s", "once" if folder else "for want of a folder to keep it in")
    return folder


def _content(folder: Path) -> str:
    """Of every file with compiled functions."""
    sources = [path.read_bytes() for path in sorted(folder.glob("*.py"))]
    return hashlib.sha256(b"".join(source for source in sources if b"@compiled" in source)).hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
