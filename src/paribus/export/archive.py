"""A workspace, or some of its studies, as one file that can be opened elsewhere: `ARCHIVE.zip`.

    manifest.json           format, versions, studies, and the SHA-256 of every other file
    registration.json       when each claim was registered, and when the first run began to train
    requirements.txt        the versions that the runs were trained with
    studies/NAME.toml       the study files
    workspace/...           a whole workspace, which `paribus` opens once it is unpacked

Equal workspaces give equal bytes. Nothing in an archive is ever executed: study files that name code are text.
"""

from __future__ import annotations

import hashlib
import json
import stat
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import paribus
from paribus.errors import Shown, UserError
from paribus.export.target import new_file, new_folder
from paribus.store.extract import extract
from paribus.store.records import StudyRecord
from paribus.store.verify import verify
from paribus.store.workspace import Workspace

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
WORKSPACE: Final = "workspace"
MAX_FILES: Final = 1_000_000
MAX_BYTES: Final = 1 << 38
MAX_FILE_BYTES: Final = 1 << 33
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a zip: equal content gives equal bytes."""
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Unpacked:
    """A verified archive: its folder, its manifest, and when claims were registered."""

    folder: Path
    manifest: Mapping[str, Any]
    registration: Mapping[str, Any]

    @property
    def workspace(self) -> Path:
        return self.folder / WORKSPACE


def write_archive(workspace: Workspace, records: Sequence[StudyRecord], path: Path) -> None:
    """Write the studies of `records` and all their namesakes, whose registration of claims they refer to."""
    names = {record.name for record in records}
    chosen = [record for record in workspace.studies() if record.name in names]
    with new_file(path) as target, tempfile.TemporaryDirectory(dir=target.parent) as made:
        folder = Path(made)
        with workspace.reading():
            extract(workspace, [record.id for record in chosen], folder / WORKSPACE)
            environments = [
                run.environment for record in chosen for _, _, run in workspace.runs_of(record.id) if run.environment
            ]
            registration = _registration(workspace, chosen)
        (folder / "studies").mkdir()
        for record in chosen:  # of several with one name, the last
            (folder / "studies" / f"{record.name}.toml").write_text(record.document, encoding="utf-8")
        _put(folder / "registration.json", registration)
        (folder / "requirements.txt").write_text(_requirements(environments), encoding="utf-8")
        files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
        _put(
            folder / MANIFEST,
            {
                "format": FORMAT,
                "paribus": paribus.__version__,
                "studies": [{"id": record.id, "name": record.name} for record in chosen],
                "environments": [json.loads(text) for text in dict.fromkeys(map(_text, environments))],
                "files": {name: _sha256(folder / name) for name in files},
            },
        )
        _zip(folder, [MANIFEST, *files], target)


def _registration(workspace: Workspace, records: Sequence[StudyRecord]) -> dict[str, Any]:
    """By id of a study: when it and each of its claims were registered, and when the first of its runs began."""
    found: dict[str, Any] = {}
    for record in records:
        claims = workspace.claims(record.id)
        began = [run.started_at for _, _, run in workspace.runs_of(record.id) if run.started_at]
        found[record.id] = {
            "name": record.name,
            "registered_at": record.registered_at,
            "first_epoch_at": min(began, default=None),
            "claims": [{"text": claim.text, "registered_at": claim.registered_at} for claim in claims],
        }
    return found


def _requirements(environments: Sequence[Mapping[str, Any]]) -> str:
    packages = ("paribus", "numpy", "numba", "llvmlite", "torch")
    lines = dict.fromkeys(
        f"{name}=={environment[name]}" for environment in environments for name in packages if name in environment
    )
    pythons = ", ".join(dict.fromkeys(str(one.get("python")) for one in environments))
    return "".join(f"{line}\n" for line in (f"# trained with Python {pythons or 'of no run'}", *lines))


def unpack(archive: Path, folder: Path) -> Unpacked:
    """Open an archive in a new folder: every file's hash is checked, and the workspace verified.

    Raises UserError for what is not an archive, has other files than its manifest says, is too large, or does not
    verify; nothing is left behind then.
    """
    with new_folder(folder) as made:
        manifest = _extracted(archive, made)
        problems = verify(made / WORKSPACE).problems
        if problems:
            raise _broken(archive, f"{len(problems)} problems in its workspace, the first: {problems[0]}")
        registration = json.loads((made / "registration.json").read_text(encoding="utf-8"))
    return Unpacked(folder, manifest, registration)


def _extracted(archive: Path, folder: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = {entry.filename: entry for entry in opened.infolist()}
            if len(entries) != len(opened.infolist()) or len(entries) > MAX_FILES:
                raise _broken(archive, "files of one name, or too many of them")
            for entry in entries.values():
                _refuse_entry(archive, entry)
            if sum(entry.file_size for entry in entries.values()) > MAX_BYTES:
                raise _broken(archive, "more than it may hold")
            manifest = _manifest(archive, opened, entries)
            if {MANIFEST, *manifest["files"]} != set(entries):
                raise _broken(archive, "other files than its manifest names")
            for name, digest in manifest["files"].items():
                _write(archive, opened, entries[name], folder / name, digest)
    except FileNotFoundError:
        raise UserError("file not found", given=Shown(""), place=str(archive), remedy="check the path") from None
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        raise _broken(archive, " ".join(str(error).split()) or type(error).__name__) from None
    return manifest


def _manifest(archive: Path, opened: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> dict[str, Any]:
    if MANIFEST not in entries or entries[MANIFEST].file_size > 1 << 28:
        raise _broken(archive, f"no {MANIFEST}")
    found: Any = json.loads(opened.read(MANIFEST))
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
        raise _broken(archive, f"a {MANIFEST} of another form")
    if found.get("format") != FORMAT:
        raise _broken(archive, f"format {found.get('format')!r}, and this paribus reads {FORMAT}")
    return found


def _refuse_entry(archive: Path, entry: zipfile.ZipInfo) -> None:
    """Raises UserError for a name that leaves the folder, for a link, and for a file that is too large."""
    path = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename or entry.is_dir():
        raise _broken(archive, f"a file named {entry.filename[:60]!r}")
    if kind not in (0, stat.S_IFREG) or entry.file_size > MAX_FILE_BYTES:
        raise _broken(archive, f"{entry.filename[:60]!r}, which is no plain file or too large")


def _write(archive: Path, opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, digest: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with opened.open(entry) as source, path.open("xb") as target:
        while part := source.read(_CHUNK):
            found.update(part)
            target.write(part)
    if found.hexdigest() != digest:
        raise _broken(archive, f"another content than its manifest says of {entry.filename}")


def _broken(archive: Path, what: str) -> UserError:
    remedy = "ask for it again: it was changed, or is no archive of `paribus export`"
    return UserError("must be a whole archive", given=Shown(what), place=str(archive), remedy=remedy)


def _zip(folder: Path, names: Sequence[str], target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | 0o644) << 16
            with (folder / name).open("rb") as source, made.open(entry, "w", force_zip64=True) as into:
                while part := source.read(_CHUNK):
                    into.write(part)


def _put(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _text(environment: Mapping[str, Any]) -> str:
    return json.dumps(dict(environment), sort_keys=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
