"""The extractor `llm` with a real small model on a real vLLM server: wiring and grounding, not quality."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gpu_actors.vllm.server import ServerOptions, VllmServer
from orchestration.contracts import CountedExtraction, WebAnswer
from orchestration.extraction.graph_schema import GraphSchema
from orchestration.extraction.grounding import grounded
from orchestration.extraction.llm.extractor import LlmExtractor
from orchestration.extraction.llm.server import ChatServer
from tests.orchestration.extraction.llm.chat import a_document

ROOT = Path(__file__).parents[4]
MODEL = ROOT / ".llm/qwen2.5-coder-0.5b"
VLLM = ROOT / ".venv-vllm/bin/vllm"

pytestmark = pytest.mark.skipif(
    not (MODEL / "config.json").is_file() or not VLLM.is_file(),
    reason="needs vLLM and a small model: make vllm llm",
)


@pytest.fixture(scope="module")
def server() -> Iterator[VllmServer]:
    options = ServerOptions(
        runner="generate", device="cpu", dtype="bfloat16", max_tokens=4096, batch_tokens=4096
    )
    served = VllmServer(str(VLLM), MODEL, options)
    yield served
    served.close()


class Web:
    """What the extractor uses of a web client, over the server's own connection."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def post_json(self, url: str, body: dict[str, object], **_: object) -> WebAnswer:
        response = self.client.post(url, json=body, timeout=900)
        response.raise_for_status()
        return WebAnswer(str(response.url), response.status_code, {}, response.content)


def test_what_a_small_model_finds_stands_in_the_text(server: VllmServer, schema: GraphSchema) -> None:
    document = a_document(
        "Metformin lowered glucose in patients with type 2 diabetes. Nausea was common with metformin."
    )
    web = Web(server._client)
    chat = ChatServer(lambda: web, "/v1", "medkg", None)  # type: ignore[arg-type, return-value]
    assert chat.takes_grammars

    (outcome,) = LlmExtractor(chat, "qwen2.5-coder-0.5b", schema).extract_batch([document])

    assert isinstance(outcome, CountedExtraction), outcome
    assert outcome.entities
    assert not grounded(document, (outcome.entities, outcome.claims), schema).dropped
    assert "mention not in the text" not in outcome.dropped
