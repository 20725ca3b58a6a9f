"""A web client whose waits return at once and are recorded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import pytest

from orchestration.resilience.guard import Guard
from orchestration.resilience.policies import ResiliencePolicyConfig
from orchestration.web.client import PoliteWebClient
from tests.orchestration.resilience.fake_sleep import FakeSleep


@pytest.fixture
def sleep() -> FakeSleep:
    return FakeSleep()


@pytest.fixture
def web_of(sleep: FakeSleep) -> Iterator[Callable[..., PoliteWebClient]]:
    """web_of(max_attempts=3): a client under that policy, which waits 60 s for an unavailable host."""
    opened: list[PoliteWebClient] = []

    def make(private_hosts: Collection[str] = (), **fields: object) -> PoliteWebClient:
        policy = ResiliencePolicyConfig.model_validate(
            {"timeout_seconds": 5, "backoff_strategy": {"kind": "linear"}, **fields}
        )
        guard = Guard("web", policy, 60, observers=[], sleep=sleep)
        agent = "medkg/test (mailto:ann@example.org)"
        opened.append(PoliteWebClient(lambda _: guard, agent, private_hosts))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def web(web_of: Callable[..., PoliteWebClient]) -> PoliteWebClient:
    return web_of()
