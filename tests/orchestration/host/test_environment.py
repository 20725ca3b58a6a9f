"""A host's private folders: replaced when a killed host left them, kept when they are another host's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from orchestration.host.environment import private_folder
from orchestration.settings import load_settings


def test_the_folder_that_a_killed_host_left_is_removed(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    left = private_folder(settings, "ray", "socket")
    marker = settings.data_dir / "run" / "ray.folder"
    ended = {**json.loads(marker.read_text()), "owner": json.loads(marker.read_text())["owner"] + "0"}
    marker.write_text(json.dumps(ended))
    replaced = private_folder(settings, "ray", "socket")
    assert replaced.is_dir() and not left.exists()
    shutil.rmtree(replaced)


def test_a_copy_of_a_data_folder_leaves_the_original_host_s_folder_alone(tmp_path: Path) -> None:
    original = load_settings(data_dir=tmp_path / "original")
    in_use = private_folder(original, "ray", "socket")
    copy = load_settings(data_dir=shutil.copytree(original.data_dir, tmp_path / "copy"))
    own = private_folder(copy, "ray", "socket")
    assert own != in_use and in_use.is_dir()
    shutil.rmtree(own)
    shutil.rmtree(in_use)


@pytest.mark.parametrize("written", ["/tmp/medkg-of-an-older-version", "", "[]"])
def test_a_marker_of_another_version_removes_nothing(tmp_path: Path, written: str) -> None:
    settings = load_settings(data_dir=tmp_path / "data")
    (settings.data_dir / "run").mkdir(parents=True)
    (settings.data_dir / "run" / "ray.folder").write_text(written)
    shutil.rmtree(private_folder(settings, "ray", "socket"))
