"""Semantic profiles: text is split where its topic shifts, with exact offsets and the coherence of chunks."""

from __future__ import annotations

import numpy as np
import pytest
from haystack import Document as HaystackDocument

from gpu_actors.chunking.document_chunker import DocumentChunker
from gpu_actors.chunking.semantic import coherence
from gpu_actors.components.chunker import HaystackChunker
from gpu_actors.components.embedder import HaystackEmbedder
from gpu_actors.plane import RayPlane
from gpu_actors.profiles import Model
from medkg.testing.builders import a_document
from orchestration.errors import ConfigurationError
from orchestration.records import Block, BlockKind, Document, Float32Matrix, Section

PROFILE = "default-semantic"
SLEEP = "Adults who walked every day slept longer and woke up less often in the night. " * 18
LIVER = "Transaminases rose in patients with fatty liver who received the higher dose of the drug. " * 18


@pytest.fixture(scope="module")
def chunker(minilm: Model) -> DocumentChunker:
    return DocumentChunker(minilm.files, 512)


def of_text(text: str) -> Document:
    """One paragraph."""
    block = Block(block_id="b1", kind=BlockKind.PARAGRAPH, start_char=0, end_char=len(text))
    whole = Section(title="", title_path=(), role=None, start_char=0, end_char=len(text), blocks=(block,))
    return a_document().model_copy(update={"text": text, "sections": (whole,)})


def by_topic(texts: list[str]) -> Float32Matrix:
    """Nearly the same vector for every text of a topic, another one for the other topic."""
    axes = np.eye(3, dtype=np.float32)
    vectors: Float32Matrix = np.stack(
        [axes[0 if "slept" in text else 1] + 0.01 * n * axes[2] for n, text in enumerate(texts)]
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def test_text_is_split_where_its_topic_shifts(chunker: DocumentChunker) -> None:
    document = of_text((SLEEP + LIVER).strip())
    groups = chunker.sentence_groups(document, PROFILE)

    chunks = chunker.chunk(document, PROFILE, by_topic(groups))

    assert len(chunks) >= 2 and not any("slept" in c.body and "liver" in c.body for c in chunks)
    for chunk in chunks:
        assert document.text[chunk.start_char : chunk.end_char] == chunk.body
        assert chunk.token_count <= 450 and chunk.metadata["coherence"] > 0.9
    assert "".join(chunk.body for chunk in chunks).replace(" ", "") == document.text.replace(" ", "")


def test_what_fits_into_one_chunk_stays_whole(chunker: DocumentChunker) -> None:
    document = of_text(f"{SLEEP[:200]} {LIVER[:200]}".strip())
    groups = chunker.sentence_groups(document, PROFILE)

    (chunk,) = chunker.chunk(document, PROFILE, by_topic(groups))

    assert chunk.body == document.text


def test_without_vectors_it_is_refused(chunker: DocumentChunker) -> None:
    with pytest.raises(ConfigurationError, match="semantic"):
        chunker.chunk(of_text(SLEEP), PROFILE)


def test_coherence_is_the_mean_cosine_of_neighbours() -> None:
    vectors = np.array([[1, 0], [0, 1], [0, 1], [0, -1]], dtype=np.float32)

    assert coherence(vectors) == 0.0
    assert coherence(vectors[:1]) == 1.0


@pytest.mark.plane
def test_the_plane_embeds_the_groups_of_all_documents_and_plain_ones_go_beside(plane: RayPlane) -> None:
    documents = [of_text((SLEEP + LIVER).strip()), of_text(SLEEP[:300]), a_document()]

    outcomes = plane.chunk(documents, [PROFILE, PROFILE, "default"], 60.0)

    chunks = [outcome if isinstance(outcome, list) else [] for outcome in outcomes]
    assert [len(each) for each in chunks[1:]] == [1, 1]
    assert not any("slept" in chunk.body and "liver" in chunk.body for chunk in chunks[0])
    assert all("coherence" in chunk.metadata for each in chunks[:2] for chunk in each)
    assert chunks[2][0].metadata == {}


def test_it_runs_in_haystack_with_any_document_embedder() -> None:
    chunker = HaystackChunker(PROFILE, document_embedder=HaystackEmbedder())

    chunks = chunker.run([HaystackDocument(content=SLEEP + LIVER)])["documents"]

    assert len(chunks) >= 2 and all(chunk.meta["coherence"] > 0 for chunk in chunks)
