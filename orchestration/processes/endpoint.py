"""The address of a local service: a file in its data folder, valid for that folder alone.

Input: a data folder. Output: the endpoint of the process that serves it. A copy of the folder holds a copy of
the file, which names the original's process, so the file also identifies its folder: device and inode of
the folder, and of the lock file that the process keeps open. A copy has another folder, a folder that was
restored at the same path another lock file (an inode is not used again while it is open), a renamed folder
both as before.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestration.processes.child_process import is_alive

__all__ = [
    "Endpoint",
    "endpoint_path",
    "folder_identity",
    "lock_path",
    "publish",
    "read_endpoint",
    "recorded",
]


@dataclass(frozen=True)
class Endpoint:
    """The address of a service, the process that serves it, and the data folder that it serves."""

    address: str
    """Path of the Unix socket."""
    token: str
    """Hex secret that every request carries."""
    identity: str
    """Process that serves it (`child_process.own_identity`)."""
    folder: str = ""
    """Path of the data folder when the service started, without symbolic links."""
    folder_identity: str = ""
    """`folder_identity` of the data folder; empty: written by an older medkg."""

    def was_moved(self, data_dir: Path) -> bool:
        """Whether the folder has another path than when the service started."""
        return self.folder != str(data_dir.resolve())


def endpoint_path(data_dir: Path, name: str) -> Path:
    """File with the endpoint of the service `name` of a data folder."""
    return data_dir / "run" / f"{name}.json"


def lock_path(data_dir: Path, name: str) -> Path:
    """File that the server of a data folder locks and keeps open."""
    return endpoint_path(data_dir, name).with_suffix(".lock")


def folder_identity(data_dir: Path, name: str) -> str | None:
    """Device and inode of the data folder and of the service's lock file; None if one of them is missing."""
    try:
        parts = [path.stat() for path in (data_dir, lock_path(data_dir, name))]
    except (FileNotFoundError, NotADirectoryError):
        return None
    return " ".join(f"{part.st_dev}:{part.st_ino}" for part in parts)


def recorded(data_dir: Path, name: str) -> Endpoint | None:
    """The endpoint that the folder's file names, whatever folder or process it is of; None if it has none."""
    try:
        return Endpoint(**json.loads(endpoint_path(data_dir, name).read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):  # none, or of another version
        return None


def read_endpoint(data_dir: Path, name: str) -> Endpoint | None:
    """The endpoint of the live service of this folder; None if no process serves it.

    A copied file, which names the process of another folder, counts as none.
    """
    endpoint = recorded(data_dir, name)
    if endpoint is None or endpoint.folder_identity != folder_identity(data_dir, name):
        return None
    return endpoint if is_alive(endpoint.identity) else None


def publish(data_dir: Path, name: str, endpoint: Endpoint) -> None:
    """Write the endpoint for the folder's user; readers see the previous file or this one."""
    path = endpoint_path(data_dir, name)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{name}-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(endpoint), file)
    Path(temporary).replace(path)
