"""A package of Debian or Ubuntu, fetched by apt and unpacked, without root and without touching the system.

apt's lists, caches and state go to a private folder; the system's sources, keys and proxy settings are used as they
are, so that signatures are checked. Hooks that the system runs after an update are left out: they write outside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

TIME_LIMIT_S = 600

_SETTINGS = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "{folder}/state";
Dir::State::lists "{folder}/state/lists";
Dir::State::status "{folder}/state/status";
Dir::Cache "{folder}/cache";
Dir::Cache::archives "{folder}/cache/archives";
Dir::Log "{folder}/log";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
"""


class FetchError(Exception):
    """One place could not give the files; another may."""


def unpacked_package(package: str, folder: Path) -> Path:
    """The root of the file tree of `package`, unpacked below the empty private `folder`.

    Raises FetchError where there is no apt, no such package, or no way to fetch it.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise FetchError(f"apt (no {tool} here)")
    for name in ("state/lists/partial", "cache/archives/partial", "log", "download"):
        (folder / name).mkdir(parents=True)
    (folder / "state" / "status").touch()
    settings = folder / "apt.conf"
    settings.write_text(_SETTINGS.format(folder=folder), encoding="utf-8")
    apt = ["apt-get", "-q", "-c", str(settings)]
    _run([*apt, "update"], folder, must_succeed=False)  # fails if a single one of the user's sources does not answer
    _run([*apt, "download", package], folder / "download", must_succeed=True)
    archive = next((folder / "download").glob("*.deb"), None)
    if archive is None:
        raise FetchError(f"apt (it gave no archive of {package})")
    _run(["dpkg-deb", "-x", str(archive), str(folder / "unpacked")], folder, must_succeed=True)
    return folder / "unpacked"


def _run(command: list[str], cwd: Path, *, must_succeed: bool) -> None:
    """Run a command in the C locale, without input; its last line of output is the reason given if it fails."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=TIME_LIMIT_S, check=False)  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FetchError(f"apt ({error})") from error
    if done.returncode and must_succeed:
        output = done.stdout.decode(errors="replace").strip().splitlines()
        raise FetchError(f"apt ({output[-1] if output else f'{command[0]} failed'})")
