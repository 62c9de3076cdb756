"""What kind of file system a folder is on: SQLite's write-ahead log does not work on one that several machines share.

WAL keeps an index in memory that all processes share. Processes on two machines do not share memory, so the database
would be damaged. On such file systems a workspace uses SQLite's rollback journal, which needs file locks only: readers
then wait while a change is committed, and a writer waits until readers are done.
"""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""Linux's list of mounts. Elsewhere there is none, and every file system counts as local."""

_SHARED = frozenset({
    "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fhgfs", "fuse", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs",
    "vboxsf", "virtiofs", "vmhgfs", "wekafs",
})  # fmt: skip
"""Network and cluster file systems, and folders that a virtual machine shares with its host."""

_MOUNT = re.compile(r"(?:\S+ ){4}(?P<point>\S+) \S+ (?:\S+ )*?- (?P<kind>\S+) ")
r"""A line of mountinfo: `36 35 98:0 /root /mnt/a\040b rw,noatime master:1 - ext4 /dev/sda1 rw`.

The fifth field is the mount point; the type follows the hyphen that ends a variable number of fields."""

_ESCAPE = re.compile(r"\\([0-7]{3})")
"""Space, tab, line break and backslash are octal numbers in a mount point."""


def is_shared(folder: Path) -> bool:
    """Whether other machines may have the file system under `folder`, which need not exist yet."""
    kind = kind_of(folder)
    return kind in _SHARED or kind.startswith("fuse.")  # sshfs, s3fs, gcsfuse, rclone...: FUSE shares no memory either


def kind_of(folder: Path) -> str:
    """The type of the file system under `folder` as Linux names it ("ext4", "nfs4"); empty where it is not known.

    It is the type of the mount point that is the longest beginning of the folder's real path, and of the last mount
    where several have that mount point.
    """
    try:
        path = folder.resolve()
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except (OSError, RuntimeError):  # a loop of links, or no such list
        return ""
    kind, depth = "", 0
    for line in mounts.splitlines():
        mount = _MOUNT.match(line)
        if mount is None:
            continue
        point = Path(_ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), mount["point"]))
        if len(point.parts) >= depth and path.is_relative_to(point):
            kind, depth = mount["kind"], len(point.parts)
    return kind
