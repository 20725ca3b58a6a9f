"""The real records beside the checkout: all that the registry extractor says of them is grounded."""

from __future__ import annotations

import pytest

from orchestration.extraction.graph_schema import load_graph_schema
from orchestration.extraction.grounding import grounded
from orchestration.extraction.registry import RegistryExtractor
from orchestration.records import RETRACTED_PUBLICATION
from orchestration.topology.shipped import shipped_folder
from tests.orchestration.parsing.test_real_documents import SHARED, ingested

pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(
        not SHARED.is_dir(), reason="needs the real documents of ../shared/data (see its README)"
    ),
]


@pytest.mark.parametrize(
    ("name", "documents", "least_claims"),
    [("clinicaltrials", 151, 3_500), ("jats", 70, 1_900), ("pubmedqa/abstracts.jsonl", 1_000, 14_000)],
)
def test_every_claim_of_real_records_is_in_their_text(name: str, documents: int, least_claims: int) -> None:
    schema = load_graph_schema(shipped_folder())
    pairs = ingested(name)
    assert len(pairs) == documents
    claims = 0
    for _, document in pairs:
        result = grounded(document, RegistryExtractor().extract(document), schema)
        assert dict(result.dropped) == {}
        mentions, stated = result.extraction
        claims += len(stated)
        concepts = {each.concept for each in mentions}
        assert (RETRACTED_PUBLICATION in concepts) is (document.metadata.get("is_retracted") is True)
    assert claims >= least_claims
