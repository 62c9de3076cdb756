"""How kernels are compiled: once for this machine, cached on disk where possible, and run without Python's lock (GIL).

Numba caches machine code by the source file of the function. But the machine code also contains what the function calls
from other files. So the cache folder's name is a hash of all files that hold compiled functions.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

_colorama: Any = sys.modules.get("colorama.initialise")
if _colorama is not None:
    # Where colorama is installed, numba starts it, and at the end of the process it would write an escape sequence to
    # every terminal, also to one that knows none. It does not where it believes that it is registered for that.
    _colorama.atexit_done = True

_config: Any = config
_LOG = logging.getLogger("paribus.training")


def compiled(function: Callable[..., Any]) -> Any:
    """A function as machine code, compiled at its first call.

    The machine code is cached beside the source, or else in the user's cache folder. Where neither is writable, every
    process compiles again. Division by zero gives inf or NaN, as in NumPy.
    """
    settings = {"nogil": True, "error_model": "numpy"}
    folder = _cache_folder()
    if folder is None:
        return _without_literal_types(njit(function, **settings))
    before = _config.CACHE_DIR
    _config.CACHE_DIR = str(folder)
    try:
        return _without_literal_types(njit(function, cache=True, **settings))
    finally:
        _config.CACHE_DIR = before


def skip_blas() -> None:
    """Keep numba from looking for a BLAS library in this process, which saves a command half a second.

    When numba first loads compiled code it imports all of `scipy.linalg`, to support `numpy.dot` in compiled functions.
    The engine has no such call, but other compiled functions in the process could have one: so this is for commands,
    whose process is paribus's own, and never for an import of paribus.
    """
    if "scipy.linalg" in sys.modules:
        return
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment] # Python's way to make an import fail
    try:
        import numba.np.arraymath  # noqa: F401 - what looks for BLAS
    finally:
        del sys.modules["scipy.linalg"]


def inlined(function: Callable[..., Any]) -> Any:
    """A function whose body numba puts into its callers.

    It is for large functions with one or two callers. LLVM optimises all that a function calls again with each
    function that calls it, so each level of calls above the kernels adds seconds to the compilation.
    """
    return njit(function, inline="always", nogil=True, error_model="numpy")


def _without_literal_types(function: Any) -> Any:
    """The same function, compiled once for each tuple of argument types.

    Numba gives a literal argument, such as the 0 in `f(x, 0)`, a type of its own, `Literal[int](0)`. It would compile
    `f`, and all that `f` calls, for every literal again.
    """
    template = function.get_call_template
    function.get_call_template = lambda args, kws: template(
        [types.unliteral(kind) for kind in args], {name: types.unliteral(kind) for name, kind in kws.items()}
    )
    return function


def llvm_intrinsic(count: int, emit: Callable[..., None]) -> Any:
    """A function for compiled code that takes one tuple of `count` int64 values and runs the LLVM IR of `emit`.

    `emit(builder, *values)` writes the IR; `builder` is llvmlite's `IRBuilder`. Pointers are passed as int64 addresses.
    This is for what Python cannot express, such as sums that stay in registers.
    """

    def typed(_context: Any, _values: Any) -> Any:
        def generate(_generating: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            emit(builder, *(builder.extract_value(arguments[0], i) for i in range(count)))
            return int64(0)

        return types.int64(types.UniTuple(types.int64, count)), generate

    return intrinsic(typed)


def _fma(_context: Any, a: Any, b: Any, c: Any) -> Any:
    def generate(_generating: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(a, b, c), generate


fma: Any = intrinsic(_fma)
"""For compiled code: `fma(a, b, c)` is `a * b + c` of float32 values, rounded once."""


def int64(value: int) -> Any:
    """An int64 constant in LLVM IR."""
    return ir.Constant(ir.IntType(64), value)


@lru_cache(maxsize=1)
def _cache_folder() -> Path | None:
    here = Path(__file__).parent
    user = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    name = f"compiled-{_source_hash(here)}"
    folder = next(filter(_writable, (here / "__pycache__" / name, user / "paribus" / name)), None)
    if folder is None or not any(folder.iterdir()):
        _LOG.info("compiling for this processor, %s", "once" if folder else "as no cache folder is writable")
    return folder


def _source_hash(folder: Path) -> str:
    """A hash of every file in `folder` that holds compiled functions."""
    sources = [path.read_bytes() for path in sorted(folder.glob("*.py"))]
    compiled_ones = [source for source in sources if b"@compiled" in source or b"@inlined" in source]
    return hashlib.sha256(b"".join(compiled_ones)).hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
