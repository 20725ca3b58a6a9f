"""The environment of a host: its children's variables, short folders, a token for Ray, a free port.

Input: settings. Output: names and files that only a user who may read the data folder can use.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
from pathlib import Path
from typing import Final

from orchestration.jobs.host_client import ray_token_path
from orchestration.processes.child_process import is_alive, own_identity
from orchestration.processes.socket_folder import socket_folder
from orchestration.settings import Settings

__all__ = ["child_environment", "free_port", "private_folder", "write_ray_token"]

PATHS: Final = ("topologies_dir", "json_sources_dir", "schedules_dir", "opensearch_synonyms")
"""Settings that may have been given relative to the folder of the command."""

RAY_SOCKET: Final = "session_2026-11-28_10-59-51_674079_4194304/sockets/plasma_store"
"""The longest path of a Ray socket, with the largest process number that Linux has."""


def child_environment(settings: Settings) -> dict[str, str]:
    """Variables with which definitions in a child process use the same data folder."""
    paths = {f"MEDKG_{name.upper()}": getattr(settings, name) for name in PATHS}
    return {
        "MEDKG_DATA_DIR": str(settings.data_dir),
        "MEDKG_PROFILE": settings.profile,
        **{name: str(path) for name, path in paths.items() if path is not None},
    }


def private_folder(settings: Settings, name: str, longest_path: str) -> Path:
    """Create a folder short enough for sockets of that path; removes the one that a killed host left.

    The marker in a copy of a data folder names the folder of the original's host, which stays while that host
    lives.
    """
    marker = settings.data_dir / "run" / f"{name}.folder"
    marker.parent.mkdir(parents=True, exist_ok=True)
    folder, owner = _marked(marker)
    if owner and not is_alive(owner):
        shutil.rmtree(folder, ignore_errors=True)
    created = socket_folder(f"medkg-{name}-", longest_path)
    marker.write_text(json.dumps({"folder": str(created), "owner": own_identity()}), encoding="utf-8")
    return created


def _marked(marker: Path) -> tuple[str, str]:
    """The folder that a marker names and the process that made it; empty if there is none."""
    try:
        written = json.loads(marker.read_text(encoding="utf-8"))
        return str(written["folder"]), str(written["owner"])
    except (FileNotFoundError, ValueError, TypeError, KeyError):  # none, or of another version
        return "", ""


def write_ray_token(settings: Settings) -> None:
    """Write the token for users who can read the data folder; for its only host, before Ray starts."""
    if settings.ray_address is None:
        path = ray_token_path(settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), encoding="utf-8")


def free_port() -> int:
    """A port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
