"""A folder of topologies for each test, and the message with which a file is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.errors import DagsterPipelineConfigError
from tests.orchestration.topology.topology_files import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def error_of(folder: Folder) -> Callable[[str], str]:
    """The message with which a file's text is refused, without the folder's path."""

    def message(text: str) -> str:
        path = folder.write(text)
        with pytest.raises(DagsterPipelineConfigError) as caught:
            folder.loader.check(path)
        return str(caught.value).replace(f"{folder.path}/", "")

    return message
