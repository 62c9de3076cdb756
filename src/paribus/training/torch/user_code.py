"""The Python file that a study names, imported as `python FILE` would import it, and the local files that come with it.

A local file lies in the folder of the named file or in that of the study, or below one of them, and neither in Python's
own folders nor in one of installed packages. Files are found by importing: after it, they are those of `sys.modules`
that are local. A file that is only read, or is imported by a function that the check before training does not call, is
not among them.

Local files are always compiled from their source: Python's compiled files are told apart by a time in seconds, so an
older one may pass for that of a file that has just been changed. None is written beside the user's files either.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path
from threading import RLock
from typing import Any, Final, final

from typing_extensions import override

from paribus.spec.modules import SourceFile, UserModule

MAX_SOURCE_BYTES: Final = 10_000_000
"""What the local files of a module may have together."""
_PACKAGE: Final = Path(__file__).resolve().parents[2]
"""The folder of paribus itself."""
_LOCK: Final = RLock()
_loaded: dict[tuple[str, str], Any] = {}
"""Python modules by file and fingerprint of the sources."""


class UserCodeError(Exception):
    """What a user's code does not do as it must.

    `rule`, `given` and `remedy` are those of a `UserError`; `where` is FILE:LINE, or empty where no line is known.
    """

    def __init__(self, rule: str, given: str, remedy: str, where: str = "") -> None:
        self.rule, self.given, self.remedy, self.where = rule, given, remedy, where
        super().__init__(rule)


@final
class LocalFolders:
    """The folders whose files are local to a study."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.first = file.parent.resolve()
        self._roots = {self.first, folder.resolve()}
        paths = sysconfig.get_paths()
        others = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib") if name in paths]
        self._others = [Path(path).resolve() for path in others] + [_PACKAGE]

    def has(self, path: Path) -> bool:
        """Whether a file, or a folder, is local."""
        full = path.resolve()
        if {"site-packages", "dist-packages"} & set(full.parts) or any(full.is_relative_to(o) for o in self._others):
            return False
        return any(full.is_relative_to(root) for root in self._roots)

    def imported(self) -> dict[str, Path]:
        """The names of the modules in `sys.modules` whose files are local, with their files."""
        found: dict[str, Path] = {}
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and self.has(Path(file)):
                found[name] = Path(file).resolve()
        return found


def import_file(file: Path, folder: Path) -> Any:
    """The module that `file` is, imported anew with all that is local.

    Raises UserCodeError where it cannot be imported, with the line.
    """
    local = LocalFolders(file, folder)
    _left.clear(local)
    name = file.stem
    if name in sys.modules or name in sys.stdlib_module_names:
        raise UserCodeError("must not have the name of a Python module", file.name, "give the file another name")
    with _importing(local):
        spec = importlib.util.spec_from_file_location(name, file, loader=_FromSource(name, str(file)))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        with telling(local, "must be imported without an error"):
            spec.loader.exec_module(module)
    return module


def sources(file: Path, folder: Path) -> tuple[SourceFile, ...]:
    """The named file and the local files that have been imported since, by name."""
    local = LocalFolders(file, folder)
    others = sorted({path for path in local.imported().values() if path != file.resolve()})
    names = {Path(os.path.relpath(path, local.first)).as_posix(): path for path in others}
    found = [SourceFile.of(file.name, file.read_bytes())]
    found += [SourceFile.of(name, names[name].read_bytes()) for name in sorted(names)]
    if sum(len(one.text) for one in found) > MAX_SOURCE_BYTES:
        rule = f"must have local files of at most {MAX_SOURCE_BYTES} bytes in all"
        raise UserCodeError(rule, "more", "keep data in files that are no Python files")
    return tuple(found)


def user_code(module: UserModule, name: str) -> Any:
    """The class or the function of that name, for training: imported once for each content of its files.

    Raises UserCodeError where the files are no longer as `module` has them.
    """
    file, folder = Path(module.path), Path(module.folder)
    key = (module.path, module.fingerprint)
    with _LOCK:
        if key not in _loaded:
            for source in module.files:
                _refuse_change(source, file.parent / source.name)
            _loaded[key] = import_file(file, folder)
        return getattr(_loaded[key], name)


def _refuse_change(source: SourceFile, path: Path) -> None:
    try:
        content = path.read_bytes()
    except OSError:
        content = None
    if content != source.content:
        if content is None:
            rule = "must stay where it is while a study trains, and be at the same path on every node of a cluster"
            raise UserCodeError(
                rule, f"no {path.name} in {path.parent}", "put it there, or into a folder all nodes share"
            )
        rule = "must not change while a study trains"
        raise UserCodeError(rule, f"another content of {source.name}", "run the study again: it then has new runs")


@contextmanager
def telling(local: LocalFolders, rule: str, remedy: str = "correct it there") -> Iterator[None]:
    """Errors of a user's code, whatever they are, as a UserCodeError with their last line and place."""
    try:
        yield
    except (UserCodeError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise UserCodeError(rule, error_line(error), remedy, place_of(error, local)) from error


def error_line(error: BaseException) -> str:
    """An error as Python's traceback ends with it, on one line."""
    return " ".join(traceback.format_exception_only(error)[-1].split())[:300]


def place_of(error: BaseException, local: LocalFolders) -> str:
    """FILE:LINE of the last line of local code that an error passed, or of the syntax error that it is."""
    if isinstance(error, SyntaxError) and error.filename and local.has(Path(error.filename)):
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if local.has(Path(frame.filename))]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


@final
class _FromSource(SourceFileLoader):
    """Compiles a file at each import."""

    @override
    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


@contextmanager
def _importing(local: LocalFolders) -> Iterator[None]:
    """Imports look into the named file's folder first, as those of a script do, and compile what is local."""
    finder = FileFinder.path_hook((ExtensionFileLoader, EXTENSION_SUFFIXES), (_FromSource, SOURCE_SUFFIXES))

    def hook(path: str) -> Any:
        if not local.has(Path(path)):
            raise ImportError("not local")
        return finder(path)

    hooks: list[Callable[[str], Any]] = sys.path_hooks
    hooks.insert(0, hook)
    sys.path.insert(0, str(local.first))
    for path in [path for path in sys.path_importer_cache if local.has(Path(path))]:
        del sys.path_importer_cache[path]
    try:
        yield
    finally:
        hooks.remove(hook)
        # the last folder from now on: a file of it hides no module that somebody else imports
        sys.path.remove(str(local.first))
        sys.path.append(str(local.first))
        _left.paths.append(str(local.first))
        _left.names += local.imported()


@final
class _Left:
    """What imports of local files have left: names in `sys.modules`, and folders in `sys.path`.

    Both stay for functions that import when they are called, until another file is imported.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.paths: list[str] = []

    def clear(self, local: LocalFolders) -> None:
        """Before another import: the same names may be other files now."""
        for name in {*self.names, *local.imported()} - {"__main__"}:
            sys.modules.pop(name, None)
        for path in self.paths:
            if path in sys.path:
                sys.path.remove(path)
        self.names.clear()
        self.paths.clear()


_left: Final = _Left()
