"""What tests of commands share: an empty data folder, and three abstracts."""

from __future__ import annotations

from pathlib import Path

import pytest

from medkg.testing.builders import an_abstract, json_lines
from tests.orchestration.command_line import Medkg


@pytest.fixture
def medkg(tmp_path: Path) -> Medkg:
    """A data folder in which nothing was done."""
    return Medkg(tmp_path / "data")


@pytest.fixture
def abstracts(tmp_path: Path) -> str:
    path = tmp_path / "abstracts.jsonl"
    path.write_bytes(json_lines([an_abstract(number) for number in "123"]))
    return str(path)
