"""Every network source keeps the contract of sources, and fetches expired records again in one call."""

from __future__ import annotations

import pytest

from medkg.testing.source_suite import SourceSuite, good_items, request_of
from orchestration.assembly import Assembly
from orchestration.contracts import Source, SourceRequest
from orchestration.errors import UsageError
from tests.orchestration.sources.network_sources import NETWORK_SOURCES, NetworkSource
from tests.servers.replay_server import ReplayServer


@pytest.fixture(params=NETWORK_SOURCES, ids=lambda network: network.plugin)
def network(request: pytest.FixtureRequest) -> NetworkSource:
    network: NetworkSource = request.param
    return network


class TestANetworkSourceIsASource(SourceSuite):
    @pytest.fixture
    def source(self, network: NetworkSource, assembly: Assembly) -> Source:
        return assembly.sources[network.plugin]

    @pytest.fixture
    def request_for_all(self, network: NetworkSource) -> SourceRequest:
        return network.request

    @pytest.fixture
    def wrong_request(self, network: NetworkSource) -> SourceRequest:
        return network.wrong_request


def test_expired_records_are_fetched_again_in_one_call(
    network: NetworkSource, source: Source, server: ReplayServer, assembly: Assembly
) -> None:
    items = good_items(source, network.request)
    before = source.fetch([request_of(item) for item in items])
    assembly.objects.delete_all("raw")
    count = len(server.received)
    assert source.fetch([request_of(item) for item in items]) == before
    assert len(server.received) == count + 1


def test_a_request_with_paths_is_refused(network: NetworkSource, source: Source) -> None:
    with pytest.raises(UsageError, match="takes no --path"):
        list(source.enumerate(network.request.model_copy(update={"paths": ("/a",)})))
