"""A prefix of the test's own on a real S3 server; distributions with plugins, installed for one test."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.orchestration.s3 import own_url

Install = Callable[..., None]


@pytest.fixture
def s3_url() -> Iterator[str]:
    with own_url() as url:
        yield url


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution of one module and its entry points for the length of a test."""

    def install_distribution(name: str, module: str, code: str, group: str, **points: str) -> None:
        folder = tmp_path / name
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / f"{module}.py").write_text(code)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{point} = {value}\n" for point, value in points.items())
        (info / "entry_points.txt").write_text(f"[{group}]\n{lines}")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, module, raising=False)
        importlib.invalidate_caches()

    return install_distribution
