"""The demo corpus, ingested once by the real command, with a host that keeps its models hot.

Among them a small cross-encoder with random weights, whose ranking is arbitrary.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import demo
from tests.gpu_actors.encoders.tiny_cross_encoder import a_cross_encoder
from tests.orchestration.command_line import Medkg

DEMO = Path(demo.__file__).parent


@pytest.fixture(scope="package")
def medkg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Medkg]:
    """Commands over a data folder that holds the demo corpus; its six broken files are dead letters."""
    command = Medkg(tmp_path_factory.mktemp("demo"))
    with pytest.MonkeyPatch.context() as environment:
        model = a_cross_encoder(tmp_path_factory.mktemp("rerank") / "tiny")
        environment.setenv("MEDKG_RERANK_MODEL", str(model))
        command("up")
        run = command("run", "auto", "--path", str(DEMO / "corpus"), expect=1)
        assert (run["documents"]["committed"], run["documents"]["failed"]) == (60, 6)
        yield command
        command("down")
