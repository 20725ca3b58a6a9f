"""Chunks: exact slices, all text covered, within the model's limit, nothing across a boundary."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import pytest
from haystack import Document as HaystackDocument
from haystack.components.preprocessors import DocumentSplitter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpu_actors.batches.tokens import TextTokenizer
from gpu_actors.chunking.chunk_profiles import CHUNK_PROFILES
from gpu_actors.chunking.document_chunker import DocumentChunker
from gpu_actors.chunking.regions import HEADINGS, IMRAD, placed_blocks
from gpu_actors.components.chunker import HaystackChunker
from gpu_actors.profiles import Model
from medkg.testing.builders import a_document, a_payload
from orchestration.contracts import split_sentences
from orchestration.errors import ConfigurationError
from orchestration.parsing.text_builder import DocumentBuilder
from orchestration.records import NOT_INDEXED, BlockKind, Chunk, Document, content_version

KINDS = (
    BlockKind.PARAGRAPH,
    BlockKind.TABLE,
    BlockKind.OUTCOME,
    BlockKind.ELIGIBILITY,
    BlockKind.LIST,
    BlockKind.REFERENCE,
    BlockKind.BIBLIOGRAPHIC,
)
SENTENCE = "Adults with asthma were followed for two years, and their peak flow was written down daily. "


class _Parser:
    format = "test"
    version = "1"


def built(fill: Callable[[DocumentBuilder], object]) -> Document:
    builder = DocumentBuilder()
    builder.title("Peak flow in asthma")
    fill(builder)
    return builder.build(a_payload("x", "text"), "default", _Parser())


words = st.sampled_from(
    [
        "asthma",
        "p<0.001",
        "β-blocker",
        "5.2",
        "e.g.",
        "Dr.",
        "haemoglobin",
        "A.",
        "naïve",
        "漢字",
        "Fig.",
        "x" * 130,
    ]
)
sentences = st.lists(words, min_size=1, max_size=12).map(lambda chosen: " ".join(chosen) + ".")
texts = st.lists(sentences, min_size=1, max_size=6).map(" ".join)
blocks = st.tuples(
    st.sampled_from(KINDS), st.lists(texts, min_size=1, max_size=4), st.sampled_from([1, 1, 9])
)
headings = st.sampled_from(["Methods", "Results", "Patients", "", "Discussion", "Statistical analysis"])


def section_trees(depth: int) -> st.SearchStrategy[Any]:
    inner = st.just([]) if depth == 0 else st.lists(section_trees(depth - 1), max_size=2)
    return st.tuples(headings, st.lists(blocks, max_size=3), inner, st.lists(blocks, max_size=1))


def write(builder: DocumentBuilder, tree: Any) -> None:
    heading, before, inner, after = tree
    with builder.section(heading):
        for kind, lines, times in before:
            builder.lines(kind, lines * times)
        for child in inner:
            write(builder, child)
        for kind, lines, times in after:
            builder.lines(kind, lines * times)


def written(trees: list[Any]) -> Document:
    def fill(builder: DocumentBuilder) -> None:
        for tree in trees:
            write(builder, tree)

    return built(fill)


documents = st.lists(section_trees(2), min_size=1, max_size=4).map(written)
profiles = st.sampled_from(sorted(CHUNK_PROFILES))


@pytest.fixture(scope="module")
def chunker(minilm: Model) -> DocumentChunker:
    return DocumentChunker(minilm.files, 512)


def cut(chunker: DocumentChunker, document: Document, profile: str) -> list[Chunk]:
    """The document's chunks; where vectors are wanted, each text has its own unlike all others."""
    groups = chunker.sentence_groups(document, profile)
    vectors = np.random.default_rng(len(document.text)).normal(size=(len(groups), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return chunker.chunk(document, profile, vectors)


property_test = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@property_test
@given(document=documents, profile=profiles)
def test_bodies_are_slices_in_order_with_true_token_counts_within_the_model(
    chunker: DocumentChunker, tokenizer: TextTokenizer, document: Document, profile: str
) -> None:
    chunks = cut(chunker, document, profile)

    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.start_char for chunk in chunks] == sorted(chunk.start_char for chunk in chunks)
    encodings = tokenizer.encodings([chunk.body for chunk in chunks])
    for chunk, encoding in zip(chunks, encodings, strict=True):
        assert document.text[chunk.start_char : chunk.end_char] == chunk.body == chunk.body.strip() != ""
        assert chunk.token_count == len(encoding) <= tokenizer.room
        if chunk.granularity == "chunk":
            assert chunk.token_count <= CHUNK_PROFILES[profile].size


@property_test
@given(document=documents, profile=profiles)
def test_all_text_but_headings_is_in_some_chunk_and_references_are_in_none(
    chunker: DocumentChunker, document: Document, profile: str
) -> None:
    covered = [False] * len(document.text)
    for chunk in cut(chunker, document, profile):
        covered[chunk.start_char : chunk.end_char] = [True] * len(chunk.body)

    for placed in placed_blocks(document.sections):
        inside = slice(placed.block.start_char, placed.block.end_char)
        if placed.block.kind in NOT_INDEXED:
            assert not any(covered[inside])
        elif placed.block.kind not in HEADINGS:
            assert all(
                is_covered or character.isspace()
                for is_covered, character in zip(covered[inside], document.text[inside], strict=True)
            )


@property_test
@given(document=documents, profile=profiles)
def test_neighbours_share_at_most_the_profiles_overlap(
    chunker: DocumentChunker, tokenizer: TextTokenizer, document: Document, profile: str
) -> None:
    for before, after in pairwise(cut(chunker, document, profile)):
        shared = document.text[after.start_char : before.end_char]
        assert len(tokenizer.encodings([shared])[0]) <= CHUNK_PROFILES[profile].overlap


@property_test
@given(document=documents, profile=st.sampled_from(["pmc-imrad", "ctgov-registry"]))
def test_no_chunk_crosses_a_top_level_section_and_pmc_none_an_imrad_part(
    chunker: DocumentChunker, document: Document, profile: str
) -> None:
    placed = {each.block.block_id: each for each in placed_blocks(document.sections)}
    for chunk in cut(chunker, document, profile):
        touched = [placed[block_id] for block_id in chunk.block_ids]
        inside = [each for each in touched if each.block.kind is not BlockKind.TITLE]
        assert len({each.top for each in inside}) <= 1
        if profile == "pmc-imrad":
            assert len({each.section.role for each in inside if each.section.role in IMRAD}) <= 1


@property_test
@given(document=documents, profile=profiles)
def test_what_stays_whole_is_one_chunk_where_the_model_can_take_it(
    chunker: DocumentChunker, tokenizer: TextTokenizer, document: Document, profile: str
) -> None:
    chunks = cut(chunker, document, profile)
    whole = {(chunk.start_char, chunk.end_char): chunk.granularity for chunk in chunks}
    for placed in placed_blocks(document.sections):
        block = placed.block
        body = document.text[block.start_char : block.end_char]
        if block.kind in (BlockKind.TABLE, BlockKind.OUTCOME, BlockKind.ELIGIBILITY) and (
            len(tokenizer.encodings([body])[0]) <= tokenizer.room
        ):
            assert whole[(block.start_char, block.end_char)] == block.kind.value


@given(texts)
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(split_sentences(text)) == text


@given(st.lists(texts, min_size=1, max_size=3).map("\n\n".join))
def test_sentences_are_those_of_haystacks_splitter_at_the_same_offsets(text: str) -> None:
    splitter = DocumentSplitter(
        split_by="function", splitting_function=split_sentences, split_length=1, split_overlap=0
    )
    parts = splitter.run([HaystackDocument(content=text)])["documents"]

    sentences = split_sentences(text)
    starts = accumulate((len(sentence) for sentence in sentences[:-1]), initial=0)
    assert [(part.meta["split_idx_start"], part.content) for part in parts] == list(
        zip(starts, sentences, strict=True)
    )


def test_sentences_end_at_stops_but_not_after_abbreviations_or_decimals() -> None:
    text = "Dr. Low et al. saw 5.2 mmol/l (Fig. 2). Then it fell. No change followed."

    assert split_sentences(text) == [
        "Dr. Low et al. saw 5.2 mmol/l (Fig. 2). ",
        "Then it fell. ",
        "No change followed.",
    ]


def test_neighbours_share_whole_sentences_up_to_the_overlap(chunker: DocumentChunker) -> None:
    numbered = " ".join(f"Visit {number} was kept by most of the adults." for number in range(120))
    document = built(lambda builder: builder.block(BlockKind.PARAGRAPH, numbered))

    chunks = chunker.chunk(document, "default")

    assert len(chunks) > 2
    for before, after in pairwise(chunks):
        shared = document.text[after.start_char : before.end_char]
        assert shared.startswith("Visit") and shared.endswith("adults.")
        assert shared.count("Visit") > 1


def test_registry_chunks_do_not_overlap_and_each_outcome_is_one(chunker: DocumentChunker) -> None:
    def fill(builder: DocumentBuilder) -> None:
        with builder.section("Description"):
            builder.block(BlockKind.PARAGRAPH, SENTENCE * 60)
        with builder.section("Outcomes"):
            builder.block(BlockKind.OUTCOME, "Peak flow at 12 months.")
            builder.block(BlockKind.OUTCOME, "Night symptoms at 12 months.")

    chunks = chunker.chunk(built(fill), "ctgov-registry")

    assert all(a.end_char <= b.start_char for a, b in pairwise(chunks))
    outcomes = [chunk.body for chunk in chunks if chunk.granularity == "outcome"]
    assert outcomes == ["Peak flow at 12 months.", "Night symptoms at 12 months."]


def test_a_table_too_large_for_the_model_is_split_between_rows(chunker: DocumentChunker) -> None:
    rows = [f"arm {number} | 12. Of them 4 left | {number}.5 (0.2)" for number in range(90)]
    document = built(lambda builder: builder.lines(BlockKind.TABLE, rows))

    chunks = [chunk for chunk in chunker.chunk(document, "pmc-imrad") if chunk.granularity == "table"]

    assert len(chunks) > 1
    assert [line for chunk in chunks for line in chunk.body.split("\n")] == rows


def test_short_top_level_sections_share_a_chunk_by_default_but_not_under_imrad(
    chunker: DocumentChunker,
) -> None:
    document = a_document()

    assert len(chunker.chunk(document, "default")) == 1
    assert [chunk.section for chunk in chunker.chunk(document, "pmc-imrad")] == ["introduction", "results"]


def test_a_chunk_says_where_it_stands(chunker: DocumentChunker) -> None:
    (_, second) = chunker.chunk(a_document(doc_id="d9"), "ctgov-registry")

    assert second.title_path == ("Effects of walking on sleep", "Results")
    assert second.chunk_id.endswith(":1") and second.chunk_id.startswith("files:d9:")
    assert second.chunker == "haystack/ctgov-registry" and second.chunker_version


def test_a_document_of_a_title_alone_is_one_chunk_and_one_without_text_is_none(
    chunker: DocumentChunker,
) -> None:
    titled = built(lambda builder: None)
    empty = titled.model_copy(update={"text": "", "sections": ()})

    assert [chunk.body for chunk in chunker.chunk(titled, "pmc-imrad")] == ["Peak flow in asthma"]
    assert chunker.chunk(empty, "default") == []


@pytest.mark.parametrize("profile", sorted(CHUNK_PROFILES))
def test_a_word_longer_than_a_chunk_is_cut_and_nothing_of_it_lost(
    chunker: DocumentChunker, profile: str
) -> None:
    sequence = "MKT-AYIAK-QRQ-" * 400
    document = built(lambda builder: builder.block(BlockKind.PARAGRAPH, sequence))

    chunks = cut(chunker, document, profile)

    assert len(chunks) > 2
    assert all(chunk.token_count <= CHUNK_PROFILES[profile].size for chunk in chunks)
    at = document.text.index(sequence)
    assert "".join(document.text[max(at, c.start_char) : c.end_char] for c in chunks) == sequence


def test_a_word_that_the_model_does_not_know_is_one_token_however_long(chunker: DocumentChunker) -> None:
    document = built(lambda builder: builder.block(BlockKind.PARAGRAPH, "x" * 50_000))

    (chunk,) = chunker.chunk(document, "default")

    assert chunk.body.endswith("x" * 50_000) and chunk.token_count < 10


def test_an_unknown_chunk_profile_is_refused_with_the_known_ones(chunker: DocumentChunker) -> None:
    with pytest.raises(ConfigurationError, match="ctgov-registry, default, default-semantic, guideline"):
        chunker.chunk(a_document(), "pmc")


def test_the_chunker_runs_on_haystack_documents() -> None:
    text = "First paragraph.\n\n" + SENTENCE * 80
    (chunks,) = HaystackChunker().run([HaystackDocument(content=text, meta={"year": 2020})]).values()

    assert len(chunks) > 2
    for chunk in chunks:
        start, end = chunk.meta["split_idx_start"], chunk.meta["split_idx_end"]
        assert text[start:end] == chunk.content and chunk.meta["year"] == 2020


def test_the_same_document_gives_the_same_chunks(chunker: DocumentChunker) -> None:
    document = a_document(version=content_version(b"x"))
    first: list[Chunk] = chunker.chunk(document, "default")

    assert chunker.chunk(document, "default") == first
