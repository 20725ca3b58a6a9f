"""A socket's folder is where the temporary files are, unless its sockets would have no room there."""

from __future__ import annotations

import socket
import stat
import tempfile
from pathlib import Path

import pytest

from orchestration.processes.socket_folder import socket_folder

BELOW = "session/sockets/store"


@pytest.mark.parametrize("length", [0, 40, 67, 68, 69, 70, 90, 200])
def test_the_longest_path_can_be_bound(length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = Path(tempfile.mkdtemp(prefix="m-", dir="/tmp")) / ("x" * length)
    base.mkdir(exist_ok=True, parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(base))

    folder = socket_folder("medkg-t-", BELOW)

    longest = folder / BELOW
    longest.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(longest))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.parent == (base if len(str(base / folder.name / BELOW)) <= 107 else Path("/tmp"))
