"""One network source and its simulated service, in a data folder.

A test module returns the source that it tests from its fixture `network`; all other fixtures follow from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.assembly import Assembly
from orchestration.contracts import PagedSource, Source
from orchestration.sources.services import SourceServices
from tests.orchestration.sources.network_sources import API, NetworkSource
from tests.orchestration.sources.sources import assembled
from tests.servers.replay_server import ReplayServer, replaying


@pytest.fixture
def server(network: NetworkSource) -> Iterator[ReplayServer]:
    """The service of the source under test."""
    with replaying(network.service()) as server:
        yield server


@pytest.fixture
def assembly(network: NetworkSource, server: ReplayServer, tmp_path: Path) -> Iterator[Assembly]:
    """A data folder whose source asks that service."""
    settings: dict[str, Any] = {network.url_setting: server.url}
    with assembled(tmp_path, **settings) as assembly:
        yield assembly


@pytest.fixture
def source(network: NetworkSource, assembly: Assembly) -> Source:
    """The source under test as assembly makes it."""
    return assembly.sources[network.plugin]


@pytest.fixture
def services(network: NetworkSource, tmp_path: Path) -> Iterator[SourceServices]:
    """What assembly hands to the plugin, for a service at API."""
    settings: dict[str, Any] = {network.url_setting: API, **dict(network.settings)}
    with assembled(tmp_path, **settings) as assembly:
        yield SourceServices(lambda: assembly.web, assembly.settings)


@pytest.fixture
def paged(network: NetworkSource, services: SourceServices) -> PagedSource:
    """The plugin alone, which asks a service at API."""
    return network.paged(services)
