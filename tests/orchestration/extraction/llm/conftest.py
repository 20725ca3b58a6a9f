"""An extractor over a web client whose waits return at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from orchestration.extraction.graph_schema import GraphSchema, load_graph_schema
from orchestration.extraction.llm.extractor import LlmExtractor
from orchestration.extraction.llm.server import ChatServer
from orchestration.resilience.guard import Guard
from orchestration.resilience.policies import ResiliencePolicyConfig
from orchestration.topology.shipped import shipped_folder
from orchestration.web.client import PoliteWebClient
from tests.orchestration.extraction.llm.chat import URL
from tests.orchestration.resilience.fake_sleep import FakeSleep


@pytest.fixture(scope="session")
def schema() -> GraphSchema:
    return load_graph_schema(shipped_folder())


@pytest.fixture
def web() -> Iterator[PoliteWebClient]:
    policy = ResiliencePolicyConfig.model_validate(
        {"timeout_seconds": 5, "max_attempts": 2, "backoff_strategy": {"kind": "linear"}}
    )
    guard = Guard("llm", policy, 60, observers=[], sleep=FakeSleep())
    with PoliteWebClient(lambda _: guard, "medkg/test") as client:
        yield client


@pytest.fixture
def extractor_of(web: PoliteWebClient, schema: GraphSchema) -> Callable[[], LlmExtractor]:
    return lambda: LlmExtractor(ChatServer(lambda: web, URL, "small", "key"), "small", schema)
