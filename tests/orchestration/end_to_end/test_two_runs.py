"""Two commands at once on one folder without a host: both finish, each with its account."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.orchestration.command_line import Medkg

pytestmark = pytest.mark.plane


def notes(folder: Path, name: str, number: int) -> Path:
    folder.mkdir()
    for n in range(number):
        (folder / f"{name}{n}.md").write_text(f"# {name} {n}\n\nPatients of group {name}{n} walked.\n")
    return folder


@pytest.mark.timeout(900)
def test_two_runs_at_once_both_finish_with_their_accounts(tmp_path: Path) -> None:
    medkg = Medkg(tmp_path / "data")
    short, long = notes(tmp_path / "short", "s", 1), notes(tmp_path / "long", "l", 12)
    runs = {
        1: medkg.process("run", "auto", "--path", str(short), "--json"),
        12: medkg.process("run", "auto", "--path", str(long), "--window", "2", "--json"),
    }
    for number, process in runs.items():
        stdout, stderr = process.communicate(timeout=600)
        assert process.returncode == 0, stderr + stdout
        documents = json.loads(stdout)["documents"]
        assert (documents["in"], documents["committed"], documents["pending"]) == (number, number, 0)
    assert medkg("status")["documents"] == {"committed": 13}
    assert medkg("verify")["consistent"]
