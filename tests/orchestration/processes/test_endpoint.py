"""A service is that of its folder alone: copies, restored folders, links and renamed folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.errors import HostUnavailableError
from orchestration.processes.endpoint import read_endpoint
from orchestration.processes.local_service import LocalClient, LocalService
from tests.present import present


@pytest.fixture
def original(tmp_path: Path) -> Iterator[Path]:
    """A data folder that a service serves."""
    folder = tmp_path / "original"
    with LocalService("host", folder, {"name": lambda: "original", "stop": lambda: "stopped"}):
        yield folder


def name_of(folder: Path) -> str:
    return str(LocalClient(folder, "host").call("name"))


def test_a_copy_has_no_service_and_says_so(original: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(original, tmp_path / "copy")
    client = LocalClient(copy, "host")
    assert not client.is_served()
    with pytest.raises(HostUnavailableError, match=f"No host runs for {copy}"):
        client.call("name")
    with pytest.raises(HostUnavailableError):
        client.server()
    assert name_of(original) == "original"


def test_a_copy_gets_its_own_service_beside_the_original_s(original: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(original, tmp_path / "copy")
    socket = Path(present(read_endpoint(original, "host")).address)
    with LocalService("host", copy, {"name": lambda: "copy"}):
        assert (name_of(copy), name_of(original)) == ("copy", "original")
    assert not LocalClient(copy, "host").is_served()
    assert socket.exists()
    assert name_of(original) == "original"


def test_a_folder_that_was_restored_at_the_same_path_is_another(original: Path, tmp_path: Path) -> None:
    backup = shutil.copytree(original, tmp_path / "backup")
    original.rename(tmp_path / "aside")
    shutil.copytree(backup, original)
    assert not LocalClient(original, "host").is_served()


def test_a_folder_of_linked_files_is_another(original: Path, tmp_path: Path) -> None:
    snapshot = shutil.copytree(original, tmp_path / "snapshot", copy_function=os.link)
    assert not LocalClient(snapshot, "host").is_served()


def test_a_link_leads_to_the_folder_s_service(original: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(original)
    assert name_of(tmp_path / "link") == "original"


def test_a_renamed_folder_keeps_its_service_for_stop_alone(tmp_path: Path) -> None:
    folder, renamed = tmp_path / "first", tmp_path / "second"
    service = LocalService("host", folder, {"name": lambda: "first", "stop": lambda: "stopped"}).start()
    assert service.has_folder()
    folder.rename(renamed)
    assert not service.has_folder()
    client = LocalClient(renamed, "host", after_move=["stop"])
    with pytest.raises(HostUnavailableError, match=rf"was started when this folder was {folder}.*medkg down"):
        client.call("name")
    assert client.call("stop") == "stopped"
    service.close()
    assert not folder.exists()


@pytest.mark.parametrize("written", ["", "[]", '{"address": "x"}', '{"of": "another version"}'])
def test_a_file_that_is_no_endpoint_counts_as_none(tmp_path: Path, written: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "host.json").write_text(written)
    assert read_endpoint(tmp_path, "host") is None
    with LocalService("host", tmp_path, {"name": lambda: "new"}):
        assert name_of(tmp_path) == "new"
